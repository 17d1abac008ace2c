"""The optimal schedule of M whole pieces among equal uplinks, as a formula and as transfers.

The origin and N clients all upload at rate u, one piece at a time; downlinks are unlimited; a piece
may be passed on only after it was received whole. Time then goes in rounds of p/u, and no schedule
needs fewer than M + floor(log2 N) of them (Mundinger, Weber & Weiss 2008): the origin cannot have
sent its last piece before round M, and the holders of that piece at most double in each round.

The schedule that attains it is built on a hypercube (the binomial pipeline of Ganesan & Seshadri,
On cooperative content distribution and the price of barter, 2005):

- N + 1 = 2^m nodes are the corners of a hypercube. In round j, neighbours along axis j mod m
  exchange: the origin gives piece min(j, M-1), corner i gives the piece that ``_given_piece`` says.
  After M + m - 1 rounds everybody has everything.
- Otherwise m is floor(log2 N), and the N + 1 - 2^m clients that are left over double up with others
  on a corner. Such a pair behaves as one node towards the rest: one member sends the piece that
  this corner owes while the other hands its partner a piece. Invariant: after each round, each
  member lacks at most one of the pieces that the pair has. One more round, in which both hand over
  what the other lacks, makes M + m.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from analysis.theory.arrays import Values, at_least, divide, plain

ORIGIN = 0
"""The node that has the file at the start; the clients are 1..N."""


class Transfer(NamedTuple):
    """One piece sent by one node to another during one round."""

    round: int
    """Counts from 0; the piece can be passed on in the next round."""
    source: int
    target: int
    piece: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """A list of transfers that brings every piece to every client."""

    clients: int
    pieces: int
    transfers: tuple[Transfer, ...]
    """In order of rounds."""

    @property
    def rounds(self) -> int:
        """How many rounds of p/u the schedule takes."""
        return max((transfer.round for transfer in self.transfers), default=-1) + 1

    def seconds(self, file_bytes: float, uplink: float) -> float:
        """Say when the last transfer ends, if all nodes upload at ``uplink`` bytes per second."""
        return self.rounds * (file_bytes / self.pieces) / uplink


def optimal_rounds(clients: Values, pieces: Values) -> Values:
    """Count the rounds of the optimal schedule: M + floor(log2 N).

    Source: Mundinger, Weber & Weiss, Optimal scheduling of peer-to-peer file dissemination, 2008.

    Args:
      clients: N, at least 1.
      pieces: M, at least 1.

    Raises:
      ValueError: a value is out of range.
    """
    count = at_least("clients", clients, 1)
    # frexp is exact where log2 would round: count = mantissa 2^exponent, 0.5 <= mantissa < 1.
    floor_log2 = np.frexp(count)[1] - 1
    return plain(at_least("pieces", pieces, 1) + floor_log2)


def optimal_seconds(file_bytes: Values, uplink: Values, clients: Values, pieces: Values) -> Values:
    """Say how long the optimal schedule of M pieces takes: T* = (F/u)(1 + floor(log2 N)/M).

    Exact, and so a lower bound for every swarm with us = u and whole pieces. Source: Mundinger,
    Weber & Weiss 2008.

    Args:
      file_bytes: F.
      uplink: us = u, bytes per second.
      clients: N, at least 1.
      pieces: M, at least 1, of equal size.

    Raises:
      ValueError: a value is out of range.
    """
    file = at_least("file_bytes", file_bytes, 0)
    piece = file / at_least("pieces", pieces, 1)
    rounds = np.asarray(optimal_rounds(clients, pieces))
    return plain(rounds * divide(piece, at_least("uplink", uplink, 0)))


def optimal_schedule(clients: int, pieces: int) -> Schedule:
    """List every transfer of an optimal schedule.

    Returns:
      A schedule of exactly ``optimal_rounds(clients, pieces)`` rounds and N M transfers.

    Raises:
      ValueError: ``clients`` or ``pieces`` is below 1.
    """
    if clients < 1 or pieces < 1:
        raise ValueError(f"clients and pieces must be at least 1, not {clients} and {pieces}")
    dimension = (clients + 1).bit_length() - 1
    corners = [[corner] for corner in range(2**dimension)]
    for extra in range(2**dimension, clients + 1):
        corners[extra - 2**dimension + 1].append(extra)
    builder = _Builder(corners, pieces)
    for now in range(pieces + dimension - 1):
        builder.play(now, dimension)
    if clients + 1 > 2**dimension:
        builder.settle(pieces + dimension - 1)
    return Schedule(clients, pieces, tuple(builder.transfers))


def faults(schedule: Schedule) -> list[str]:
    """Name every rule that a schedule breaks; an empty list means it is legal and complete.

    Rules: nodes and pieces exist; a node uploads at most one piece in a round; it uploads only what
    it held whole before the round began; nobody receives what they have or are receiving; at the
    end every client has every piece. Knows nothing of how the schedule was made.
    """
    everything = (1 << schedule.pieces) - 1
    held = [everything] + [0] * schedule.clients
    found = []
    by_round: dict[int, list[Transfer]] = {}
    for transfer in schedule.transfers:
        if not _exists(transfer, schedule):
            return [f"{transfer} names a round, node or piece that does not exist"]
        by_round.setdefault(transfer.round, []).append(transfer)
    for number in sorted(by_round):
        before = list(held)
        senders: set[int] = set()
        for transfer in by_round[number]:
            bit = 1 << transfer.piece
            if transfer.source in senders:
                found.append(f"{transfer}: a second upload in one round")
            if not before[transfer.source] & bit:
                found.append(f"{transfer}: the source does not have the piece")
            if held[transfer.target] & bit:
                found.append(f"{transfer}: the target has the piece already")
            senders.add(transfer.source)
            held[transfer.target] |= bit
    found += [f"node {node} ends incomplete" for node, has in enumerate(held) if has != everything]
    return found


def _exists(transfer: Transfer, schedule: Schedule) -> bool:
    nodes = range(schedule.clients + 1)
    return (
        transfer.round >= 0
        and transfer.source in nodes
        and transfer.target in nodes
        and transfer.source != transfer.target
        and transfer.piece in range(schedule.pieces)
    )


def _given_piece(corner: int, now: int, dimension: int, pieces: int) -> int | None:
    """Say which piece a corner of the hypercube gives in round ``now``, if any.

    Rotate the corner's number right by ``now``; with z trailing zeros it gives piece
    ``now - m + z``: each piece travels down one binomial tree, and successive pieces use trees
    that are rotated by one axis, so that no two want one uplink at once.
    """
    if corner == ORIGIN:
        return min(now, pieces - 1)
    shift = now % dimension
    rotated = corner >> shift | corner << (dimension - shift) & (1 << dimension) - 1
    if rotated == 1:  # The neighbour is the origin.
        return None
    trailing_zeros = (rotated & -rotated).bit_length() - 1
    piece = min(now - dimension + trailing_zeros, pieces - 1)
    return piece if piece >= 0 else None


class _Builder:
    """Plays the rounds and keeps who holds what, as bit masks of pieces."""

    def __init__(self, corners: list[list[int]], pieces: int) -> None:
        self._corners = corners
        self._held = dict.fromkeys((member for corner in corners for member in corner), 0)
        self._held[ORIGIN] = (1 << pieces) - 1
        self._pieces = pieces
        self.transfers: list[Transfer] = []

    def play(self, now: int, dimension: int) -> None:
        """Let neighbours along this round's axis exchange, and pairs hand over meanwhile."""
        axis = 1 << now % dimension
        inside: list[Transfer] = []
        outside: list[tuple[int, list[int], int]] = []
        for corner, members in enumerate(self._corners):
            receivers = self._corners[corner ^ axis]
            piece = _given_piece(corner, now, dimension, self._pieces)
            if piece is None or any(self._has(member, piece) for member in receivers):
                # Nothing is owed, or, at the end, the neighbour got it along another axis.
                inside += self._hand_over(members, now, busy=None)
                continue
            # The member that lacks more sends, so that its partner can hand it something.
            holders = [member for member in members if self._has(member, piece)]
            sender = min(holders, key=self._count)
            outside.append((sender, receivers, piece))
            inside += self._hand_over(members, now, busy=sender)
        self._apply(inside)
        # After the handing over, so that the piece goes to the member that still lacks one:
        # then the other, complete until now, lacks only this piece.
        self._apply(
            Transfer(now, sender, min(receivers, key=self._count), piece)
            for sender, receivers, piece in outside
        )

    def settle(self, now: int) -> None:
        """Play the last round, in which each member of a pair gets what only its partner has."""
        for members in self._corners:
            self._apply(self._hand_over(members, now, busy=None))

    def _hand_over(self, members: list[int], now: int, busy: int | None) -> list[Transfer]:
        """Let each member of a pair that is not busy give its partner a piece, if it can."""
        if len(members) == 1:
            return []
        given = []
        for giver, taker in (members, members[::-1]):
            useful = self._held[giver] & ~self._held[taker]
            if giver != busy and useful:
                given.append(Transfer(now, giver, taker, useful.bit_length() - 1))
        return given

    def _apply(self, transfers: Iterable[Transfer]) -> None:
        for transfer in transfers:
            self._held[transfer.target] |= 1 << transfer.piece
            self.transfers.append(transfer)

    def _has(self, member: int, piece: int) -> bool:
        return bool(self._held[member] >> piece & 1)

    def _count(self, member: int) -> int:
        return self._held[member].bit_count()
