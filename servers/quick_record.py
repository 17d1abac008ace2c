"""Writes down what the shortcut answered: the same figures as any transaction's, for a turn together.

That an answer was small and left at once spares most of a `Transaction`: the request arrived in one
read, so its first step took no time, and if the other side has acknowledged all when it has been sent,
so did the last. What is not over so soon becomes a `Transaction` after all.
"""

from __future__ import annotations

import fcntl
import termios

import msgspec

from servers.access_log import AccessLog
from servers.http1 import Request
from servers.metrics import Metrics
from servers.recorder import Recorder
from servers.transaction import Transaction
from testbed.live import LiveWorld
from testbed.live_link import LiveLink
from testbed.node import Address

#: Addresses whose part of a line is kept.
ADDRESSES_KEPT = 4096

_OUTQ = termios.TIOCOUTQ  # SIOCOUTQ has the same number, on sockets.
_NOTHING = bytes(4)


class Served:
    """One answer, and when it was given in this turn."""

    __slots__ = (
        "line_end",
        "line_start",
        "payload_bytes",
        "received_bytes",
        "request",
        "sent_bytes",
        "status",
        "times",
    )

    def __init__(
        self, request: Request, status: int, received_bytes: int, sent_bytes: int, payload_bytes: int
    ) -> None:
        self.request = request
        self.status = status
        self.received_bytes = received_bytes
        self.sent_bytes = sent_bytes
        self.payload_bytes = payload_bytes
        self.times: list[tuple[Address, float, float, float]] = []
        """Who asked, and when the request was received, its answer found, and sent."""
        target = msgspec.json.encode(request.target).decode()
        self.line_start = (
            f'"method":"{request.method}","target":{target},"status":{status:d},"complete":true,'
            '"received_seconds":0.0,"found_seconds":'
        )
        self.line_end = (
            f',"received_bytes":{received_bytes},"sent_bytes":{sent_bytes},'
            f'"payload_bytes":{payload_bytes},"reason":""}}\n'
        )

    def transaction(self, received: float, found: float, sent: float) -> Transaction:
        """The same as a transaction."""
        transaction = Transaction(self.request, received, received)
        transaction.found = found
        transaction.sent = transaction.drained = sent
        transaction.status = self.status
        transaction.sent_bytes = self.sent_bytes
        transaction.payload_bytes = self.payload_bytes
        return transaction


class QuickRecord:
    """Keeps what a shortcut did.

    Args:
      world: Whose turns these are.
      recorder: Takes what is not over yet.
      metrics: Counts.
      log: Takes lines; None writes nothing.
    """

    def __init__(
        self, world: LiveWorld, recorder: Recorder, metrics: Metrics, log: AccessLog | None
    ) -> None:
        self._world = world
        self._recorder = recorder
        self._metrics = metrics
        self._log = log
        self._written: list[Served] = []
        self._unacknowledged = bytearray(4)
        self._addresses: dict[Address, str] = {}

    def add(
        self,
        link: LiveLink,
        remote: Address,
        served: Served,
        received: float,
        found: float,
        *,
        all_sent: bool,
    ) -> None:
        """Take one request, answered just now."""
        sent = self._world.now()
        self._recorder.asks_again(link.id)
        if all_sent:
            unacknowledged = self._unacknowledged
            fcntl.ioctl(link.fileno, _OUTQ, unacknowledged)
            if unacknowledged == _NOTHING:
                if not served.times:
                    if not self._written:
                        self._world.call_at(sent, self.write)
                    self._written.append(served)
                served.times.append((remote, received, found, sent))
                return
        transaction = served.transaction(received, found, sent)
        self._recorder.done(link.id, remote, transaction, complete=all_sent or link.fileno >= 0)

    def write(self) -> None:
        """Count and log all of this turn, at its end."""
        written, self._written = self._written, []
        for served in written:
            times, served.times = served.times, []
            self._metrics.count_quick(
                served.request.method,
                served.status,
                served.received_bytes,
                served.sent_bytes,
                served.payload_bytes,
                [(found - received, sent - received) for _, received, found, sent in times],
            )
            if self._log is not None:
                self._log.add_lines(self._lines(self._log, served, times))

    def _lines(
        self, log: AccessLog, served: Served, times: list[tuple[Address, float, float, float]]
    ) -> list[bytes]:
        started, unix = log.started_at, log.unix_offset
        start, end = served.line_start, served.line_end
        addresses = self._addresses
        lines = []
        for remote, received, found, sent in times:
            who = addresses.get(remote) or self._address(remote)
            at = started + received
            lines.append(
                f'{{"at":{at + unix:.6f},"monotonic":{at:.9f},{who}{start}{found - received:.9f},'
                f'"sent_seconds":{sent - found:.9f},"drained_seconds":0.0,'
                f'"total_seconds":{sent - received:.9f}{end}'.encode()
            )
        return lines

    def _address(self, remote: Address) -> str:
        if len(self._addresses) >= ADDRESSES_KEPT:
            self._addresses.clear()
        who = self._addresses[remote] = f'"remote":"{remote[0]}","port":{remote[1]},'
        return who
