"""A super-seeding origin (BEP 16): it masquerades as a peer that has nothing.

Each peer that connects is told of one piece: one that was offered to nobody, or when all were, one that
is rare. When that peer has the piece and another peer is seen to have it too, it is told of the next.
So the origin sends each piece little more than once, and nothing to peers that pass nothing on; but it
sits idle while it waits to see its pieces elsewhere.

BEP 16 does not say what to do when a piece is never seen elsewhere, because there is nobody else or
those that lack it are not connected with the one that has it. Then the next is offered after a while.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from peers.core.peer import PeerNode
from peers.core.picker import RarestFirst
from peers.core.session import Session
from peers.core.state import PeerConfig
from peers.messages import Have, HaveNone
from peers.torrent import Torrent
from testbed.node import Effect, Event, Received, Send
from testbed.storage import Storage

#: A peer that has had its piece for so long without passing it on, as far as is seen, gets another.
STALLED_SECONDS = 10.0


class SuperSeedingPeer(PeerNode):
    """A peer that has the whole file and gives it away a piece at a time."""

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
        """Make one; `held` must be every piece."""
        super().__init__(config, torrent, storage, rng, held=held, verify=verify)
        self._upload.suggest_nothing()
        self._space = self._state.space
        self._never_offered = self._space.all
        self._seen = RarestFirst(self._space, rng)
        self._offers: dict[Session, Offer] = {}
        self._rng = rng

    # --- What a peer does, and this one otherwise -------------------------------------------

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event as any peer does; a message that tells of pieces may call for offers."""
        if type(event) is not Received or event.link not in self._sessions:
            return super().handle(event, now)
        session = self._sessions[event.link]
        had = session.pieces
        out = super().handle(event, now)
        offer = self._offers.get(session)
        if offer is not None and (session.pieces != had or not offer.told):
            new = session.pieces & ~had
            for piece in self._space.indices(new):
                self._seen.peer_has(piece)
            self._offer_where_due(new, session, now, out)
        return out

    def _say_pieces(self, session: Session, out: list[Effect]) -> None:
        """Say that there is nothing here; an offer follows."""
        if session.fast:
            out.append(Send(session.link, HaveNone()))
        self._offers[session] = Offer()

    def _forget(self, session: Session, now: float, out: list[Effect]) -> None:
        self._seen.peer_left(session.pieces)
        self._offers.pop(session, None)
        super()._forget(session, now, out)

    def _look_after(self, session: Session, keep_alive: bool, now: float, out: list[Effect]) -> None:
        super()._look_after(session, keep_alive, now, out)
        offer = self._offers.get(session)
        if offer is None or session.granted or session.peer_interested:
            return  # Gone, or on its way.
        if now - max(offer.made_at, session.granted_at) > STALLED_SECONDS:
            self._offer(session, offer, now, out)

    # --- Offers -----------------------------------------------------------------------------

    def _offer_where_due(self, new: int, session: Session, now: float, out: list[Effect]) -> None:
        """Make the offers that follow from what `session` has now, some of it `new`."""
        for other, offer in list(self._offers.items()):
            if other is not session:
                due = bool(new & offer.current & other.pieces)
            elif offer.current:
                due = bool(offer.current & session.pieces) and self._is_passed_on(
                    offer.current, session
                )
            else:
                due = True
            if due:
                self._offer(other, offer, now, out)

    def _is_passed_on(self, piece: int, session: Session) -> bool:
        """Whether another peer than this one is seen to have the piece, or there is no other."""
        others = [other for other in self._offers if other is not session]
        return not others or any(other.pieces & piece for other in others)

    def _offer(self, session: Session, offer: Offer, now: float, out: list[Effect]) -> None:
        """Tell a peer of one more piece, if it lacks any that it was not told of."""
        untold = self._space.all & ~offer.told & ~session.pieces
        offer.made_at = now
        if not untold:
            offer.current = 0
            return
        fresh = untold & self._never_offered
        piece = self._space.choose(fresh, self._rng) if fresh else self._seen.pick(untold)
        offer.current = self._space.bits[piece]
        offer.told |= offer.current
        self._never_offered &= ~offer.current
        out.append(Send(session.link, Have(piece)))


class Offer:
    """What one peer was told of. Sets of pieces."""

    __slots__ = ("current", "made_at", "told")

    def __init__(self) -> None:
        self.current = 0
        """The last piece it was told of."""
        self.told = 0
        self.made_at = 0.0
