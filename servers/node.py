"""The file host: answers requests, and decides whose bytes leave next.

A transaction has four steps (`servers.transaction`): the request arrives; the host interprets it and
finds the file; the response leaves; the client takes it. The second is a matter of the method
(`servers.interpreter`); the third is where the uplink is shared (`servers.sender`). The node is the
middle of a star: it alone calls the parts it is made of.

Answers leave in the order of the requests, an error's too: what was asked for properly before it is
sent first. A response is complete when its link has room again: then all of it is with the kernel,
and hanging up cannot cut it off.
"""

from __future__ import annotations

from servers.answers import Answer, refusal
from servers.connection import Connection
from servers.door import Door
from servers.envelope import Envelope
from servers.http1 import BadRequest, Body, BodyEnd, Headers, Request, RequestBegun
from servers.interpreter import Interpreter, tell_to_continue
from servers.limits import PIPELINE_LIMIT, Limits
from servers.methods import Methods
from servers.sender import Sender
from servers.settings import Sharing
from servers.transaction import Transaction, Watch, server_timing
from servers.waiting import POLL_SECONDS, Delayed, Waiting
from testbed.node import (
    Address,
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
from testbed.storage import StorageFault

#: A shaped response leaves in blocks of this size: the grain of fairness. 2 ms at 8 MiB/s.
BLOCK_BYTES = 16 * 1024

#: How often connections are looked at that may have waited too long.
TICK_SECONDS = 1.0


class FileHost:
    """A node that serves files.

    Args:
      methods: Who answers GET, PUT and so on; OPTIONS is answered here.
      envelope: What every answer says.
      sharing: How the uplink is shared among responses.
      block_bytes: Grain of a shaped uplink; None for an unlimited one.
      limits: What clients may do.
      finishes: Whether transactions that have begun are finished after `Stopping`.
      encodes: Whether answers may be bytes already; only where nothing but bytes arrives (live).
      service_delay_seconds: Added to every request, between finding and sending: experiment E1.
      watch: Who keeps the record of transactions.
    """

    def __init__(
        self,
        methods: Methods,
        envelope: Envelope,
        sharing: Sharing = "fair",
        block_bytes: int | None = BLOCK_BYTES,
        limits: Limits | None = None,
        *,
        finishes: bool = False,
        encodes: bool = False,
        service_delay_seconds: float = 0.0,
        watch: Watch | None = None,
    ) -> None:
        self.tally = Tally(pieces_held=1)
        self._interpreter = Interpreter(methods)
        self._limits = limits or Limits()
        self._finishes = finishes
        self._delay_seconds = service_delay_seconds
        self._watch = watch
        self._stopping = False
        self._connections: dict[LinkId, Connection] = {}
        self._door = Door(self._limits)
        self._sender = Sender(envelope, sharing, block_bytes, encodes=encodes)
        self._waiting = Waiting()
        self._next_tick: float | None = None

    @property
    def deadline(self) -> float | None:
        """The next look after connections that wait, for us or we for them."""
        look, tick = self._waiting.next_at, self._next_tick
        return look if tick is None or (look is not None and look < tick) else tick

    @property
    def is_idle(self) -> bool:
        """Whether no transaction is under way."""
        return not any(c.current or c.queue for c in self._connections.values())

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self._door.total

    def resting(self, link: LinkId) -> Connection | None:
        """The connection of a link if it waits for nothing but the client's next request."""
        connection = self._connections.get(link)
        if connection is None or connection.refusing or connection.current is not None:
            return None
        return None if connection.queue or connection.taking is not None else connection

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event and say what should happen."""
        out: list[Effect] = []
        match event:
            case Received(link, message):
                connection = self._connections.get(link)
                if connection is not None and not connection.refusing:
                    self._received(link, connection, message, now, out)
            case Departed(link, writable):
                self._sender.uplink_busy = False
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
            case LinkUp(link, remote):
                self._come(link, remote, now, out)
            case LinkDown(link):
                self._forget(link)
            case Woken():
                self._look_after_waiting(now, out)
                self._close_overdue(now, out)
            case Stopping():
                self._stop(out)
        if self._finishes or not self._stopping:
            while (failed := self._sender.pump(self._connections, out)) is not None:
                self._cut(failed, out)
        return out

    # --- Requests ---------------------------------------------------------------------------

    def _received(
        self, link: LinkId, connection: Connection, message: object, now: float, out: list[Effect]
    ) -> None:
        if isinstance(message, (Request, BadRequest)):
            if not self._stopping:
                self._ask(link, connection, message, now, out)
        elif isinstance(message, Body):
            if self._interpreter.take_body(connection, message, now):
                self._answer_next(link, connection, now, out)
        elif isinstance(message, BodyEnd):
            transaction, connection.taking = connection.taking, None
            if transaction is not None:
                transaction.is_whole = True
                transaction.received = now
                self._answer_next(link, connection, now, out)
        elif isinstance(message, RequestBegun):
            connection.begun_at = now

    def _ask(
        self,
        link: LinkId,
        connection: Connection,
        request: Request | BadRequest,
        now: float,
        out: list[Effect],
    ) -> None:
        connection.has_asked = True
        if len(connection.queue) == PIPELINE_LIMIT:
            request = BadRequest(429, "too many requests in a row")
        begun = connection.begun_at
        connection.begun_at = None
        transaction = Transaction(request, now if begun is None else begun, now)
        if isinstance(request, BadRequest):
            self._interpreter.abandon_body(connection)
            connection.refusing = True
        elif request.body_bytes:
            self._interpreter.begin_body(connection, transaction, request, now)
        connection.queue.append(transaction)
        self._answer_next(link, connection, now, out)

    def _answer_next(self, link: LinkId, connection: Connection, now: float, out: list[Effect]) -> None:
        """Answer requests in their order until one is not whole, or its answer takes a while."""
        while connection.queue and connection.current is None:
            transaction = connection.queue[0]
            if not transaction.is_whole and transaction.answer is None:
                tell_to_continue(link, transaction, out)
                return
            connection.current = connection.queue.popleft()
            outcome = self._interpreter.outcome(transaction, now)
            if isinstance(outcome, Answer) and not self._delay_seconds:
                self._respond(link, connection, transaction, outcome, now, out)
            else:
                connection.later = Delayed(outcome, now + self._delay_seconds)
                self._waiting.look_at(now + (self._delay_seconds or POLL_SECONDS), link)

    def _look_after_waiting(self, now: float, out: list[Effect]) -> None:
        """Send the answers that were worked out meanwhile."""
        for link in self._waiting.take_due(now):
            connection = self._connections.get(link)
            if connection is None or connection.later is None or connection.current is None:
                continue
            answer = connection.later.poll(now)
            if answer is None:
                self._waiting.look_at(now + POLL_SECONDS, link)
                continue
            connection.later = None
            self._respond(link, connection, connection.current, answer, now, out)
            self._answer_next(link, connection, now, out)

    # --- Responses --------------------------------------------------------------------------

    def _respond(
        self,
        link: LinkId,
        connection: Connection,
        transaction: Transaction,
        answer: Answer,
        now: float,
        out: list[Effect],
    ) -> None:
        request = transaction.request
        transaction.found = now if self._watch is None else self._watch.now()
        timing: Headers = ()
        closing = self._stopping or (connection.refusing and not connection.queue)
        if isinstance(request, Request):
            closing = closing or not request.keep_alive
            if request.prefers_timing:
                timing = (("Server-Timing", server_timing(transaction, connection.previous)),)
        connection.closing = closing
        try:
            self._sender.begin(link, connection, transaction, answer, now, out, timing)
        except StorageFault:
            self._cut(link, out)
            return
        if not answer.segments:
            self._finish(link, connection, transaction.found, out)

    def _go_on(self, link: LinkId, connection: Connection, now: float, out: list[Effect]) -> None:
        """Let a link with room send on, or take its next request if all has left."""
        if connection.current is None:
            return
        try:
            all_left = self._sender.go_on(link, connection, connection.current, out)
        except StorageFault:
            self._cut(link, out)
            return
        if all_left:
            self._finish(link, connection, now, out)
            self._answer_next(link, connection, now, out)

    def _cut(self, link: LinkId, out: list[Effect]) -> None:
        """The head promised more than there is: only a cut says so (RFC 9112 section 8)."""
        self._hang_up(link, "storage failed", out)

    def _finish(self, link: LinkId, connection: Connection, now: float, out: list[Effect]) -> None:
        """A response is with the kernel, all of it."""
        transaction, connection.current, connection.response = connection.current, None, None
        assert transaction is not None  # Only what was begun is finished.
        transaction.sent = transaction.drained = now
        connection.previous = transaction
        connection.active_at = now
        self.tally.requests_served += 1
        if self._watch is not None:
            self._watch.done(link, connection.remote, transaction, complete=True)
        if connection.closing or self._stopping:
            request = transaction.request
            if isinstance(request, BadRequest):
                self._hang_up(link, request.reason, out, violation=True)
            else:
                self._hang_up(link, "answered", out)

    # --- Coming and going -------------------------------------------------------------------

    def _come(self, link: LinkId, remote: Address, now: float, out: list[Effect]) -> None:
        connection = self._connections[link] = Connection(remote, now)
        refused = self._door.let_in(remote)
        if refused is not None:
            self._refuse(link, connection, refused, now, out)
        elif self._stopping and self._finishes:
            self._hang_up(link, "stopping", out)
        elif self._next_tick is None and not self._stopping:
            self._next_tick = now + TICK_SECONDS

    def _refuse(
        self,
        link: LinkId,
        connection: Connection,
        bad: BadRequest,
        now: float,
        out: list[Effect],
        *,
        violation: bool = True,
    ) -> None:
        """Answer a client that has not asked, and end its connection."""
        head = self._sender.head(refusal(bad), now, closing=True)
        out.append(Send(link, head))
        if self._watch is not None:
            begun = now if connection.begun_at is None else connection.begun_at
            transaction = Transaction(bad, begun, now)
            transaction.status = head.status
            transaction.sent_bytes = head.size_bytes
            self._watch.done(link, connection.remote, transaction, complete=True)
        self._hang_up(link, bad.reason, out, violation=violation)

    def _hang_up(
        self, link: LinkId, reason: str, out: list[Effect], *, violation: bool = False
    ) -> None:
        self._forget(link)
        out.append(HangUp(link, reason, violation))

    def _forget(self, link: LinkId) -> None:
        connection = self._connections.pop(link, None)
        if connection is None:
            return
        self._sender.leave(link)
        self._door.let_out(connection.remote)
        self._interpreter.abandon_body(connection)
        if connection.later is not None:
            connection.later.abandon()
        transaction, connection.current = connection.current, None
        if transaction is not None and self._watch is not None:
            transaction.sent = transaction.drained = self._watch.now()
            self._watch.done(link, connection.remote, transaction, complete=False)
        connection.queue.clear()

    def _close_overdue(self, now: float, out: list[Effect]) -> None:
        if self._next_tick is None or now < self._next_tick:
            return
        for link, connection in list(self._connections.items()):
            overdue = connection.overdue(self._limits, now)
            if overdue is None:
                continue
            if overdue.reason:
                # No violation before a first byte: browsers open connections that they may need.
                violation = connection.taking is not None or connection.begun_at is not None
                self._refuse(link, connection, overdue, now, out, violation=violation)
            else:
                self._hang_up(link, "idle", out)
        self._next_tick = now + TICK_SECONDS if self._connections else None

    def _stop(self, out: list[Effect]) -> None:
        self._stopping = True
        self._next_tick = None
        if self._finishes:
            for link, connection in list(self._connections.items()):
                if connection.current is None and not connection.queue:
                    self._hang_up(link, "stopping", out)
