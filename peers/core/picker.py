"""Which piece to ask for next: the picking policies of a scenario.

Rarest first keeps the number of copies of every piece in binary, one integer for each place: bit i of
`places[k]` is bit k of how many connected leechers hold piece i. To count one more copy of any set of
pieces is an addition with carry over five integers, and the rarest of any candidates are found place by
place from the highest: neither HAVE nor a choice walks over pieces. Seeds hold every piece: they change
no order and are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Protocol

from peers.core.bitfield import PieceSpace


class Picker(Protocol):
    """Picks one of the pieces that a peer has and nobody is asked for yet."""

    def pick(self, candidates: int, suggested: int = 0) -> int:
        """Pick one of the candidates, a set that is not empty.

        `suggested` is the piece that the peer would rather send (BEP 6), as a set; empty if none.
        """

    def peer_has(self, piece: int) -> None:
        """A peer has one more piece."""

    def peers_have(self, pieces: int) -> None:
        """For each of these pieces there is a peer that has it now and did not before."""

    def peer_joined(self, pieces: int) -> None:
        """A peer has come that has these pieces."""

    def peer_left(self, pieces: int) -> None:
        """A peer has gone that was counted for these pieces."""


class RarestFirst:
    """Counts copies among connected peers and picks the rarest candidate; ties are random.

    A piece that is suggested comes before all: who suggests it sees more than we do, see `suggesting`.
    """

    __slots__ = ("_places", "_rng", "_space")

    def __init__(self, space: PieceSpace, rng: Random) -> None:
        self._space = space
        self._rng = rng
        self._places: list[int] = []

    def pick(self, candidates: int, suggested: int = 0) -> int:
        """Pick the suggested piece if it is a candidate, or else one of the rarest."""
        if candidates & suggested:
            return self._space.width - suggested.bit_length()
        for place in reversed(self._places):
            fewer = candidates & ~place
            if fewer:
                candidates = fewer
        return self._space.choose(candidates, self._rng)

    def peer_has(self, piece: int) -> None:
        """Count one more copy."""
        self.peers_have(self._space.bits[piece])

    def peers_have(self, pieces: int) -> None:
        """Count one more copy of each of these pieces."""
        places = self._places
        for k, place in enumerate(places):
            places[k] = place ^ pieces
            pieces &= place
            if not pieces:
                return
        if pieces:
            places.append(pieces)

    def peer_joined(self, pieces: int) -> None:
        """Count all pieces of a peer that arrives."""
        if pieces != self._space.all:
            self.peers_have(pieces)

    def peer_left(self, pieces: int) -> None:
        """Take back what a peer that leaves was counted for.

        A peer that was counted piece by piece and has become a seed was counted for every piece; one
        that came as a seed for none. `pieces` is what it was counted for.
        """
        places = self._places
        for k, place in enumerate(places):
            places[k] = place ^ pieces
            pieces &= ~place

    def copies(self, piece: int) -> int:
        """How many connected leechers hold it."""
        bit = self._space.bits[piece]
        return sum(1 << k for k, place in enumerate(self._places) if place & bit)


class _Uncounted:
    """A picker that does not look at what others hold."""

    __slots__ = ("_rng", "_space")

    def __init__(self, space: PieceSpace, rng: Random) -> None:
        self._space = space
        self._rng = rng

    def peer_has(self, piece: int) -> None:
        """It is not counted."""

    def peers_have(self, pieces: int) -> None:
        """They are not counted."""

    def peer_joined(self, pieces: int) -> None:
        """They are not counted."""

    def peer_left(self, pieces: int) -> None:
        """They were not counted."""


class RandomUseful(_Uncounted):
    """Picks any piece that it lacks, all alike."""

    __slots__ = ()

    def pick(self, candidates: int, suggested: int = 0) -> int:
        """Pick a random candidate."""
        return self._space.choose(candidates, self._rng)


class InOrder(_Uncounted):
    """Picks the first piece of the file that it lacks, as a player does that shows a film meanwhile."""

    __slots__ = ()

    def pick(self, candidates: int, suggested: int = 0) -> int:
        """Pick the candidate that comes first in the file."""
        return self._space.width - candidates.bit_length()


#: By their names in a scenario; the first is the default.
PICKERS: Mapping[str, type[RarestFirst] | type[RandomUseful] | type[InOrder]] = {
    "rarest first": RarestFirst,
    "random useful": RandomUseful,
    "in order": InOrder,
}
