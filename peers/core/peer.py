"""The peer: a node that downloads a torrent and passes on every piece it has verified.

This module has the connections: whom to know, handshakes, what may be said when, and time. What is
asked for is decided in `download`, who is served in `upload`, whom to dial in `introduction`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from peers.core import patience
from peers.core.bans import Bans
from peers.core.bitfield import piece_space
from peers.core.download import CORRUPT_PIECE, Download
from peers.core.extensions import Extensions
from peers.core.introduction import TRACKER_WIRE, Introduction
from peers.core.session import FAST_ONLY, TRANSITIONS, Phase, Session
from peers.core.state import PeerConfig, PeerState
from peers.core.upload import Upload
from peers.extension import RESERVED
from peers.messages import (
    FAST_RESERVED,
    INTERESTED,
    AllowedFast,
    Bitfield,
    Block,
    BlockRun,
    Cancel,
    Choke,
    Extended,
    Handshake,
    Have,
    HaveAll,
    HaveMany,
    HaveNone,
    Interested,
    KeepAlive,
    NotInterested,
    Port,
    RejectRequest,
    Request,
    RequestRun,
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
    LinkUp,
    Message,
    Received,
    Send,
    Started,
    Stopping,
    Tally,
    Woken,
    Writable,
)
from testbed.station import STALLED
from testbed.storage import Storage

#: How often the peer looks after timeouts, lapsed grants and its neighbours.
TICK_SECONDS = 0.5

#: BEP 3 asks for a message every two minutes; peers drop a link that is silent for longer.
KEEP_ALIVE_SECONDS = 100.0

#: A seed takes so many links for each grant: nobody sends it HAVE, so they cost next to nothing, and
#: with fewer it runs out of peers who want something and can take it.
SEED_LINKS_A_GRANT = 4


class PeerNode:
    """One peer of a swarm, seed or leecher."""

    __slots__ = (
        "_bans",
        "_by_peer_id",
        "_download",
        "_extensions",
        "_finished",
        "_introduction",
        "_next_keep_alive",
        "_next_tick",
        "_sessions",
        "_state",
        "_upload",
        "deadline",
        "tally",
    )

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
        """Make a peer. `held`: which pieces lie verified in storage, as a set of `PieceSpace`.

        `verify(piece, parts)` replaces `Torrent.verify` where content is shared and cannot differ.
        """
        space = piece_space(torrent.piece_count)
        self._state = PeerState(config, torrent, storage, space, held, verify or torrent.verify)
        self._sessions = self._state.sessions
        self.tally: Tally = self._state.tally
        self._download = Download(self._state, rng, self._piece_came)
        self._upload = Upload(self._state, rng, self._hang_up, self._look_again_changed)
        self._introduction = Introduction(config, torrent.info_hash)
        self._extensions: Extensions | None = None
        if config.extensions:
            self._extensions = Extensions(self._state, self._introduction.told_of, self._hang_up)
        self._bans = Bans(config.limits)
        self._by_peer_id: dict[bytes, Session] = {}
        self._finished = not self._state.missing
        self._next_tick: float | None = None
        self._next_keep_alive = KEEP_ALIVE_SECONDS
        self.deadline: float | None = None
        """The next look after timeouts, or sooner, after a grant that nobody uses."""

    # --- The node contract ------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event and say what should happen."""
        out: list[Effect] = []
        if type(event) is Received:
            session = self._sessions.get(event.link)
            if session is None:
                self._tracker_said(event, now, out)
                return out
            message = event.message
            taker = session.takers.get(type(message))
            if taker is None:
                self._received_first(session, message, now, out)
                return out
            session.heard_at = now
            uploads, method = taker
            try:
                method(self._upload if uploads else self._download, session, message, now, out)
            except ProtocolViolation as violation:
                self._violated(session, violation, now, out)
        elif type(event) is Departed:
            self._upload.on_departed(event, now, out)
        else:
            self._other_event(event, now, out)
        return out

    def _other_event(self, event: Event, now: float, out: list[Effect]) -> None:
        match event:
            case Writable():
                self._upload.on_writable(event, now, out)
            case LinkUp():
                self._link_up(event, now, out)
            case LinkDown():
                self._link_down(event, now, out)
            case DialFailed():
                self._dial_failed(event, now, out)
            case Woken():
                self._woken(now, out)
            case Started():
                self._started(event, now, out)
            case Stopping():
                self._state.stopping = True
                self._upload.look_at(None)
                self._tick_at(None)

    def _tick_at(self, when: float | None) -> None:
        self._next_tick = when
        self._look_again_changed(self._upload.look_again)

    def _look_again_changed(self, look_again: float | None) -> None:
        tick = self._next_tick
        if look_again is None or tick is None or tick < look_again:
            self.deadline = tick
        else:
            self.deadline = look_again

    @property
    def is_complete(self) -> bool:
        """Whether every piece is here and verified."""
        return not self._state.missing

    @property
    def left_bytes(self) -> int:
        """How much of the file is not here yet."""
        state = self._state
        short = state.torrent.piece_bytes - state.sizes[-1]
        last_is_missing = state.missing & state.space.bits[-1]
        whole = state.missing.bit_count() * state.torrent.piece_bytes
        return whole - short if last_is_missing else whole

    @property
    def held(self) -> int:
        """Which pieces are here and verified, as a set of `PieceSpace`."""
        return self._state.ours

    @property
    def limits_hit(self) -> dict[str, int]:
        """How often a limit was hit that ends no link for a fault of the remote, by reason."""
        return self._state.limits_hit

    def take_up(self, before: PeerNode) -> None:
        """Go on with the blocks that an earlier peer has of pieces that are not whole.

        What they are worth shows when the piece is hashed. To be called before this peer is started.
        """
        self._download.take_up(before._download)
        self.tally.go_on_from(before.tally)

    @property
    def known_addresses(self) -> tuple[Address, ...]:
        """Where other peers live, as far as this one knows, those it is linked to first."""
        linked = [one.remote for one in self._state.sessions.values() if one.dialled]
        if self._extensions is not None:
            linked += self._extensions.addresses
        return tuple(dict.fromkeys([*linked, *self._introduction.known_addresses]))

    @property
    def missing_pieces(self) -> list[int]:
        """Which pieces are not here yet."""
        return self._state.space.indices(self._state.missing)

    @property
    def peers_connected(self) -> int:
        """Links that are open to other peers."""
        return len(self._by_peer_id)

    # --- Coming and going -------------------------------------------------------------------

    def _started(self, event: Started, now: float, out: list[Effect]) -> None:
        self._tick_at(now + TICK_SECONDS)
        self._next_keep_alive = now + KEEP_ALIVE_SECONDS
        self._introduction.started(event.address, now)
        if self._extensions is not None:
            self._extensions.started(event.address)
        self._meet(now, out)
        if self._finished:
            out.append(Finished(True))

    def _link_up(self, event: LinkUp, now: float, out: list[Effect]) -> None:
        state, introduction = self._state, self._introduction
        if event.wire == TRACKER_WIRE:
            peer_id = state.config.peer_id
            out.extend(introduction.tracker_up(event.link, peer_id, self.left_bytes, now))
            return
        introduction.dialled(event.remote, reached=event.dialled)
        limit = state.config.neighbours
        if not state.missing:
            limit = max(limit, SEED_LINKS_A_GRANT * state.config.grants)
        if self._bans.knows_address(event.remote):
            state.hit("banned")
            out.append(HangUp(event.link, "banned"))
            return
        full = not event.dialled and len(state.sessions) >= limit
        if state.stopping or (full and not self._has_made_room(now, out)):
            if not state.stopping:
                state.hit("enough neighbours")
            out.append(HangUp(event.link, "enough neighbours"))
            return
        session = Session(event.link, event.remote, dialled=event.dialled, now=now)
        self._upload.newcomer(session)
        state.sessions[event.link] = session
        if event.dialled:
            out.append(Send(event.link, self._handshake()))
            if state.config.says_all_at_once and state.missing:
                # Every client takes a bitfield; who lacks pieces is interested in all that may come.
                session.told = state.ours
                session.am_interested = True
                out.append(Send(event.link, Bitfield(state.space.to_wire(state.ours))))
                out.append(Send(event.link, INTERESTED))

    def _has_made_room(self, now: float, out: list[Effect]) -> bool:
        """Part from the neighbour that has been of no use longest, if there is one."""
        useless = patience.of_least_use(self._sessions.values(), self._state.config, now)
        if useless is None:
            return False
        self._state.hit("idle")
        self._hang_up(useless, "idle", now, out)
        return True

    def _link_down(self, event: LinkDown, now: float, out: list[Effect]) -> None:
        session = self._state.sessions.get(event.link)
        if session is None:
            self._introduction.tracker_down(event.link, now)
        else:
            if event.reason == STALLED:
                self._state.hit(STALLED)
            self._forget(session, now, out)

    def _dial_failed(self, event: DialFailed, now: float, out: list[Effect]) -> None:
        if event.wire == TRACKER_WIRE:
            self._introduction.tracker_failed(now)
        else:
            self._introduction.dialled(event.remote)
            self._meet(now, out)

    def _meet(self, now: float, out: list[Effect]) -> None:
        """Announce if it is time, and dial as many peers as are missing."""
        state = self._state
        if not state.stopping:
            leeching = not self._finished
            out.extend(self._introduction.orders(state.sessions.values(), now, leeching=leeching))

    def _hang_up(self, session: Session, reason: str, now: float, out: list[Effect]) -> None:
        out.append(HangUp(session.link, reason))
        self._forget(session, now, out)

    def _forget(self, session: Session, now: float, out: list[Effect]) -> None:
        del self._state.sessions[session.link]
        if self._by_peer_id.get(session.peer_id) is session:
            del self._by_peer_id[session.peer_id]
        if self._extensions is not None:
            self._extensions.forget(session)
        self._upload.forget(session)
        self._download.forget(session, now, out)
        self._upload.fill_grants(now, out)
        self._upload.pump(now, out)
        if not self._finished:
            self._meet(now, out)

    def _piece_came(self, now: float, out: list[Effect]) -> None:
        """One more piece can be passed on; the last one makes this peer a seed."""
        if not self._state.missing and not self._finished:
            self._finished = True
            out.append(Finished(True))
            self._introduction.completed()
            if self._extensions is not None:
                self._extensions.completed(now, out)
            self._meet(now, out)
        self._upload.fill_grants(now, out)
        self._upload.pump(now, out)

    # --- Messages ---------------------------------------------------------------------------

    def _received_first(
        self, session: Session, message: Message, now: float, out: list[Effect]
    ) -> None:
        """Take a message that is not one of those that come again and again in an open session."""
        kind: type = type(message)
        try:
            phase = TRANSITIONS[session.phase].get(kind)
            if phase is None or (kind in FAST_ONLY and not session.fast):
                raise ProtocolViolation(reason=f"{kind.__name__} while {session.phase.value}")
            if phase is not session.phase:
                session.phase = phase
                if phase is Phase.OPEN:
                    session.takers = _TAKEN_FAST if session.fast else _TAKEN_PLAIN
            session.heard_at = now
            self._take(kind, session, message, now, out)
        except ProtocolViolation as violation:
            self._violated(session, violation, now, out)

    def _violated(
        self, session: Session, violation: ProtocolViolation, now: float, out: list[Effect]
    ) -> None:
        out.append(HangUp(session.link, violation.reason, violation=True))
        if violation.reason == CORRUPT_PIECE:
            self._bans.sent_corrupt_piece(session)
        self._forget(session, now, out)

    def _tracker_said(self, event: Received, now: float, out: list[Effect]) -> None:
        links = len(self._state.sessions)
        if self._introduction.tracker_answered(event.link, event.message, links, now):
            out.append(HangUp(event.link, "answered"))
            if self._next_tick is not None:
                self._tick_at(min(self._next_tick, self._introduction.due))
            self._meet(now, out)

    def _take(self, kind: type, session: Session, message: Any, now: float, out: list[Effect]) -> None:
        part = _TAKEN_BY[kind]
        if part is None:
            return  # It tells this peer nothing it uses.
        half, method = part
        method(getattr(self, half) if half else self, session, message, now, out)

    def _handshake(self) -> Handshake:
        state = self._state
        reserved = FAST_RESERVED if self._extensions is None else RESERVED
        return Handshake(state.torrent.info_hash, state.config.peer_id, reserved)

    def _on_handshake(
        self, session: Session, message: Handshake, now: float, out: list[Effect]
    ) -> None:
        state = self._state
        own_id = state.config.peer_id
        if message.info_hash != state.torrent.info_hash:
            raise ProtocolViolation(reason="another torrent")
        if message.peer_id == own_id:
            self._hang_up(session, "myself", now, out)
            return
        if self._bans.knows_id(message.peer_id):
            state.hit("banned")
            self._hang_up(session, "banned", now, out)
            return
        twin = self._by_peer_id.get(message.peer_id)
        if twin is not None:
            # Both dialled at once. Both keep the link that the smaller id dialled.
            ours_is_kept = own_id < message.peer_id
            if session.dialled == ours_is_kept and twin.dialled != session.dialled:
                self._hang_up(twin, "twin", now, out)
            else:
                self._hang_up(session, "twin", now, out)
                return
        session.peer_id = message.peer_id
        session.fast = message.supports_fast
        self._by_peer_id[message.peer_id] = session
        if not session.dialled:
            out.append(Send(session.link, self._handshake()))
        if session.told is None:
            self._say_pieces(session, out)
        else:
            since = state.space.indices(state.ours & ~session.told)
            out.extend(Send(session.link, Have(piece)) for piece in since)
        if self._extensions is not None and message.supports_extended:
            self._extensions.greet(session, now, out)

    def _say_pieces(self, session: Session, out: list[Effect]) -> None:
        """Say what is here: the first message after the handshake."""
        state = self._state
        if session.fast and not state.missing:
            out.append(Send(session.link, HaveAll()))
        elif session.fast and not state.ours:
            out.append(Send(session.link, HaveNone()))
        elif state.ours:
            out.append(Send(session.link, Bitfield(state.space.to_wire(state.ours))))

    def _on_bitfield(self, session: Session, message: Bitfield, now: float, out: list[Effect]) -> None:
        self._download.learn(session, self._state.space.from_wire(message.bits), out)

    def _on_have_all(self, session: Session, message: HaveAll, now: float, out: list[Effect]) -> None:
        self._download.learn(session, self._state.space.all, out)

    def _on_extended(self, session: Session, message: Extended, now: float, out: list[Effect]) -> None:
        if self._extensions is not None:
            self._extensions.on_extended(session, message, now, out)
            self._meet(now, out)

    # --- Time -------------------------------------------------------------------------------

    def _woken(self, now: float, out: list[Effect]) -> None:
        upload = self._upload
        if upload.look_again is not None and now >= upload.look_again:
            upload.look_at_grants(now, out)
        if self._next_tick is None or now < self._next_tick:
            return
        self._tick_at(now + TICK_SECONDS)
        keep_alive = now >= self._next_keep_alive
        if keep_alive:
            self._next_keep_alive = now + KEEP_ALIVE_SECONDS
        calm_seconds = patience.calm_seconds(self._state.config)
        for session in list(self._state.sessions.values()):
            if session.untold:
                self._state.tell(session, out)
            is_quiet = session.peer_choking and not session.granted and not session.outstanding
            if is_quiet and not keep_alive and now - session.heard_at < calm_seconds:
                session.put_off = False  # All that `_look_after` would do; most sessions are like this.
            else:
                self._look_after(session, keep_alive, now, out)
        upload.review(now, out)
        upload.fill_grants(now, out)
        upload.pump(now, out)
        if self._extensions is not None:
            self._extensions.look_after(now, out)
        self._meet(now, out)

    def _look_after(self, session: Session, keep_alive: bool, now: float, out: list[Effect]) -> None:
        config = self._state.config
        reason = patience.ends_for(session, config, now)
        if reason:
            self._state.hit(reason)
            self._hang_up(session, reason, now, out)
            return
        if keep_alive and session.phase is Phase.OPEN:
            out.append(Send(session.link, KeepAlive()))
        self._upload.look_after(session, now, out)
        if patience.may_be_asked(session, config, now):
            session.put_off = False
        if not session.outstanding and not session.peer_choking:
            self._download.ask(session, now, out)
        if patience.has_lapsed(session, config, now):
            self._lapsed(session, now, out)
        elif self._download.too_slow(session, now):
            self._state.hit("too slow at the end")
            session.slow_until = now + patience.TALKING * config.request_seconds
            self._ask_others(session, now, out)

    def _lapsed(self, session: Session, now: float, out: list[Effect]) -> None:
        """What a peer was asked for did not come in time."""
        self._ask_others(session, now, out)
        session.unanswered += 1
        if session.unanswered >= self._state.config.limits.unanswered_requests:
            self._violated(session, ProtocolViolation(reason="requests not answered"), now, out)

    def _ask_others(self, session: Session, now: float, out: list[Effect]) -> None:
        """Take back what a peer was asked for."""
        for piece, begin in session.outstanding:
            length = self._state.torrent.blocks_of(piece)[begin // BLOCK_BYTES][1]
            out.append(Send(session.link, Cancel(piece, begin, length)))
        session.put_off = True
        self._download.release_all(session, now, out)


#: Which half takes a message, and how. One table for all peers: bound methods take 3 KB a peer.
_TAKEN_BY: dict[type, tuple[str, Callable[..., None]] | None] = {
    Have: ("_download", Download.on_have),
    HaveMany: ("_download", Download.on_have_many),
    Block: ("_download", Download.on_block),
    BlockRun: ("_download", Download.on_blocks),
    Unchoke: ("_download", Download.on_unchoke),
    Choke: ("_download", Download.on_choke),
    RejectRequest: ("_download", Download.on_reject),
    Request: ("_upload", Upload.on_request),
    RequestRun: ("_upload", Upload.on_requests),
    Cancel: ("_upload", Upload.on_cancel),
    Interested: ("_upload", Upload.on_interested),
    NotInterested: ("_upload", Upload.on_not_interested),
    Handshake: ("", PeerNode._on_handshake),
    Bitfield: ("", PeerNode._on_bitfield),
    HaveAll: ("", PeerNode._on_have_all),
    HaveNone: None,
    KeepAlive: None,
    Port: None,
    SuggestPiece: ("_download", Download.on_suggest),
    AllowedFast: None,
    Extended: ("", PeerNode._on_extended),
}

#: What comes again and again in an open session, with and without BEP 6, and whether it is for the half
#: that uploads: looked up once a message.
_TAKEN_FAST = {
    kind: (part[0] == "_upload", part[1])
    for kind, part in _TAKEN_BY.items()
    if part and part[0] in ("_upload", "_download") and kind in TRANSITIONS[Phase.OPEN]
}
_TAKEN_PLAIN = {kind: part for kind, part in _TAKEN_FAST.items() if kind not in FAST_ONLY}
