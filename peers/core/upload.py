"""The half of a peer that serves: one block at a time, the next when the uplink is free.

`serving` says who may ask; this module keeps what was asked for, and sends it to the first of those
being served whose link has room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from random import Random

from peers.core.choking import Everybody, UnchokeSlots
from peers.core.serving import RotatingGrants, Serving
from peers.core.session import NOTHING_PROMISED, Session
from peers.core.state import HangUpOrder, PeerConfig, PeerState
from peers.core.suggesting import FreshPieces
from peers.messages import (
    CHOKE,
    UNCHOKE,
    Block,
    BlockRun,
    Cancel,
    RejectRequest,
    Request,
    RequestRun,
    SuggestPiece,
    blocks_in,
)
from peers.torrent import BLOCK_BYTES
from testbed.errors import ProtocolViolation
from testbed.node import Departed, Effect, Send, Writable
from testbed.storage import StorageFault

#: Other clients ask for up to 128 KiB at a time.
REQUEST_LIMIT_BYTES = 8 * BLOCK_BYTES

#: Sent at a time where no line paces: so much that what is done once for each costs nothing, and so
#: little that one peer's does not hold up the others'.
RUN_BYTES = 64 * BLOCK_BYTES


#: How a serving policy is made, by its name in a scenario; the first is the default.
SERVINGS: Mapping[str, Callable[[PeerConfig, int, Random], Serving]] = {
    "rotating grants": lambda config, pieces, rng: RotatingGrants(
        config.grants, pieces, rng, config.patience_seconds
    ),
    "unchoke slots": lambda config, pieces, rng: UnchokeSlots(config.unchoke_slots, rng),
    "everybody": lambda config, pieces, rng: Everybody(),
}


class Upload:
    """Passes on the pieces that are here.

    Args:
      state: What is shared with the other half.
      rng: The peer's own.
      hang_up: Ends a connection that cannot be served.
      on_look_again: Called when `look_again` changes.
    """

    __slots__ = (
        "_fresh",
        "_hang_up",
        "_on_look_again",
        "_serving",
        "_state",
        "_uplink_busy",
        "look_again",
    )

    def __init__(
        self,
        state: PeerState,
        rng: Random,
        hang_up: HangUpOrder,
        on_look_again: Callable[[float | None], None],
    ) -> None:
        self._state = state
        self._hang_up = hang_up
        self._on_look_again = on_look_again
        self._serving = SERVINGS[state.config.serving](state.config, state.space.count, rng)
        self._fresh: FreshPieces | None = None
        """What to suggest: of a peer that has the whole file at the start, until all of it was sent."""
        if self._serving.suggests and not state.missing:
            self._fresh = FreshPieces(state.space, rng)
        self._uplink_busy = False
        self.look_again: float | None = None
        """When to look whether the grants that were given are being used."""

    # --- Connections ------------------------------------------------------------------------

    def newcomer(self, session: Session) -> None:
        """A peer has come."""
        self._serving.newcomer(session)

    def forget(self, session: Session) -> None:
        """A peer is gone."""
        session.peer_interested = False
        self._serving.end(session)
        session.queue.clear()

    def on_interested(self, session: Session, message: object, now: float, out: list[Effect]) -> None:
        """It would like a grant."""
        session.peer_interested = True
        self._serving.wants(session)
        self.review(now, out)
        self.fill_grants(now, out)

    def on_not_interested(
        self, session: Session, message: object, now: float, out: list[Effect]
    ) -> None:
        """It has no use for a grant now."""
        session.peer_interested = False
        if session.untold:
            self._state.tell(session, out)
        if session.granted and not session.queue:
            self._end_grant(session, now, out)

    # --- Requests ---------------------------------------------------------------------------

    def on_request(self, session: Session, message: Request, now: float, out: list[Effect]) -> None:
        """It asks for a block: promise or refuse it."""
        if message.length > REQUEST_LIMIT_BYTES:
            raise ProtocolViolation(reason="request out of range")
        self._promise_or_refuse(session, message, now, out)

    def on_requests(self, session: Session, message: RequestRun, now: float, out: list[Effect]) -> None:
        """It asks for several blocks: where no line paces, they are one promise."""
        if self._state.config.in_runs:
            self._promise_or_refuse(session, message, now, out)
            return
        for request in message.requests():
            if session.link in self._state.sessions:
                self._promise_or_refuse(session, request, now, out)

    def _promise_or_refuse(
        self, session: Session, message: Request | RequestRun, now: float, out: list[Effect]
    ) -> None:
        piece, begin, length = message.piece, message.begin, message.length
        if piece >= self._state.space.count or not length:
            raise ProtocolViolation(reason="request out of range")
        size = self._state.torrent.piece_size(piece)
        if begin + length > size:
            raise ProtocolViolation(reason="request out of range")
        if not self._may_ask(session, piece):
            # It would wait for ever for what was refused: only a choke and a new grant wake it.
            refused = tuple(_one_by_one(message))
            session.refused += len(refused)
            a_piece = -(-self._state.torrent.piece_bytes // BLOCK_BYTES)
            if session.refused > max(self._state.config.limits.refused_requests, 4 * a_piece):
                raise ProtocolViolation(reason="flood of requests")
            if session.fast:
                for one in refused:
                    reject = RejectRequest(one.piece, one.begin, one.length)
                    out.append(Send(session.link, reject))
            return
        session.granted_piece = piece
        if session.queue:
            session.queue.append(message)
        else:
            session.queue = [message]
        if session.fast and begin + length == size and self._anybody_waits():
            session.am_choking = True
            out.append(Send(session.link, CHOKE))
        self.pump(now, out)

    def _may_ask(self, session: Session, piece: int) -> bool:
        """Whether a request fits the peer's grant: one piece, or more while nobody waits."""
        state = self._state
        if session.am_choking or state.stopping:
            return False
        if len(session.queue) >= state.config.limits.request_queue:
            state.hit("request queue full")
            return False
        if not state.ours & state.space.bits[piece]:
            return False
        return session.granted_piece in (-1, piece) or not self._anybody_waits()

    def on_cancel(self, session: Session, message: Cancel, now: float, out: list[Effect]) -> None:
        """It no longer wants a block."""
        request = Request(message.piece, message.begin, message.length)
        if any(type(promised) is RequestRun for promised in session.queue):
            session.queue = [one for promised in session.queue for one in _one_by_one(promised)]
        if request in session.queue:
            session.queue.remove(request)
            if session.fast:
                reject = RejectRequest(message.piece, message.begin, message.length)
                out.append(Send(session.link, reject))

    # --- Grants -----------------------------------------------------------------------------

    def _next_in_line(self) -> Session | None:
        return self._serving.waiting(self._state.sessions.values(), self._state.ours)

    def _anybody_waits(self) -> bool:
        return self._serving.anybody_waits(self._state.sessions.values(), self._state.ours)

    def fill_grants(self, now: float, out: list[Effect]) -> None:
        """Serve more peers if the uplink needs them."""
        serving = self._serving
        while not self._state.stopping and serving.room(now):
            session = self._next_in_line()
            if session is None:
                return
            if self._fresh is not None:
                self._suggest(session, self._fresh, out)
            serving.grant(session, now)
            session.am_choking = False
            if session.untold:
                self._state.tell(session, out)
            out.append(Send(session.link, UNCHOKE))

    def suggest_nothing(self) -> None:
        """Leave it to the peers what to ask for."""
        self._fresh = None

    def _suggest(self, session: Session, fresh: FreshPieces, out: list[Effect]) -> None:
        if not session.fast:
            return
        piece = fresh.suggest(session, self._state.sessions.values(), self._serving.granted)
        if piece is not None:
            out.append(Send(session.link, SuggestPiece(piece)))

    def review(self, now: float, out: list[Effect]) -> None:
        """Choke those who have no claim to be served any more."""
        state, serving = self._state, self._serving
        sessions = state.sessions.values()
        for session in serving.surplus(sessions, now, seeding=not state.missing):
            session.am_choking = True
            out.append(Send(session.link, CHOKE))
            if not session.fast:
                session.queue.clear()  # BEP 3: a choke cancels all that was asked.
            if not session.queue:
                serving.end(session)

    def _end_grant(self, session: Session, now: float, out: list[Effect]) -> None:
        self._serving.end(session)
        if not session.am_choking:
            session.am_choking = True
            out.append(Send(session.link, CHOKE))
        self.fill_grants(now, out)

    def look_after(self, session: Session, now: float, out: list[Effect]) -> None:
        """Give a grant that has not been used for long to somebody who waits."""
        unused = session.granted and not session.queue
        lapsed = unused and now - session.granted_at > self._state.config.lapse_seconds
        if lapsed and self._anybody_waits():
            self._end_grant(session, now, out)

    def look_at_grants(self, now: float, out: list[Effect]) -> None:
        """The time to look again has come: unused grants no longer count."""
        self.look_at(None)
        self.fill_grants(now, out)

    def look_at(self, when: float | None) -> None:
        """Set the time to look again; None: no need."""
        if when is not self.look_again:
            self.look_again = when
            self._on_look_again(when)

    # --- The uplink -------------------------------------------------------------------------

    def on_departed(self, event: Departed, now: float, out: list[Effect]) -> None:
        """The uplink is free."""
        self._uplink_busy = False
        session = self._state.sessions.get(event.link)
        if session is not None:
            session.writable = event.writable
        self.pump(now, out)

    def on_writable(self, event: Writable, now: float, out: list[Effect]) -> None:
        """A link has room again."""
        session = self._state.sessions.get(event.link)
        if session is not None:
            session.writable = True
            self.pump(now, out)

    def pump(self, now: float, out: list[Effect]) -> None:
        """Send the next block, if the uplink is free and somebody is owed one."""
        state = self._state
        if self._uplink_busy or state.stopping:
            return
        for session in self._serving.granted:
            if session.writable and session.queue:
                break
        else:
            self.fill_grants(now, out)
            if self._serving.granted:
                self.look_at(now + state.config.patience_seconds)
            return
        request = session.queue.pop(0)
        piece, begin, length = request.piece, request.begin, request.length
        if type(request) is RequestRun and length > RUN_BYTES:
            session.queue.insert(0, RequestRun(piece, begin + RUN_BYTES, length - RUN_BYTES))
            length = RUN_BYTES
        if not session.queue:
            session.queue = NOTHING_PROMISED
        try:
            payload = state.storage.read(piece * state.torrent.piece_bytes + begin, length)
        except StorageFault as fault:
            # What else it would read may be wrong as well: serve nobody any more, and say why.
            state.fail(fault.reason, out)
            self._hang_up(session, "storage failed", now, out)
            return
        self._uplink_busy = True
        if self.look_again is not None:
            self.look_at(None)
        session.granted_at = now
        state.tally.requests_served += 1 if type(request) is Request else blocks_in(length)
        session.sent_payload_bytes += length
        if self._fresh is not None:
            self._fresh.sent(piece)
            if self._fresh.all_sent:
                self._fresh = None
        if self._serving.shares_blocks:
            self._serving.rotate(session)
        kind = Block if type(request) is Request else BlockRun
        out.append(Send(session.link, kind(piece, begin, length, payload)))
        queue = session.queue
        if queue and queue[0].piece == piece:
            return
        if queue or begin + length == state.sizes[piece]:
            self._piece_served(session, now, out)

    def _piece_served(self, session: Session, now: float, out: list[Effect]) -> None:
        """The last block of a piece was sent: the next peer, or if nobody waits, the next piece."""
        serving = self._serving
        if session.am_choking:
            if not session.queue:
                serving.end(session)
                self.fill_grants(now, out)
        elif not session.queue and (session.refused or not session.peer_interested):
            self._end_grant(session, now, out)
        elif not self._anybody_waits():
            serving.rotate(session)
        elif not session.queue:
            self._end_grant(session, now, out)
        elif session.fast:
            session.am_choking = True
            out.append(Send(session.link, CHOKE))


def _one_by_one(promised: Request | RequestRun) -> Iterable[Request]:
    return promised.requests() if isinstance(promised, RequestRun) else (promised,)
