"""The sweep's side of the page: a Locust process that is started, told and heard, and ended."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from loadtests.dashboard.events import (
    FromPage,
    Lines,
    Listening,
    StartAsked,
    ToPage,
    decode_from_page,
    encode_line,
)
from loadtests.processes import ROOT, child_environment, describe_end
from testbed.errors import ScenarioError

HOST = "127.0.0.1"

DEFAULT_PORT = 8089

READ_BYTES = 16 * 1024

#: It goes by itself when its socket ends, without anything left to do.
END_SECONDS = 2.0

LOCUSTFILE = Path(__file__).resolve().parent / "locustfile.py"


class PageLost(Exception):
    """The page's process has ended by itself: one line."""


def choose_port(wanted: int | None) -> int:
    """Find a port for the page: the one asked for; else the usual one, or any if that is taken.

    Raises:
      ScenarioError: the one asked for is taken.
    """
    candidates = [wanted] if wanted is not None else [DEFAULT_PORT, 0]
    for port in candidates:
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind((HOST, port))
            except (OSError, OverflowError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                continue
            return int(attempt.getsockname()[1])
    raise ScenarioError(f"--port: expected a port that is free, not {wanted}: {reason}")


class PageProcess:
    """The page's process, from start to end.

    Args:
      port: Where the page listens; free.
    """

    def __init__(self, port: int) -> None:
        self.address = f"http://{HOST}:{port}/"
        self._lines = Lines()
        self._socket, theirs = socket.socketpair()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE)),
                    *("--web-host", HOST, "--web-port", str(port), "--autostart"),
                    *("--loglevel", "WARNING", "--parent-pid", str(os.getpid())),
                ],
                stdin=theirs.fileno(),
                stdout=self._log,
                stderr=self._log,
                cwd=ROOT,
                env=child_environment(),
                # Its own group: the terminal's Ctrl-C is for the sweep, which decides.
                process_group=0,
            )

    def __enter__(self) -> PageProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- Telling ----------------------------------------------------------------------------

    @property
    def keeps_up(self) -> bool:
        """Whether it takes in what it is told; a page that does not must not hold up the sweep."""
        return bool(select.select([], [self._socket], [], 0)[1])

    def tell(self, event: ToPage) -> None:
        """Tell the page.

        Raises:
          PageLost: it has ended.
        """
        try:
            self._socket.sendall(encode_line(event))
        except OSError:
            raise self._lost() from None

    # --- Hearing ----------------------------------------------------------------------------

    def hear(self, *, wait: bool) -> list[FromPage]:
        """Give what the page has said; `wait` until it says something.

        Raises:
          PageLost: it has ended.
        """
        events: list[FromPage] = []
        while not events and select.select([self._socket], [], [], None if wait else 0)[0]:
            try:
                data = self._socket.recv(READ_BYTES)
            except OSError:
                data = b""
            if not data:
                raise self._lost()
            events = [decode_from_page(line) for line in self._lines.feed(data)]
        return events

    def wait_until_started(self) -> None:
        """Wait until the page can be opened and Locust has started.

        Raises:
          PageLost: it has ended.
        """
        self._wait_for(lambda heard: {Listening, StartAsked} <= heard)

    def wait_until_started_again(self) -> None:
        """Wait until somebody starts Locust on the page.

        Raises:
          PageLost: it has ended.
        """
        self._wait_for(lambda heard: StartAsked in heard)

    def _wait_for(self, enough: Callable[[set[type]], bool]) -> None:
        heard: set[type] = set()
        while not enough(heard):
            heard |= {type(event) for event in self.hear(wait=True)}

    # --- The end ----------------------------------------------------------------------------

    def _lost(self) -> PageLost:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=END_SECONDS)
        code = self._process.poll()
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip().splitlines()
        end = "does not answer" if code is None else describe_end(code)
        return PageLost(f"the page's process {end}" + (f": {said[-1]}" if said else ""))

    def close(self) -> None:
        """End the process."""
        self._socket.close()
        try:
            self._process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
