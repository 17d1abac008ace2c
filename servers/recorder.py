"""Keeps what the file host did: finds out when connections drained, counts, and writes the log.

When the kernel has taken a response, its last bytes may still be on their way. `SIOCOUTQ` says how
much the other side has not acknowledged; while that is not zero the socket is looked at again every
`LOOK_SECONDS`. A client that asks again on the same connection, or leaves, has it all or never will.
A microsecond for each response on loopback, where nearly all have drained when they are sent.
"""

from __future__ import annotations

import fcntl
import sys
import termios
from collections.abc import Callable
from typing import Protocol

import trio

from servers.access_log import AccessLog
from servers.http1 import BadRequest
from servers.metrics import Metrics
from servers.transaction import Transaction
from testbed.node import Address, LinkId

#: How exactly the fourth step of a large response is known.
LOOK_SECONDS = 0.002

#: A response that the other side does not acknowledge for so long is given up waiting for.
GIVE_UP_SECONDS = 30.0

_OUTQ = termios.TIOCOUTQ  # SIOCOUTQ has the same number, on sockets.


class HasFileno(Protocol):
    """A link on a real socket."""

    fileno: int


class Recorder:
    """A `Watch` of one host.

    Args:
      now: Seconds since the trial began.
      socket_of: Has the descriptor of a link's socket, which is negative once that is closed.
      metrics: Counts; None counts nothing.
      log: Takes lines; None writes nothing.
    """

    def __init__(
        self,
        now: Callable[[], float],
        socket_of: Callable[[LinkId], HasFileno | None],
        metrics: Metrics | None,
        log: AccessLog | None,
    ) -> None:
        self.now = now
        self._socket_of = socket_of
        self._metrics = metrics
        self._log = log
        self._draining: dict[LinkId, tuple[HasFileno, Address, Transaction]] = {}
        self._buffer = bytearray(4)
        self._begun_to_drain = trio.Event()

    def done(self, link: LinkId, remote: Address, transaction: Transaction, *, complete: bool) -> None:
        """Take a transaction; keep it until its connection has drained."""
        if self._draining:
            self._settle(link)
        if complete and transaction.payload_bytes:
            sock = self._socket_of(link)
            if sock is not None and self._unacknowledged(sock):
                self._draining[link] = (sock, remote, transaction)
                self._begun_to_drain.set()
                return
        self._keep(remote, transaction, complete=complete)

    def asks_again(self, link: LinkId) -> None:
        """What was sent on this link before has arrived: its client asked for something else."""
        if self._draining:
            self._settle(link)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look after connections that drain, until cancelled."""
        task_status.started()
        while True:
            await self._begun_to_drain.wait()
            await trio.sleep(LOOK_SECONDS)
            self.look()
            if not self._draining:
                self._begun_to_drain = trio.Event()

    def look(self) -> None:
        """Keep the transactions whose connections have drained by now."""
        now = self.now()
        for link, (sock, _, transaction) in list(self._draining.items()):
            if not self._unacknowledged(sock) or now - transaction.sent > GIVE_UP_SECONDS:
                self._settle(link)

    def close(self) -> None:
        """Keep all that is left."""
        for link in list(self._draining):
            self._settle(link)

    def _settle(self, link: LinkId) -> None:
        waiting = self._draining.pop(link, None)
        if waiting is not None:
            _, remote, transaction = waiting
            transaction.drained = self.now()
            self._keep(remote, transaction, complete=True)

    def _unacknowledged(self, sock: HasFileno) -> int:
        if sock.fileno < 0:
            return 0
        try:
            fcntl.ioctl(sock.fileno, _OUTQ, self._buffer)
        except OSError:
            return 0
        return int.from_bytes(self._buffer, sys.byteorder)

    def _keep(self, remote: Address, transaction: Transaction, *, complete: bool) -> None:
        request = transaction.request
        if self._metrics is not None:
            method = "" if isinstance(request, BadRequest) else request.method
            self._metrics.count(transaction, method, complete=complete)
        if self._log is not None:
            self._log.add(remote, transaction, complete=complete)
