"""Which piece to ask for next: the picking policies of a scenario.

Rarest first works by buckets: `buckets[n]` is the set of pieces that n connected leechers hold. The
rarest of any set of candidates is in the first bucket that meets it, so neither HAVE nor a choice sorts
anything. Seeds hold every piece: they change no order and are not counted.
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

    def peer_joined(self, pieces: int) -> None:
        """A peer has come that has these pieces."""

    def peer_left(self, pieces: int) -> None:
        """A peer has gone that was counted for these pieces."""


#: Who chooses nothing, a seed, counts now and then all the same.
UNCOUNTED_LIMIT = 100


class RarestFirst:
    """Counts copies among connected peers and picks the rarest candidate; ties are random.

    A piece that is suggested comes before all: who suggests it sees more than we do, see `suggesting`.
    """

    __slots__ = ("_buckets", "_copies", "_rng", "_space", "_uncounted")

    def __init__(self, space: PieceSpace, rng: Random) -> None:
        self._space = space
        self._rng = rng
        self._copies = [0] * space.count
        self._buckets = [space.all]
        self._uncounted: list[int] = []
        """Pieces that peers were heard to have and that are counted before the next choice."""

    def pick(self, candidates: int, suggested: int = 0) -> int:
        """Pick the suggested piece if it is a candidate, or else one of the rarest."""
        if candidates & suggested:
            return self._space.width - suggested.bit_length()
        if self._uncounted:
            self._count()
        for bucket in self._buckets:
            rarest = bucket & candidates
            if rarest:
                return self._space.choose(rarest, self._rng)
        raise AssertionError("every piece is in one bucket")

    def peer_has(self, piece: int) -> None:
        """Count one more copy, some time before it matters: six HAVE messages come for each choice."""
        uncounted = self._uncounted
        uncounted.append(piece)
        if len(uncounted) > UNCOUNTED_LIMIT:
            self._count()

    def _count(self) -> None:
        counts, buckets, bits = self._copies, self._buckets, self._space.bits
        for piece in self._uncounted:
            copies = counts[piece]
            counts[piece] = copies + 1
            bit = bits[piece]
            buckets[copies] ^= bit
            if copies + 1 == len(buckets):
                buckets.append(bit)
            else:
                buckets[copies + 1] |= bit
        self._uncounted.clear()

    def peer_joined(self, pieces: int) -> None:
        """Count all pieces of a peer that arrives."""
        if pieces != self._space.all:
            for piece in self._space.indices(pieces):
                self.peer_has(piece)

    def peer_left(self, pieces: int) -> None:
        """Take back what a peer that leaves was counted for.

        A peer that was counted piece by piece and has become a seed was counted for every piece; one
        that came as a seed for none. `pieces` is what it was counted for.
        """
        self._count()
        for piece in self._space.indices(pieces):
            copies = self._copies[piece]
            self._copies[piece] = copies - 1
            bit = self._space.bits[piece]
            self._buckets[copies] ^= bit
            self._buckets[copies - 1] |= bit

    def copies(self, piece: int) -> int:
        """How many connected leechers hold it."""
        self._count()
        return self._copies[piece]


class _Uncounted:
    """A picker that does not look at what others hold."""

    __slots__ = ("_rng", "_space")

    def __init__(self, space: PieceSpace, rng: Random) -> None:
        self._space = space
        self._rng = rng

    def peer_has(self, piece: int) -> None:
        """It is not counted."""

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
