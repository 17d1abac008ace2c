"""The file host: answers requests, and decides whose bytes leave next.

A transaction has four steps: the request arrives; the host interprets it and finds the file; the
response leaves; the client takes it. The third is where the uplink is shared: block by block, the
next one chosen when the last has left, round robin over the connections that have something to send
and room to send it (`fair`), or all to the one that asked first (`first come first served`). Without
a limit on the uplink there is nothing to share: a response leaves whole, by sendfile.

Answers leave in the order of the requests, an error's too: what was asked for properly before it is
sent first. A response is complete when its link has room again: then all of it is with the kernel,
and hanging up cannot cut it off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from servers.answers import Answers
from servers.files import Files
from servers.http1 import BadRequest, Body, Request
from servers.settings import Sharing
from servers.turns import Turns
from testbed.node import (
    Departed,
    Effect,
    Event,
    HangUp,
    LinkDown,
    LinkId,
    LinkUp,
    Received,
    Send,
    Stopping,
    Tally,
    Woken,
    Writable,
)
from testbed.storage import Storage, StorageFault

#: A shaped response leaves in blocks of this size: the grain of fairness. 2 ms at 8 MiB/s.
BLOCK_BYTES = 16 * 1024

#: Requests that may wait on one connection behind the one being answered.
PIPELINE_LIMIT = 64

#: A new connection has so long for its first request, which a browser sends at once.
FIRST_REQUEST_SECONDS = 10.0

#: A connection without a further request for so long is closed.
IDLE_SECONDS = 60.0

#: How often idle connections are looked for.
TICK_SECONDS = 5.0


class _Response:
    """A response whose head was sent: what of the file is still to go."""

    __slots__ = ("number", "offset", "remaining", "storage")

    def __init__(self, number: int, storage: Storage, offset: int, size_bytes: int) -> None:
        self.number = number
        self.storage = storage
        self.offset = offset
        self.remaining = size_bytes


class _Connection:
    """One client's connection: what it asked for, and what is being sent."""

    __slots__ = (
        "active_at",
        "closing",
        "has_asked",
        "in_flight",
        "refusing",
        "requests",
        "response",
        "writable",
    )

    def __init__(self, now: float) -> None:
        self.requests: deque[Request | BadRequest] = deque()
        self.response: _Response | None = None
        self.in_flight = False
        """A block of it is on its way through the uplink."""
        self.writable = True
        self.closing = False
        """The connection ends with the response under way."""
        self.refusing = False
        """An error waits for its turn to be answered; nothing is read any more."""
        self.has_asked = False
        self.active_at = now


class FileHost:
    """A node that serves files.

    Args:
      files: What there is.
      sharing: How the uplink is shared among responses.
      block_bytes: Grain of a shaped uplink; None for an unlimited one.
      wall_clock: Unix time, for the Date header. Nothing is decided by it.
      finishes: Whether responses that have begun are finished after `Stopping`.
    """

    def __init__(
        self,
        files: Files,
        sharing: Sharing = "fair",
        block_bytes: int | None = BLOCK_BYTES,
        wall_clock: Callable[[], float] | None = None,
        *,
        finishes: bool = False,
    ) -> None:
        self.tally = Tally(pieces_held=1)
        self._answers = Answers(files, wall_clock)
        self._block_bytes = block_bytes
        self._finishes = finishes
        self._stopping = False
        self._connections: dict[LinkId, _Connection] = {}
        self._turns = Turns(sharing)
        self._responses_begun = 0
        self._uplink_busy = False
        self._next_tick: float | None = None

    @property
    def deadline(self) -> float | None:
        """The next look for idle connections."""
        return self._next_tick

    @property
    def is_idle(self) -> bool:
        """Whether no response is under way."""
        return all(connection.response is None for connection in self._connections.values())

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event and say what should happen."""
        out: list[Effect] = []
        match event:
            case Received(link, message):
                self._received(link, message, now, out)
            case Departed(link, writable):
                self._uplink_busy = False
                connection = self._connections.get(link)
                if connection is not None:
                    connection.in_flight = False
                    connection.writable = writable
                    self._go_on(link, connection, now, out)
            case Writable(link):
                connection = self._connections.get(link)
                if connection is not None:
                    connection.writable = True
                    self._go_on(link, connection, now, out)
            case LinkUp(link):
                self._connections[link] = _Connection(now)
                if self._next_tick is None and not self._stopping:
                    self._next_tick = now + TICK_SECONDS
            case LinkDown(link):
                self._forget(link)
            case Woken():
                self._close_idle(now, out)
            case Stopping():
                self._stop(out)
        self._pump(out)
        return out

    # --- Requests ---------------------------------------------------------------------------

    def _received(self, link: LinkId, message: object, now: float, out: list[Effect]) -> None:
        connection = self._connections.get(link)
        if connection is None or connection.refusing or self._stopping:
            return
        if not isinstance(message, (Request, BadRequest)):
            return
        connection.has_asked = True
        connection.active_at = now
        if len(connection.requests) == PIPELINE_LIMIT:
            message = BadRequest(429, "too many requests in a row")
        connection.refusing = isinstance(message, BadRequest)
        connection.requests.append(message)
        if connection.response is None:
            self._answer(link, connection, now, out)

    def _answer(self, link: LinkId, connection: _Connection, now: float, out: list[Effect]) -> None:
        """Answer requests until one has a body that must be sent in turns."""
        while connection.requests:
            request = connection.requests.popleft()
            if isinstance(request, BadRequest):
                self._refuse(link, request, now, out)
                return
            connection.closing = not request.keep_alive
            answer = self._answers.to(request, now, closing=connection.closing)
            out.append(Send(link, answer.head))
            if answer.size_bytes and answer.storage is not None:
                self._responses_begun += 1
                connection.response = _Response(
                    self._responses_begun, answer.storage, answer.offset, answer.size_bytes
                )
                self._go_on(link, connection, now, out)
                return
            self.tally.requests_served += 1
            if connection.closing:
                self._hang_up(link, "answered", out)
                return

    def _refuse(
        self, link: LinkId, bad: BadRequest, now: float, out: list[Effect], *, violation: bool = True
    ) -> None:
        out.append(Send(link, self._answers.refusal(bad, now)))
        self._hang_up(link, bad.reason, out, violation=violation)

    # --- The uplink -------------------------------------------------------------------------

    def _go_on(self, link: LinkId, connection: _Connection, now: float, out: list[Effect]) -> None:
        """Let a link with room wait for the uplink, or take its next request if all has left."""
        response = connection.response
        if response is None or connection.in_flight or not connection.writable:
            return
        if response.remaining:
            self._turns.wait(link, response.number)
            return
        connection.response = None
        connection.active_at = now
        self.tally.requests_served += 1
        if connection.closing or self._stopping:
            self._hang_up(link, "answered", out)
        else:
            self._answer(link, connection, now, out)

    def _pump(self, out: list[Effect]) -> None:
        """Send the next block, if the uplink is free and somebody is due one."""
        if self._stopping and not self._finishes:
            return
        while not self._uplink_busy and (link := self._turns.take()) is not None:
            connection = self._connections[link]
            response = connection.response
            assert response is not None  # Only responses wait for turns.
            size = min(response.remaining, self._block_bytes or response.remaining)
            try:
                payload = response.storage.read(response.offset, size)
            except StorageFault:
                # The head promised more than there is: only a cut says so (RFC 9112 section 8).
                self._hang_up(link, "storage failed", out)
                continue
            self._uplink_busy = connection.in_flight = True
            response.offset += size
            response.remaining -= size
            out.append(Send(link, Body(payload)))

    # --- Coming and going -------------------------------------------------------------------

    def _forget(self, link: LinkId) -> None:
        self._connections.pop(link, None)
        self._turns.leave(link)

    def _hang_up(
        self, link: LinkId, reason: str, out: list[Effect], *, violation: bool = False
    ) -> None:
        self._forget(link)
        out.append(HangUp(link, reason, violation))

    def _close_idle(self, now: float, out: list[Effect]) -> None:
        if self._next_tick is None or now < self._next_tick:
            return
        for link, connection in list(self._connections.items()):
            if connection.response is not None:
                continue
            idle_seconds = now - connection.active_at
            if not connection.has_asked and idle_seconds >= FIRST_REQUEST_SECONDS:
                # No violation: browsers open connections that they may need later.
                timed_out = BadRequest(408, "no request in time")
                self._refuse(link, timed_out, now, out, violation=False)
            elif idle_seconds >= IDLE_SECONDS:
                self._hang_up(link, "idle", out)
        self._next_tick = now + TICK_SECONDS if self._connections else None

    def _stop(self, out: list[Effect]) -> None:
        self._stopping = True
        self._next_tick = None
        if self._finishes:
            for link, connection in list(self._connections.items()):
                if connection.response is None:
                    self._hang_up(link, "stopping", out)
