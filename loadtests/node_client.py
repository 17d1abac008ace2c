"""Locust's side of one node host: starts it, gives it orders, hears its reports. Under gevent.

Greenlets share the socket, so a lock keeps frames whole. Orders that are answered are answered in
the order they were given; whoever waits for an answer hears at once when the process ends.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import gevent
from gevent.event import AsyncResult
from gevent.lock import Semaphore

from loadtests.control import (
    Crashed,
    Finished,
    FrameError,
    Order,
    Progress,
    Report,
    encode_frame,
    report_decoder,
)
from loadtests.placement import Tenancy
from loadtests.processes import ROOT, child_environment, describe_end

READ_BYTES = 256 * 1024

#: A process whose socket has ended is gone within milliseconds; one that is not is killed.
END_SECONDS = 1.0

R = TypeVar("R")


class HostLost(Exception):
    """A node host has ended, or said something that cannot be right: one line."""


class NodeClient:
    """One node host.

    Args:
      tenancy: What it runs.
      log: Where its standard output and error go.
      on_finished: Called for every client that has finished.
      on_lost: Called once, with the reason, when it ends before `close`.
    """

    def __init__(
        self,
        tenancy: Tenancy,
        log: Path,
        on_finished: Callable[[Finished], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self.tenancy = tenancy
        self.progress = Progress(0, 0)
        self._on_finished = on_finished
        self._on_lost = on_lost
        self._waiting: deque[AsyncResult[Report]] = deque()
        self._lock = Semaphore()
        self._lost: str | None = None
        self._closed = False
        self._socket, theirs = socket.socketpair()
        with theirs, log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "loadtests.node_host", str(os.getpid()), tenancy.name],
                stdin=theirs.fileno(),
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=child_environment(),
                # Its own group: the terminal's Ctrl-C is not for it.
                process_group=0,
            )
        self._reader = gevent.spawn(self._read)

    @property
    def pid(self) -> int:
        """Its process."""
        return int(self._process.pid)

    # --- Orders -----------------------------------------------------------------------------

    def tell(self, order: Order) -> None:
        """Give an order that has no answer.

        Raises:
          HostLost: the process has ended.
        """
        frame = encode_frame(order)
        with self._lock:
            self._send(frame)

    def ask(self, order: Order, kind: type[R]) -> AsyncResult[R]:
        """Give an order; its answer, of this kind, comes later: `result(answer, …)`.

        Raises:
          HostLost: the process has ended.
        """
        frame = encode_frame(order)
        answer: AsyncResult[R] = AsyncResult()
        with self._lock:
            # Under the lock: answers come in the order of the frames.
            self._waiting.append(answer)
            self._send(frame)
        return answer

    def _send(self, frame: bytes) -> None:
        if self._lost is not None:
            raise HostLost(self._lost)
        try:
            self._socket.sendall(frame)
        except OSError:
            # The reader learns the same, and why.
            self._reader.join(timeout=END_SECONDS)
            raise HostLost(self._lost or f"{self.tenancy.name} does not listen") from None

    # --- Reports ----------------------------------------------------------------------------

    def _read(self) -> None:
        decoder = report_decoder()
        crashed: str | None = None
        try:
            while data := self._socket.recv(READ_BYTES):
                for report in decoder.feed(data):
                    if isinstance(report, Finished):
                        self._on_finished(report)
                    elif isinstance(report, Progress):
                        self.progress = report
                    elif isinstance(report, Crashed):
                        crashed = report.reason
                    elif self._waiting:
                        self._waiting.popleft().set(report)
        except FrameError as error:
            crashed = crashed or str(error)
        except OSError:
            pass  # It ended with orders unread: an end as any other.
        if not self._closed:
            self._lose(crashed)

    def _lose(self, crashed: str | None) -> None:
        end = self._await_end()
        name = self.tenancy.name
        self._lost = f"{name}: {crashed}" if crashed is not None else f"{name} {end}"
        for answer in self._waiting:
            answer.set_exception(HostLost(self._lost))
        self._waiting.clear()
        self._on_lost(self._lost)

    def _await_end(self) -> str:
        try:
            return describe_end(self._process.wait(timeout=END_SECONDS))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return "does not answer"

    def close(self) -> None:
        """End the process: it goes by itself when its socket ends."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(timeout=END_SECONDS)
        self._socket.close()
        self._await_end()


def result(answer: AsyncResult[R], kind: type[R], seconds: float, what: str) -> R:
    """Wait for an answer of this kind.

    Raises:
      HostLost: the process has ended, or did not answer in time; `what` names what it was to do.
    """
    try:
        report: R = answer.get(timeout=seconds)
    except gevent.Timeout:
        raise HostLost(f"{what} took longer than {seconds:.0f} s") from None
    return report
