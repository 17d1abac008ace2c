"""The peer: a node that downloads a torrent and passes on every piece it has verified.

Downloading. A piece is asked for whole, from one peer at a time, when that peer unchokes; which one
is the picker's choice. A peer that is unchoked and has nothing to ask for says NOT INTERESTED, so
that the grant goes to somebody else at once.

Uploading. `serving` says who; this module sends one block at a time, the next one when the uplink
is free, to the first of those being served whose link has room.

HAVE goes to peers that lack the piece; those who have it would never ask for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from peers.core.bitfield import piece_space
from peers.core.introduction import TRACKER_WIRE, Introduction
from peers.core.picker import RarestFirst
from peers.core.progress import PieceProgress
from peers.core.serving import LAPSE_SECONDS, PATIENCE_SECONDS, RotatingGrants
from peers.core.session import FAST_ONLY, Phase, Session
from peers.messages import (
    FAST_RESERVED,
    AllowedFast,
    Bitfield,
    Block,
    Cancel,
    Choke,
    Extended,
    Handshake,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    NotInterested,
    Port,
    RejectRequest,
    Request,
    SuggestPiece,
    Unchoke,
)
from peers.torrent import BLOCK_BYTES, Torrent
from testbed.errors import ProtocolViolation
from testbed.node import (
    Address,
    Departed,
    DialFailed,
    Effect,
    Event,
    Finished,
    HangUp,
    LinkDown,
    LinkId,
    LinkUp,
    Observe,
    Received,
    Send,
    Started,
    Stopping,
    Tally,
    Transfer,
    Woken,
    Writable,
)
from testbed.storage import Storage, StorageFault

#: How often the peer looks after timeouts, lapsed grants and its neighbours.
TICK_SECONDS = 0.5

#: A request unanswered for so long, with nothing else coming from that peer, is taken elsewhere.
REQUEST_SECONDS = 20.0

#: BEP 3 asks for a message every two minutes; peers drop a link that is silent for longer.
KEEP_ALIVE_SECONDS = 100.0
SILENCE_SECONDS = 240.0
HANDSHAKE_SECONDS = 10.0

#: Pieces a peer asks for at a time. Each waits for the downlink behind those asked for before it, and
#: can be passed on only when it is whole: with 256 peers on slow lines no limit gave efficiency .69,
#: 8 gave .80, and 4 starved the downlink.
PIECES_IN_FLIGHT = 8

#: Blocks one peer may have waiting here; 4 MiB of promises.
QUEUE_LIMIT = 256

#: A seed takes so many links for each grant: nobody sends it HAVE, so they cost next to nothing, and
#: with fewer it runs out of peers who want something and can take it.
SEED_LINKS_A_GRANT = 4

#: Ask for the next piece when so few blocks are on their way: one keeps the line full without delay.
REQUEST_AHEAD_BLOCKS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConfig:
    """What a peer is told before it starts."""

    peer_id: bytes
    """20 bytes (BEP 20)."""
    neighbours: int = 20
    """It keeps at most so many links, and dials up to half of them itself."""
    grants: int = 2
    """Peers served at a time: 2 among equal links, 2 uplink / downlink where receivers are slower."""
    request_ahead_blocks: int = REQUEST_AHEAD_BLOCKS
    """Blocks on their way from one peer below which it is asked for more; more with delay."""
    pieces_in_flight: int = PIECES_IN_FLIGHT
    """Pieces asked for at a time, from all peers; more with delay."""
    lapse_seconds: float = LAPSE_SECONDS
    tracker: Address | None = None
    announce_path: str = "/announce"


class PeerNode:
    """One peer of a swarm, seed or leecher."""

    def __init__(
        self,
        config: PeerConfig,
        torrent: Torrent,
        storage: Storage,
        rng: Random,
        *,
        held: int = 0,
        verify: Callable[[int, Any], bool] | None = None,
    ) -> None:
        """Make a peer. `held`: how many pieces lie verified in storage, as a `PieceSpace` set.

        `verify(piece, parts)` replaces `Torrent.verify` where content is shared and cannot differ.
        """
        self.tally = Tally()
        self._config = config
        self._torrent = torrent
        self._storage = storage
        self._verify: Callable[[int, Any], bool] = verify or torrent.verify
        self._space = space = piece_space(torrent.piece_count)
        self._ours = held
        self._missing = space.all & ~held
        self._in_flight = 0
        self._progress: dict[int, PieceProgress] = {}
        self._picker = RarestFirst(space, rng)
        self._serving = RotatingGrants(config.grants, space.count, rng)
        self._introduction = Introduction(config, torrent.info_hash)
        self._sessions: dict[LinkId, Session] = {}
        self._by_peer_id: dict[bytes, Session] = {}
        self._uplink_busy = False
        self._stopping = False
        self._finished = not self._missing
        self._next_tick: float | None = None
        self._look_again: float | None = None
        self._next_keep_alive = KEEP_ALIVE_SECONDS
        self.tally.pieces_held = held.bit_count()

    # --- The node contract ------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event and say what should happen."""
        out: list[Effect] = []
        self._ON_EVENT[type(event)](self, event, now, out)
        return out

    @property
    def deadline(self) -> float | None:
        """The next look after timeouts, or sooner, after a grant that nobody uses."""
        look_again, tick = self._look_again, self._next_tick
        if look_again is None or tick is None or tick < look_again:
            return tick
        return look_again

    @property
    def is_complete(self) -> bool:
        """Whether every piece is here and verified."""
        return not self._missing

    @property
    def left_bytes(self) -> int:
        """How much of the file is not here yet."""
        return sum(map(self._torrent.piece_size, self._space.indices(self._missing)))

    @property
    def missing_pieces(self) -> list[int]:
        """Which pieces are not here yet."""
        return self._space.indices(self._missing)

    @property
    def peers_connected(self) -> int:
        """Links that are open to other peers."""
        return len(self._by_peer_id)

    # --- Coming and going -------------------------------------------------------------------

    def _started(self, event: Started, now: float, out: list[Effect]) -> None:
        self._next_tick = now + TICK_SECONDS
        self._next_keep_alive = now + KEEP_ALIVE_SECONDS
        self._introduction.started(event.address, now)
        self._meet(now, out)
        if self._finished:
            out.append(Finished(True))

    def _stop(self, event: Stopping, now: float, out: list[Effect]) -> None:
        self._stopping = True
        self._next_tick = self._look_again = None

    def _link_up(self, event: LinkUp, now: float, out: list[Effect]) -> None:
        if event.wire == TRACKER_WIRE:
            introduction, peer_id = self._introduction, self._config.peer_id
            out.extend(introduction.tracker_up(event.link, peer_id, self.left_bytes, now))
            return
        self._introduction.dialled(event.remote)
        limit = self._config.neighbours
        if not self._missing:
            limit = max(limit, SEED_LINKS_A_GRANT * self._config.grants)
        if self._stopping or (not event.dialled and len(self._sessions) >= limit):
            out.append(HangUp(event.link, "enough neighbours"))
            return
        session = Session(event.link, event.remote, dialled=event.dialled, now=now)
        self._serving.newcomer(session)
        self._sessions[event.link] = session
        if event.dialled:
            out.append(Send(event.link, self._handshake()))

    def _link_down(self, event: LinkDown, now: float, out: list[Effect]) -> None:
        session = self._sessions.get(event.link)
        if session is None:
            self._introduction.tracker_down(event.link, now)
            return
        self._forget(session, now, out)

    def _dial_failed(self, event: DialFailed, now: float, out: list[Effect]) -> None:
        if event.wire == TRACKER_WIRE:
            self._introduction.tracker_failed(now)
        else:
            self._introduction.dialled(event.remote)
            self._meet(now, out)

    def _meet(self, now: float, out: list[Effect]) -> None:
        """Announce if it is time, and dial as many peers as are missing."""
        if not self._stopping:
            leeching = not self._finished
            out.extend(self._introduction.orders(self._sessions.values(), now, leeching=leeching))

    def _hang_up(
        self, session: Session, reason: str, now: float, out: list[Effect], *, violation: bool
    ) -> None:
        out.append(HangUp(session.link, reason, violation))
        self._forget(session, now, out)

    def _forget(self, session: Session, now: float, out: list[Effect]) -> None:
        del self._sessions[session.link]
        if self._by_peer_id.get(session.peer_id) is session:
            del self._by_peer_id[session.peer_id]
        self._picker.peer_left(session.counted)
        self._serving.end(session)
        session.queue.clear()
        self._release_all(session, now, out)
        self._fill_grants(now, out)
        self._pump(now, out)
        if not self._finished:
            self._meet(now, out)

    # --- Messages ---------------------------------------------------------------------------

    def _received(self, event: Received, now: float, out: list[Effect]) -> None:
        session = self._sessions.get(event.link)
        if session is None:
            links = len(self._sessions)
            if self._introduction.tracker_answered(event.link, event.message, links, now):
                out.append(HangUp(event.link, "answered"))
                if self._next_tick is not None:
                    self._next_tick = min(self._next_tick, self._introduction.due)
                self._meet(now, out)
            return
        message = event.message
        kind: type = type(message)
        try:
            phase = session.next_phases.get(kind)
            if phase is None or (kind in FAST_ONLY and not session.fast):
                raise ProtocolViolation(reason=f"{kind.__name__} while {session.phase.value}")
            if phase is not session.phase:
                session.enter(phase)
            session.heard_at = now
            self._ON_MESSAGE[kind](self, session, message, now, out)
        except ProtocolViolation as violation:
            self._hang_up(session, violation.reason, now, out, violation=True)

    def _ignore(self, session: Session, message: object, now: float, out: list[Effect]) -> None:
        """Messages that tell this peer nothing it uses."""

    def _handshake(self) -> Handshake:
        return Handshake(self._torrent.info_hash, self._config.peer_id, FAST_RESERVED)

    def _on_handshake(
        self, session: Session, message: Handshake, now: float, out: list[Effect]
    ) -> None:
        if message.info_hash != self._torrent.info_hash:
            raise ProtocolViolation(reason="another torrent")
        if message.peer_id == self._config.peer_id:
            self._hang_up(session, "myself", now, out, violation=False)
            return
        twin = self._by_peer_id.get(message.peer_id)
        if twin is not None:
            # Both dialled at once. Both keep the link that the smaller id dialled.
            ours_is_kept = self._config.peer_id < message.peer_id
            if session.dialled == ours_is_kept and twin.dialled != session.dialled:
                self._hang_up(twin, "twin", now, out, violation=False)
            else:
                self._hang_up(session, "twin", now, out, violation=False)
                return
        session.peer_id = message.peer_id
        session.fast = message.supports_fast
        self._by_peer_id[message.peer_id] = session
        if not session.dialled:
            out.append(Send(session.link, self._handshake()))
        if session.fast and not self._missing:
            out.append(Send(session.link, HaveAll()))
        elif session.fast and not self._ours:
            out.append(Send(session.link, HaveNone()))
        elif self._ours:
            out.append(Send(session.link, Bitfield(self._space.to_wire(self._ours))))

    def _on_bitfield(self, session: Session, message: Bitfield, now: float, out: list[Effect]) -> None:
        self._learn(session, self._space.from_wire(message.bits), out)

    def _on_have_all(self, session: Session, message: HaveAll, now: float, out: list[Effect]) -> None:
        self._learn(session, self._space.all, out)

    def _learn(self, session: Session, pieces: int, out: list[Effect]) -> None:
        session.pieces = pieces
        if pieces != self._space.all:
            session.counted = pieces
            self._picker.peer_joined(pieces)
        self._tell_interest(session, out)

    def _on_have(self, session: Session, message: Have, now: float, out: list[Effect]) -> None:
        piece = message.piece
        if piece >= self._space.count:
            raise ProtocolViolation(reason="piece out of range")
        bit = self._space.bits[piece]
        if session.pieces & bit:
            return
        session.pieces |= bit
        session.counted |= bit
        self._picker.peer_has(piece)
        if bit & self._missing & ~self._in_flight:
            if not session.am_interested:
                session.am_interested = True
                out.append(Send(session.link, Interested()))
            if not session.peer_choking:
                self._ask(session, now, out)

    # --- Downloading ------------------------------------------------------------------------

    def _tell_interest(self, session: Session, out: list[Effect]) -> None:
        if not session.am_interested and session.pieces & self._missing & ~self._in_flight:
            session.am_interested = True
            out.append(Send(session.link, Interested()))

    def _on_unchoke(self, session: Session, message: Unchoke, now: float, out: list[Effect]) -> None:
        session.peer_choking = session.put_off = False
        self._ask(session, now, out)

    def _on_choke(self, session: Session, message: Choke, now: float, out: list[Effect]) -> None:
        session.peer_choking = True
        if not session.fast:
            self._release_all(session, now, out)  # BEP 3: a choke cancels all that was asked.

    def _on_reject(
        self, session: Session, message: RejectRequest, now: float, out: list[Effect]
    ) -> None:
        if session.outstanding.pop((message.piece, message.begin), None) is None:
            return
        session.put_off = True
        if not any(piece == message.piece for piece, _ in session.outstanding):
            self._release(message.piece, session, now, out)

    def _ask(self, session: Session, now: float, out: list[Effect]) -> None:
        """Ask an unchoked peer for pieces until enough is on its way."""
        if self._stopping or session.put_off:
            return
        outstanding = session.outstanding
        while not session.peer_choking and len(outstanding) <= self._config.request_ahead_blocks:
            wanted = session.pieces & self._missing & ~self._in_flight
            if not wanted or self._in_flight.bit_count() >= self._config.pieces_in_flight:
                if not outstanding and session.am_interested:
                    session.am_interested = False
                    session.put_off = True
                    out.append(Send(session.link, NotInterested()))
                return
            piece = self._picker.pick(wanted)
            progress = self._progress.get(piece)
            blocks = self._torrent.blocks_of(piece)
            if progress is None:
                progress = self._progress[piece] = PieceProgress(len(blocks))
            progress.owner = session
            progress.asked_at = now
            self._in_flight |= self._space.bits[piece]
            for part, (begin, length) in zip(progress.parts, blocks, strict=True):
                if part is None:
                    outstanding[piece, begin] = now
                    self.tally.requests_made += 1
                    out.append(Send(session.link, Request(piece, begin, length)))

    def _release_all(self, session: Session, now: float, out: list[Effect]) -> None:
        pieces = dict.fromkeys(piece for piece, _ in session.outstanding)
        session.outstanding.clear()
        for piece in pieces:
            self._release(piece, session, now, out)

    def _release(self, piece: int, session: Session, now: float, out: list[Effect]) -> None:
        """Nobody is asked for this piece any more: others may be."""
        progress = self._progress.get(piece)
        if progress is None or progress.owner is not session:
            return
        progress.owner = None
        if progress.remaining == len(progress.parts):
            del self._progress[piece]
        self._in_flight &= ~self._space.bits[piece]
        self._look_elsewhere(session, now, out)
        if session.link in self._sessions:
            self._tell_interest(session, out)

    def _look_elsewhere(self, session: Session, now: float, out: list[Effect]) -> None:
        """A piece is free again, and a place in flight: any other may have something to ask for now."""
        for other in self._sessions.values():
            if other is not session:
                self._tell_interest(other, out)
                if not other.peer_choking and not other.outstanding:
                    self._ask(other, now, out)

    def _on_block(self, session: Session, message: Block, now: float, out: list[Effect]) -> None:
        piece = message.piece
        if session.outstanding.pop((piece, message.begin), None) is None:
            # Asked for, taken elsewhere after a timeout, and come after all; or never asked for.
            self.tally.wasted_payload_bytes += message.length
            return
        progress = self._progress[piece]
        place = message.begin // BLOCK_BYTES
        if message.length != self._torrent.blocks_of(piece)[place][1]:
            raise ProtocolViolation(reason="block of wrong length")
        progress.parts[place] = message.payload
        progress.sources.add(session.peer_id)
        if progress.first_byte_at is None:
            progress.first_byte_at = now
        progress.remaining -= 1
        if not progress.remaining:
            self._complete(piece, progress, session, now, out)
        elif (piece, message.begin + message.length) not in session.outstanding and not any(
            asked == piece for asked, _ in session.outstanding
        ):
            self._release(piece, session, now, out)  # The rest of it was refused.
        if session.link in self._sessions:
            self._ask(session, now, out)

    def _complete(
        self, piece: int, progress: PieceProgress, session: Session, now: float, out: list[Effect]
    ) -> None:
        """Verify a piece, keep it, and tell those who lack it."""
        del self._progress[piece]
        bit = self._space.bits[piece]
        self._in_flight &= ~bit
        size = self._torrent.piece_size(piece)
        parts = [part for part in progress.parts if part is not None]
        if not self._verify(piece, parts):
            self.tally.wasted_payload_bytes += size
            self._look_elsewhere(session, now, out)
            raise ProtocolViolation(reason="corrupt piece")
        try:
            self._storage.write(piece * self._torrent.piece_bytes, parts)
        except StorageFault as fault:
            self._stopping = True
            out.append(Finished(False, fault.reason))
            return
        self._ours |= bit
        self._missing &= ~bit
        self.tally.pieces_held += 1
        first = progress.first_byte_at
        transfer = Transfer(
            unit="piece",
            index=piece,
            source=session.remote,
            scheduled_seconds=progress.asked_at,
            started_seconds=progress.asked_at,
            first_byte_seconds=now if first is None else first,
            finished_seconds=now,
            payload_bytes=size,
            outcome="ok",
        )
        out.append(Observe(transfer))
        have, missing = Have(piece), self._missing
        has_place_again = self._in_flight.bit_count() == self._config.pieces_in_flight - 1
        for other in self._sessions.values():
            if not other.pieces & bit and other.phase is not Phase.AWAITING_HANDSHAKE:
                out.append(Send(other.link, have))
            if has_place_again:
                self._tell_interest(other, out)
            if other.am_interested and not other.pieces & missing:
                other.am_interested = False
                other.put_off = True
                out.append(Send(other.link, NotInterested()))
        if not missing and not self._finished:
            self._finished = True
            out.append(Finished(True))
            self._introduction.completed()
            self._meet(now, out)
        self._fill_grants(now, out)
        self._pump(now, out)

    # --- Uploading --------------------------------------------------------------------------

    def _on_interested(
        self, session: Session, message: Interested, now: float, out: list[Effect]
    ) -> None:
        session.peer_interested = True
        self._fill_grants(now, out)

    def _on_not_interested(
        self, session: Session, message: NotInterested, now: float, out: list[Effect]
    ) -> None:
        session.peer_interested = False
        if session.granted and not session.queue:
            self._end_grant(session, now, out)

    def _on_request(self, session: Session, message: Request, now: float, out: list[Effect]) -> None:
        piece, begin, length = message.piece, message.begin, message.length
        if piece >= self._space.count or not 0 < length <= 8 * BLOCK_BYTES:
            raise ProtocolViolation(reason="request out of range")
        size = self._torrent.piece_size(piece)
        if begin + length > size:
            raise ProtocolViolation(reason="request out of range")
        if not self._may_ask(session, piece):
            # It would wait for ever for what was refused: only a choke and a new grant wake it.
            session.refused = True
            if session.fast:
                out.append(Send(session.link, RejectRequest(piece, begin, length)))
            return
        session.granted_piece = piece
        session.queue.append(message)
        if (
            session.fast
            and begin + length == size
            and self._serving.waiting(self._sessions.values(), self._ours) is not None
        ):
            session.am_choking = True
            out.append(Send(session.link, Choke()))
        self._pump(now, out)

    def _may_ask(self, session: Session, piece: int) -> bool:
        """Whether a request fits the peer's grant: one piece, or more while nobody waits."""
        if session.am_choking or self._stopping or len(session.queue) >= QUEUE_LIMIT:
            return False
        if not self._ours & self._space.bits[piece]:
            return False
        return (
            session.granted_piece in (-1, piece)
            or self._serving.waiting(self._sessions.values(), self._ours) is None
        )

    def _on_cancel(self, session: Session, message: Cancel, now: float, out: list[Effect]) -> None:
        request = Request(message.piece, message.begin, message.length)
        if request in session.queue:
            session.queue.remove(request)
            if session.fast:
                reject = RejectRequest(message.piece, message.begin, message.length)
                out.append(Send(session.link, reject))

    def _fill_grants(self, now: float, out: list[Effect]) -> None:
        """Serve more peers if the uplink needs them."""
        serving = self._serving
        while not self._stopping and serving.room(now):
            session = serving.waiting(self._sessions.values(), self._ours)
            if session is None:
                return
            serving.grant(session, now)
            session.am_choking = False
            out.append(Send(session.link, Unchoke()))

    def _end_grant(self, session: Session, now: float, out: list[Effect]) -> None:
        self._serving.end(session)
        if not session.am_choking:
            session.am_choking = True
            out.append(Send(session.link, Choke()))
        self._fill_grants(now, out)

    def _departed(self, event: Departed, now: float, out: list[Effect]) -> None:
        self._uplink_busy = False
        session = self._sessions.get(event.link)
        if session is not None:
            session.writable = event.writable
        self._pump(now, out)

    def _writable(self, event: Writable, now: float, out: list[Effect]) -> None:
        session = self._sessions.get(event.link)
        if session is not None:
            session.writable = True
            self._pump(now, out)

    def _pump(self, now: float, out: list[Effect]) -> None:
        """Send the next block, if the uplink is free and somebody is owed one."""
        if self._uplink_busy or self._stopping:
            return
        for session in self._serving.granted:
            if session.writable and session.queue:
                break
        else:
            self._fill_grants(now, out)
            if self._serving.granted:
                self._look_again = now + PATIENCE_SECONDS
            return
        request = session.queue.pop(0)
        piece, begin, length = request.piece, request.begin, request.length
        offset = piece * self._torrent.piece_bytes + begin
        try:
            payload = self._storage.read(offset, length)
        except StorageFault:
            self._hang_up(session, "storage failed", now, out, violation=False)
            return
        self._uplink_busy = True
        self._look_again = None
        session.granted_at = now
        self.tally.requests_served += 1
        out.append(Send(session.link, Block(piece, begin, length, payload)))
        queue = session.queue
        if queue and queue[0].piece == piece:
            return
        if queue or begin + length == self._torrent.piece_size(piece):
            self._piece_served(session, now, out)

    def _piece_served(self, session: Session, now: float, out: list[Effect]) -> None:
        """The last block of a piece was sent: the next peer, or if nobody waits, the next piece."""
        serving = self._serving
        if session.am_choking:
            if not session.queue:
                serving.end(session)
                self._fill_grants(now, out)
        elif not session.queue and (session.refused or not session.peer_interested):
            self._end_grant(session, now, out)
        elif serving.waiting(self._sessions.values(), self._ours) is None:
            serving.rotate(session)
        elif not session.queue:
            self._end_grant(session, now, out)
        elif session.fast:
            session.am_choking = True
            out.append(Send(session.link, Choke()))

    # --- Time -------------------------------------------------------------------------------

    def _woken(self, event: Woken, now: float, out: list[Effect]) -> None:
        if self._look_again is not None and now >= self._look_again:
            self._look_again = None
            self._fill_grants(now, out)
        if self._next_tick is None or now < self._next_tick:
            return
        self._next_tick = now + TICK_SECONDS
        keep_alive = now >= self._next_keep_alive
        if keep_alive:
            self._next_keep_alive = now + KEEP_ALIVE_SECONDS
        for session in list(self._sessions.values()):
            self._look_after(session, keep_alive, now, out)
        self._fill_grants(now, out)
        self._pump(now, out)
        self._meet(now, out)

    def _look_after(self, session: Session, keep_alive: bool, now: float, out: list[Effect]) -> None:
        silent = now - session.heard_at
        if session.phase is Phase.AWAITING_HANDSHAKE and silent > HANDSHAKE_SECONDS:
            self._hang_up(session, "no handshake", now, out, violation=False)
            return
        if silent > SILENCE_SECONDS:
            self._hang_up(session, "silent", now, out, violation=False)
            return
        if keep_alive and session.phase is Phase.OPEN:
            out.append(Send(session.link, KeepAlive()))
        unused = session.granted and not session.queue
        lapsed = unused and now - session.granted_at > self._config.lapse_seconds
        if lapsed and self._serving.waiting(self._sessions.values(), self._ours) is not None:
            self._end_grant(session, now, out)
        session.put_off = False
        if not session.outstanding and not session.peer_choking:
            self._ask(session, now, out)
        if session.outstanding and silent > REQUEST_SECONDS:
            for (piece, begin), asked_at in list(session.outstanding.items()):
                if now - asked_at > REQUEST_SECONDS:
                    length = self._torrent.blocks_of(piece)[begin // BLOCK_BYTES][1]
                    out.append(Send(session.link, Cancel(piece, begin, length)))
            self._release_all(session, now, out)

    #: One table for all peers: tables of bound methods take 3 KB a peer.
    _ON_EVENT: ClassVar[dict[type, Callable[..., None]]] = {
        Received: _received,
        Departed: _departed,
        Writable: _writable,
        LinkUp: _link_up,
        LinkDown: _link_down,
        DialFailed: _dial_failed,
        Woken: _woken,
        Started: _started,
        Stopping: _stop,
    }
    _ON_MESSAGE: ClassVar[dict[type, Callable[..., None]]] = {
        Have: _on_have,
        Request: _on_request,
        Block: _on_block,
        Unchoke: _on_unchoke,
        Choke: _on_choke,
        Interested: _on_interested,
        NotInterested: _on_not_interested,
        RejectRequest: _on_reject,
        Cancel: _on_cancel,
        Handshake: _on_handshake,
        Bitfield: _on_bitfield,
        HaveAll: _on_have_all,
        HaveNone: _ignore,
        KeepAlive: _ignore,
        Port: _ignore,
        SuggestPiece: _ignore,
        AllowedFast: _ignore,
        Extended: _ignore,
    }
