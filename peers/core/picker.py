"""Which piece to ask for: rarest first, by buckets.

`buckets[n]` is the set of pieces that n connected leechers hold. The rarest of any set of candidates
is in the first bucket that meets it, so neither HAVE nor a choice sorts anything. Seeds hold every
piece: they change no order and are not counted.
"""

from __future__ import annotations

from random import Random

from peers.core.bitfield import PieceSpace


class RarestFirst:
    """Counts copies among connected peers and picks the rarest candidate; ties are random."""

    __slots__ = ("_buckets", "_copies", "_rng", "_space")

    def __init__(self, space: PieceSpace, rng: Random) -> None:
        self._space = space
        self._rng = rng
        self._copies = [0] * space.count
        self._buckets = [space.all]

    def pick(self, candidates: int) -> int:
        """Pick one of the candidates, a set that is not empty."""
        for bucket in self._buckets:
            rarest = bucket & candidates
            if rarest:
                return self._space.choose(rarest, self._rng)
        raise AssertionError("every piece is in one bucket")

    def peer_has(self, piece: int) -> None:
        """Count one more copy."""
        copies = self._copies[piece]
        self._copies[piece] = copies + 1
        bit = self._space.bits[piece]
        buckets = self._buckets
        buckets[copies] ^= bit
        if copies + 1 == len(buckets):
            buckets.append(bit)
        else:
            buckets[copies + 1] |= bit

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
        for piece in self._space.indices(pieces):
            copies = self._copies[piece]
            self._copies[piece] = copies - 1
            bit = self._space.bits[piece]
            self._buckets[copies] ^= bit
            self._buckets[copies - 1] |= bit

    def copies(self, piece: int) -> int:
        """How many connected leechers hold it."""
        return self._copies[piece]
