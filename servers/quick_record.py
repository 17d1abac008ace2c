"""Writes down what the shortcut answered: the same figures as any transaction's, for a turn together.

A request that arrived in one read took no time to be received, which spares most of a `Transaction`.
When the answer has drained is found out as `servers.recorder` does it. A client that asks again and
again has nothing to acknowledge an answer with but its next request: TCP delays the acknowledgement
for up to 40 ms in the hope of one. So the kernel is asked at once only if the client had rested; if
not, the next request tells, or a look every `LOOK_SECONDS`.
"""

from __future__ import annotations

import fcntl
import termios
import time

import msgspec

from servers.access_log import AccessLog
from servers.http1 import Request
from servers.metrics import Metrics
from servers.recorder import GIVE_UP_SECONDS, LOOK_SECONDS, Recorder
from servers.transaction import Transaction
from testbed.live import LiveWorld
from testbed.live_link import LiveLink
from testbed.node import Address, LinkId

#: Addresses whose part of a line is kept.
ADDRESSES_KEPT = 4096

_OUTQ = termios.TIOCOUTQ  # SIOCOUTQ has the same number, on sockets.
_NOTHING = bytes(4)


class Served:
    """One answer, and when it was given in this turn."""

    __slots__ = (
        "line_format",
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
        self.times: list[tuple[Address, float, float, float, float]] = []
        """Who asked, and when the request was received, its answer found, sent, and drained."""
        target = msgspec.json.encode(request.target).replace(b"%", b"%%")
        self.line_format = (
            b'{"at":%%.6f,"monotonic":%%.9f,%%s'
            b'"method":"%s","target":%s,"status":%d,"complete":true,'
            b'"received_seconds":0.0,"found_seconds":%%.9f,"sent_seconds":%%.9f,'
            b'"drained_seconds":%%.9f,"total_seconds":%%.9f,'
            b'"received_bytes":%d,"sent_bytes":%d,"payload_bytes":%d,"reason":""}\n'
        ) % (request.method.encode(), target, status, received_bytes, sent_bytes, payload_bytes)

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
      recorder: Takes what did not leave whole.
      metrics: Counts.
      log: Takes lines; None writes nothing.
    """

    def __init__(
        self, world: LiveWorld, recorder: Recorder, metrics: Metrics, log: AccessLog | None
    ) -> None:
        self._world = world
        self._started_at = world.started_at
        self._recorder = recorder
        self._metrics = metrics
        self._log = log
        self._written: list[Served] = []
        self._draining: dict[LinkId, tuple[LiveLink, Served, Address, float, float, float]] = {}
        """In the order in which they were sent: that of the dictionary."""
        self._looks = False
        self._unacknowledged = bytearray(4)
        self._addresses: dict[Address, bytes] = {}

    def asks_again(self, link: LinkId, now: float) -> bool:
        """A client has what was sent to it before. Whether that was not known yet."""
        self._recorder.asks_again(link)
        draining = self._draining.pop(link, None)
        if draining is None:
            return False
        _, served, remote, received, found, sent = draining
        self._write_soon(served, (remote, received, found, sent, now))
        return True

    def add(
        self,
        link: LiveLink,
        remote: Address,
        served: Served,
        received: float,
        found: float,
        *,
        all_sent: bool,
        rested: bool,
    ) -> None:
        """Take one request, answered just now. `rested`: its client had everything before it asked."""
        sent = time.monotonic() - self._started_at
        if not all_sent:
            transaction = served.transaction(received, found, sent)
            self._recorder.done(link.id, remote, transaction, complete=link.fileno >= 0)
        elif rested and self._has_drained(link):
            self._write_soon(served, (remote, received, found, sent, sent))
        else:
            self._draining[link.id] = (link, served, remote, received, found, sent)
            if not self._looks:
                self._looks = True
                self._world.call_at(sent + LOOK_SECONDS, self._look)

    def _has_drained(self, link: LiveLink) -> bool:
        if link.fileno < 0:
            return True  # Its client left, and has it all or never will.
        unacknowledged = self._unacknowledged
        fcntl.ioctl(link.fileno, _OUTQ, unacknowledged)
        return unacknowledged == _NOTHING

    def _look(self) -> None:
        """See who has taken what was sent a while ago."""
        now = self._world.now()
        drained = []
        for link_id, (link, _, _, _, _, sent) in self._draining.items():
            if now - sent < LOOK_SECONDS:
                break
            if self._has_drained(link) or now - sent > GIVE_UP_SECONDS:
                drained.append(link_id)
        for link_id in drained:
            self.asks_again(link_id, now)
        self._looks = bool(self._draining)
        if self._looks:
            self._world.call_at(now + LOOK_SECONDS, self._look)

    def _write_soon(self, served: Served, times: tuple[Address, float, float, float, float]) -> None:
        if not served.times:
            if not self._written:
                self._world.call_at(times[-1], self.write)
            self._written.append(served)
        served.times.append(times)

    def close(self) -> None:
        """Write all that is left."""
        now = self._world.now()
        for link in list(self._draining):
            self.asks_again(link, now)
        self.write()

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
                times,
            )
            if self._log is not None:
                self._log.add_lines(self._lines(self._log, served, times))

    def _lines(
        self,
        log: AccessLog,
        served: Served,
        times: list[tuple[Address, float, float, float, float]],
    ) -> list[bytes]:
        started, unix = log.started_at, log.unix_offset
        line_format = served.line_format
        addresses = self._addresses
        lines = []
        for remote, received, found, sent, drained in times:
            at = started + received
            who = addresses.get(remote) or self._address(remote)
            steps = (found - received, sent - found, drained - sent, drained - received)
            lines.append(line_format % (at + unix, at, who, *steps))
        return lines

    def _address(self, remote: Address) -> bytes:
        if len(self._addresses) >= ADDRESSES_KEPT:
            self._addresses.clear()
        who = self._addresses[remote] = b'"remote":"%s","port":%d,' % (remote[0].encode(), remote[1])
        return who
