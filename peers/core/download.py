"""The half of a peer that fetches: whom to ask for what, and what to do with what comes.

A piece is asked for whole, from one peer at a time, when that peer unchokes; which one is the
picker's choice. A peer that is unchoked and has nothing to ask for says NOT INTERESTED, so that the
grant goes to somebody else at once. HAVE goes to peers that lack the piece: those who have it would
never ask for it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from peers.core.picker import PICKERS, Picker
from peers.core.progress import PieceProgress
from peers.core.session import NOTHING_ASKED, Phase, Session
from peers.core.state import TOLD_TOGETHER, PeerState
from peers.messages import (
    INTERESTED,
    NOT_INTERESTED,
    Block,
    BlockRun,
    Have,
    HaveMany,
    RejectRequest,
    Request,
    RequestRun,
    SuggestPiece,
)
from peers.torrent import BLOCK_BYTES
from testbed.errors import ProtocolViolation
from testbed.node import Effect, FileSlice, LinkId, Observe, Send, SendEach, Transfer
from testbed.storage import StorageFault

CORRUPT_PIECE = "corrupt piece"
"""The reason by which a peer is known that sent a whole piece, all by itself, with a wrong hash."""


EARLIER_SOURCE = LinkId(-1)
"""Who sent blocks to the peer that was here before: nobody who is linked now is to blame for them."""


class Download:
    """Fetches the pieces that are missing.

    Args:
      state: What is shared with the other half.
      rng: The peer's own.
      on_piece: Called when one more piece can be passed on.
    """

    __slots__ = (
        "_heard",
        "_on_piece",
        "_picker",
        "_progress",
        "_returns_grants",
        "_state",
        "_suspect",
    )

    def __init__(
        self, state: PeerState, rng: Random, on_piece: Callable[[float, list[Effect]], None]
    ) -> None:
        self._state = state
        self._on_piece = on_piece
        self._picker: Picker = PICKERS[state.config.picking](state.space, rng)
        self._heard = 0
        """Pieces that peers were heard to have since copies were last counted, as a set."""
        self._returns_grants = state.config.returns_grants
        self._progress: dict[int, PieceProgress] = {}
        self._suspect: set[int] = set()
        """Pieces that were corrupt with several sources: now each is taken whole from one."""

    def take_up(self, before: Download) -> None:
        """Go on with the blocks that an earlier peer had of pieces that are not whole."""
        state = self._state
        self._suspect |= before._suspect
        for piece, progress in before._progress.items():
            if progress.remaining == len(progress.parts):
                continue
            if piece in self._suspect:
                sizes = (length for _, length in state.blocks[piece])
                came = zip(progress.parts, sizes, strict=True)
                state.tally.wasted_payload_bytes += sum(n for part, n in came if part is not None)
            elif state.missing & state.space.bits[piece]:
                kept = self._progress[piece] = PieceProgress(len(progress.parts))
                kept.parts = list(progress.parts)
                kept.remaining = progress.remaining
                kept.first_byte_at = progress.first_byte_at
                kept.sources = (EARLIER_SOURCE,)

    # --- What others have -------------------------------------------------------------------

    def learn(self, session: Session, pieces: int, out: list[Effect]) -> None:
        """The peer has said what it holds, once or again; what it had it still has."""
        new = pieces & ~session.pieces
        session.pieces |= pieces
        if session.pieces != self._state.space.all:
            self._picker.peer_joined(new)
        else:
            session.uncounted |= new
        self._tell_interest(session, out)

    def on_have(self, session: Session, message: Have, now: float, out: list[Effect]) -> None:
        """The peer holds one more piece."""
        state = self._state
        try:
            bit = state.space.bits[message.piece]
        except IndexError:
            raise ProtocolViolation(reason="piece out of range") from None
        pieces = session.pieces
        if pieces & bit:
            return
        session.pieces = pieces | bit
        # Half of all messages are HAVE, six for each choice. So copies are counted for many pieces at
        # once: when there is one more of a piece that waits already, or before the next choice.
        heard = self._heard
        if heard & bit:
            self._picker.peers_have(heard)
            self._heard = bit
        else:
            self._heard = heard | bit
        if (state.unasked if self._returns_grants else state.missing) & bit:
            if not session.am_interested:
                session.am_interested = True
                out.append(Send(session.link, INTERESTED))
            if not session.peer_choking:
                self.ask(session, now, out)

    def on_have_many(self, session: Session, message: HaveMany, now: float, out: list[Effect]) -> None:
        """The peer holds several more pieces."""
        state = self._state
        if message.width != state.space.width or message.held & ~state.space.all:
            raise ProtocolViolation(reason="piece out of range")
        pieces = session.pieces
        new = message.held & ~pieces
        session.pieces = pieces | new
        heard = self._heard
        if heard & new:
            self._picker.peers_have(heard)
            self._heard = new
        else:
            self._heard = heard | new
        if (state.unasked if self._returns_grants else state.missing) & new:
            if not session.am_interested:
                session.am_interested = True
                out.append(Send(session.link, INTERESTED))
            if not session.peer_choking:
                self.ask(session, now, out)

    def _count_heard(self) -> None:
        """Let the picker know of all that was heard."""
        self._picker.peers_have(self._heard)
        self._heard = 0

    def forget(self, session: Session, now: float, out: list[Effect]) -> None:
        """The peer is gone: its copies do not count, and what it was asked for is free again."""
        self._count_heard()
        self._picker.peer_left(session.pieces & ~session.uncounted)
        self.release_all(session, now, out)

    def _tell_interest(self, session: Session, out: list[Effect]) -> None:
        if not session.am_interested and session.pieces & self._of_interest():
            session.am_interested = True
            out.append(Send(session.link, INTERESTED))

    def _of_interest(self) -> int:
        """The pieces for which it is worth being unchoked."""
        state = self._state
        return state.unasked if self._returns_grants else state.missing

    # --- Asking -----------------------------------------------------------------------------

    def on_unchoke(self, session: Session, message: object, now: float, out: list[Effect]) -> None:
        """It grants us a piece."""
        session.peer_choking = False
        session.put_off = now < session.slow_until
        self.ask(session, now, out)

    def on_choke(self, session: Session, message: object, now: float, out: list[Effect]) -> None:
        """The grant is used up."""
        session.peer_choking = True
        if not session.fast:
            self.release_all(session, now, out)  # BEP 3: a choke cancels all that was asked.

    def on_suggest(
        self, session: Session, message: SuggestPiece, now: float, out: list[Effect]
    ) -> None:
        """It would rather send this piece than another (BEP 6)."""
        if message.piece >= self._state.space.count:
            raise ProtocolViolation(reason="piece out of range")
        session.suggested = self._state.space.bits[message.piece]

    def on_reject(
        self, session: Session, message: RejectRequest, now: float, out: list[Effect]
    ) -> None:
        """It will not send a block that it was asked for (BEP 6)."""
        if session.outstanding.pop((message.piece, message.begin), None) is None:
            return
        session.put_off = session.one_at_a_time = True
        if not any(piece == message.piece for piece, _ in session.outstanding):
            self._release(message.piece, session, now, out)

    def ask(self, session: Session, now: float, out: list[Effect]) -> None:
        """Ask an unchoked peer for pieces until enough is on its way."""
        state = self._state
        if state.stopping or session.put_off:
            return
        outstanding, config = session.outstanding, state.config
        while not session.peer_choking and len(outstanding) <= config.request_ahead_blocks:
            if outstanding and session.one_at_a_time:
                return
            wanted = session.pieces & state.unasked
            if not wanted or state.in_flight.bit_count() >= state.in_flight_limit:
                if not outstanding and session.am_interested and self._returns_grants:
                    self._lose_interest(session, out)
                return
            if self._heard:
                self._count_heard()
            piece = self._picker.pick(wanted, session.suggested)
            progress = self._progress.get(piece)
            blocks = state.blocks[piece]
            if progress is None:
                progress = self._progress[piece] = PieceProgress(len(blocks))
            progress.owner = session
            progress.asked_at = now
            bit = state.space.bits[piece]
            state.in_flight |= bit
            state.unasked &= ~bit
            if not outstanding:
                outstanding = session.outstanding = {}
                session.block_at = now
            if config.in_runs:
                self._ask_in_runs(session, piece, progress, now, out)
                continue
            for part, (begin, length) in zip(progress.parts, blocks, strict=True):
                if part is None:
                    outstanding[piece, begin] = now
                    state.tally.requests_made += 1
                    out.append(Send(session.link, Request(piece, begin, length)))

    def _ask_in_runs(
        self, session: Session, piece: int, progress: PieceProgress, now: float, out: list[Effect]
    ) -> None:
        """Ask for all that is missing of a piece, what is in a row in one message."""
        start = None
        for place, part in enumerate(progress.parts):
            if part is None:
                session.outstanding[piece, place * BLOCK_BYTES] = now
                self._state.tally.requests_made += 1
                start = place if start is None else start
            elif start is not None:
                out.append(Send(session.link, self._run(piece, start, place)))
                start = None
        if start is not None:
            out.append(Send(session.link, self._run(piece, start, len(progress.parts))))

    def _run(self, piece: int, start: int, end: int) -> RequestRun:
        size = min(end * BLOCK_BYTES, self._state.sizes[piece])
        return RequestRun(piece, start * BLOCK_BYTES, size - start * BLOCK_BYTES)

    def too_slow(self, session: Session, now: float) -> bool:
        """Whether the end of the download waits for this peer, and others could be asked instead.

        That is, a piece has been on its way for as long as a request may take, and will be for as long
        again. Only when nothing else is to be asked for: until then a slow peer holds up nothing.
        """
        state = self._state
        if state.unasked or not session.outstanding:
            return False
        piece, _ = next(iter(session.outstanding))
        progress = self._progress[piece]
        elapsed = now - progress.asked_at
        came = len(progress.parts) - progress.remaining
        longest = state.config.request_seconds
        if elapsed <= longest or elapsed * progress.remaining <= longest * came:
            return False
        bit = state.space.bits[piece]
        return any(
            other.pieces & bit and other.slow_until <= now and not other.unanswered
            for other in state.sessions.values()
            if other is not session
        )

    @staticmethod
    def _lose_interest(session: Session, out: list[Effect]) -> None:
        session.am_interested = False
        session.put_off = True
        out.append(Send(session.link, NOT_INTERESTED))

    def release_all(self, session: Session, now: float, out: list[Effect]) -> None:
        """The peer will not send what it was asked for: others may be asked."""
        pieces = dict.fromkeys(piece for piece, _ in session.outstanding)
        session.outstanding.clear()
        for piece in pieces:
            self._release(piece, session, now, out)

    def _release(self, piece: int, session: Session, now: float, out: list[Effect]) -> None:
        state = self._state
        progress = self._progress.get(piece)
        if progress is None or progress.owner is not session:
            return
        progress.owner = None
        if progress.remaining == len(progress.parts):
            del self._progress[piece]
        elif piece in self._suspect:
            lengths = [length for _, length in state.blocks[piece]]
            parts = zip(progress.parts, lengths, strict=True)
            came = sum(length for part, length in parts if part is not None)
            state.tally.wasted_payload_bytes += came
            del self._progress[piece]
        bit = state.space.bits[piece]
        state.in_flight &= ~bit
        state.unasked |= bit
        self._look_elsewhere(session, now, out)
        if session.link in state.sessions:
            self._tell_interest(session, out)

    def _look_elsewhere(self, session: Session, now: float, out: list[Effect]) -> None:
        """A piece is free again, and a place in flight: any other may have something to ask for now."""
        for other in self._state.sessions.values():
            if other is not session:
                if not other.am_interested:
                    self._tell_interest(other, out)
                if not other.peer_choking and not other.outstanding:
                    self.ask(other, now, out)

    # --- Taking what comes ------------------------------------------------------------------

    def on_block(self, session: Session, message: Block, now: float, out: list[Effect]) -> None:
        """A block has come."""
        state = self._state
        piece = message.piece
        if session.outstanding.pop((piece, message.begin), None) is None:
            # Asked for, taken elsewhere after a timeout, and come after all; or never asked for.
            state.tally.wasted_payload_bytes += message.length
            return
        progress = self._progress[piece]
        place = message.begin // BLOCK_BYTES
        if message.length != state.blocks[piece][place][1]:
            raise ProtocolViolation(reason="block of wrong length")
        session.received_payload_bytes += message.length
        session.block_at = now
        session.unanswered = 0
        progress.parts[place] = message.payload
        if session.link not in progress.sources:
            progress.sources += (session.link,)
        if progress.first_byte_at is None:
            progress.first_byte_at = now
        progress.remaining -= 1
        if not progress.remaining:
            self._complete(piece, progress, session, now, out)
        elif (piece, message.begin + message.length) not in session.outstanding and not any(
            asked == piece for asked, _ in session.outstanding
        ):
            self._release(piece, session, now, out)  # The rest of it was refused.
        if session.link in state.sessions:
            if not session.peer_choking:
                session.one_at_a_time = False  # Nobody else waits there, or it would have choked.
                self.ask(session, now, out)
            if not session.outstanding:
                session.outstanding = NOTHING_ASKED

    def on_blocks(self, session: Session, message: BlockRun, now: float, out: list[Effect]) -> None:
        """Several blocks have come. All but the last are kept as one part, the others of them empty."""
        piece, outstanding = message.piece, session.outstanding
        keys = [(piece, begin) for begin in range(message.begin, message.end, BLOCK_BYTES)]
        progress, payload = self._progress.get(piece), message.payload
        if progress is None or isinstance(payload, FileSlice) or not outstanding.keys() >= set(keys):
            for block in message.blocks():
                if session.link in self._state.sessions:
                    self.on_block(session, block, now, out)
            return
        before = (len(keys) - 1) * BLOCK_BYTES
        for key in keys[:-1]:
            del outstanding[key]
            progress.parts[key[1] // BLOCK_BYTES] = b""
        progress.parts[message.begin // BLOCK_BYTES] = payload[:before]
        progress.remaining -= len(keys) - 1
        session.received_payload_bytes += before
        last = Block(piece, message.begin + before, message.length - before, payload[before:])
        self.on_block(session, last, now, out)

    def _complete(
        self, piece: int, progress: PieceProgress, session: Session, now: float, out: list[Effect]
    ) -> None:
        """Verify a piece, keep it, and tell those who lack it."""
        state = self._state
        del self._progress[piece]
        bit = state.space.bits[piece]
        was_full = state.in_flight.bit_count() >= state.in_flight_limit
        state.in_flight &= ~bit
        size = state.sizes[piece]
        parts = [part for part in progress.parts if part]  # Of a run only the first is not empty.
        if not state.verify(piece, parts):
            state.tally.wasted_payload_bytes += size
            state.unasked |= bit
            self._look_elsewhere(session, now, out)
            if len(progress.sources) == 1:
                raise ProtocolViolation(reason=CORRUPT_PIECE)
            self._suspect.add(piece)  # Who of them it was shows when one alone sends all of it.
            return
        self._suspect.discard(piece)
        if state.fault:
            return  # What follows a write that failed would be written beside it.
        try:
            state.storage.write(piece * state.torrent.piece_bytes, parts)
        except StorageFault as fault:
            state.fail(fault.reason, out)
            return
        state.ours |= bit
        state.missing &= ~bit
        state.limit_in_flight()
        state.tally.pieces_held += 1
        out.append(Observe(_transfer(piece, size, progress, session, now)))
        self._tell_others(piece, was_full, out)
        self._on_piece(now, out)

    def _tell_others(self, piece: int, was_full: bool, out: list[Effect]) -> None:
        state = self._state
        bit, missing, everything = state.space.bits[piece], state.missing, state.space.all
        tells_later = state.tells_later
        to_tell: list[LinkId] = []
        out.append(SendEach(to_tell, Have(piece)))
        for other in state.sessions.values():
            pieces = other.pieces
            if not pieces & bit:
                if tells_later and other.am_choking and other.peer_interested:
                    other.untold = untold = other.untold | bit
                    if untold.bit_count() >= TOLD_TOGETHER:
                        state.tell(other, out)
                elif other.phase is not Phase.AWAITING_HANDSHAKE:
                    to_tell.append(other.link)
            elif not pieces & missing:
                # It has the piece and would not ask for it. But who has nothing more for us may be a
                # super-seeding origin (BEP 16), which waits to hear of it before its next offer.
                if other.am_interested:
                    self._lose_interest(other, out)
                if pieces != everything and other.phase is not Phase.AWAITING_HANDSHAKE:
                    to_tell.append(other.link)
        if was_full and state.in_flight.bit_count() < state.in_flight_limit:
            of_interest = self._of_interest()
            for other in state.sessions.values():
                if not other.am_interested and other.pieces & of_interest:
                    other.am_interested = True
                    out.append(Send(other.link, INTERESTED))


def _transfer(
    piece: int, size_bytes: int, progress: PieceProgress, session: Session, now: float
) -> Transfer:
    first = progress.first_byte_at
    return Transfer(
        unit="piece",
        index=piece,
        source=session.remote,
        scheduled_seconds=progress.asked_at,
        started_seconds=progress.asked_at,
        first_byte_seconds=now if first is None else first,
        finished_seconds=now,
        payload_bytes=size_bytes,
        outcome="ok",
    )
