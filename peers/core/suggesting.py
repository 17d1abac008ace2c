"""What an origin suggests: the pieces that it has sent to nobody.

A swarm cannot be done before its origin has sent every piece once, so an origin that is no faster than
its peers must send nothing twice until then. Leechers that ask for the rarest piece they know of cannot
see to that: each knows its own neighbours, and two that are served at a time choose alike. With us = u,
50 pieces and 32 clients the origin sent 1.2 to 1.3 copies of the file, and so long did it take.

So it says with a grant which piece it would rather send: SUGGEST PIECE of BEP 6, which has this
purpose. A peer that is none of ours takes it as advice, or not. Unlike super-seeding (BEP 16) it keeps
nothing back.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from peers.core.bitfield import PieceSpace
from peers.core.session import Session
from testbed.node import LinkId


class FreshPieces:
    """Knows which pieces have been sent to nobody, and suggests each to one peer at a time."""

    __slots__ = ("_left", "_offered", "_rng", "_space")

    def __init__(self, space: PieceSpace, rng: Random) -> None:
        self._space = space
        self._rng = rng
        self._left = space.all
        self._offered: dict[LinkId, int] = {}

    @property
    def all_sent(self) -> bool:
        """Whether there is nothing left to suggest."""
        return not self._left

    def sent(self, piece: int) -> None:
        """A piece is on its way to somebody."""
        self._left &= ~self._space.bits[piece]

    def suggest(
        self, session: Session, sessions: Iterable[Session], granted: Iterable[Session]
    ) -> int | None:
        """Say which piece a peer that is about to be granted one should ask for.

        Args:
          session: Who is granted.
          sessions: All who are connected: what one of them has is no longer rare.
          granted: Those being served, who may be about to ask for what was suggested to them.
        """
        fresh = self._left
        for other in sessions:
            fresh &= ~other.pieces
        for other in granted:
            if other is not session:
                fresh &= ~self._offered.get(other.link, 0)
        if not fresh:
            self._offered.pop(session.link, None)
            return None
        piece = self._space.choose(fresh, self._rng)
        self._offered[session.link] = self._space.bits[piece]
        return piece
