"""Groups of clients instead of clients: rates in bytes per second, integrated over time.

Clients that join together over equal lines are one *group*, which costs as much to compute as one
client: ten million of them take as long as ten. A group is described by what each of its nodes has
received, x. Rates are constant within a step, and a step ends where one of them would change:
somebody joins, finishes, gives up or leaves.

**Server.** The uplink us is shared evenly by all who download, nobody taking more than his downlink
(processor sharing with caps). This is exact.

**Swarm.** A client passes on only whole, verified pieces: of a group whose nodes have x bytes, the part
min{1, x/p} holds a piece and uploads, so that the capacity is C = us + sum of n u min{1, x/p} over all
who are there, seeds included. With everybody at once and equal lines this is the equation behind the
store-and-forward bound (`bounds.store_and_forward_seconds`). C is shared evenly by all who download,
under three caps: the downlink; what others than oneself can send; and nobody has more than the origin
has sent into the swarm, I. Until I = F the origin sends what is new, at us. After that all who
upload do so in proportion to their uplinks.

It is a limit: everybody can reach everybody, there is always something to ask for (the effectiveness
of Qiu and Srikant is 1), no delay and no protocol. So a real swarm is slower, never faster; a step
errs on the slow side too, because C is taken from its beginning and only grows within it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from analysis.theory.arrays import FloatArray, at_least

#: How far the capacity may grow within a step, as a part of it. At 2 % the makespan of the default
#: scenario is .1 % above the bound that it would attain with infinitely short steps.
GROWTH = 0.02

#: Two amounts that differ by less are the same, added up in another order.
_ROUNDING = 1e-12

BoolArray = NDArray[np.bool_]


class _Phase(IntEnum):
    WAITING = 0
    DOWNLOADING = 1
    SEEDING = 2
    GONE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Clients by group; every array has the shape (groups,)."""

    nodes: FloatArray
    """How many clients it has, at least 1."""
    uplink_bytes_per_second: FloatArray
    """u of each of them; may be infinite, or zero."""
    downlink_bytes_per_second: FloatArray
    """d of each of them, above zero; may be infinite."""
    joins_seconds: FloatArray
    patience_seconds: FloatArray
    """Who is not done so long after joining gives up; infinite: never."""

    def __post_init__(self) -> None:
        at_least("nodes", self.nodes, 1)
        at_least("uplink_bytes_per_second", self.uplink_bytes_per_second, 0)
        at_least("downlink_bytes_per_second", self.downlink_bytes_per_second, 0, open_below=True)
        at_least("joins_seconds", self.joins_seconds, 0)
        at_least("patience_seconds", self.patience_seconds, 0)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of every group; arrays have the shape (groups,) or, of moments, (steps,)."""

    ended_seconds: float
    """When the last client was done, or the limit."""
    finished_seconds: FloatArray
    """NaN where a group never had the whole file."""
    left_seconds: FloatArray
    received_bytes: FloatArray
    """Of each node."""
    uploaded_bytes: FloatArray
    """Of all nodes of the group together."""
    origin_bytes: float
    """What the origin sent."""
    moment_seconds: FloatArray
    """When each step began; the last is the end."""
    downloading: FloatArray
    """How many clients were downloading from then on."""
    delivered_bytes: FloatArray
    """What all clients had received by then."""


def server_flow(
    groups: Groups,
    *,
    file_bytes: float,
    origin_uplink: float,
    limit_seconds: float = math.inf,
    seeding_seconds: float = math.inf,
) -> Outcome:
    """Send the file from one server to every client.

    Args:
      groups: Who wants it.
      file_bytes: F, above zero.
      origin_uplink: us, bytes per second, above zero; may be infinite where downlinks are not.
      limit_seconds: When to stop, whoever is done.
      seeding_seconds: How long a client stays once it has the file.

    Raises:
      ValueError: a value is out of range, or no line limits anything.
    """
    return _Flow(groups, file_bytes, math.inf, origin_uplink, limit_seconds, seeding_seconds).run()


def swarm_flow(
    groups: Groups,
    *,
    file_bytes: float,
    piece_bytes: float,
    origin_uplink: float,
    limit_seconds: float = math.inf,
    seeding_seconds: float = math.inf,
) -> Outcome:
    """Let clients pass the file on to each other, piece by piece.

    Args:
      groups: As for `server_flow`, and likewise the others.
      file_bytes: F, above zero.
      piece_bytes: p, above zero.
      origin_uplink: us.
      limit_seconds: When to stop.
      seeding_seconds: How long a client stays once it has the file.

    Raises:
      ValueError: a value is out of range, or no line limits anything.
    """
    at_least("piece_bytes", piece_bytes, 0, open_below=True)
    piece = min(piece_bytes, file_bytes)
    return _Flow(groups, file_bytes, piece, origin_uplink, limit_seconds, seeding_seconds).run()


def equal_shares(capacity: float, nodes: FloatArray, caps: FloatArray) -> FloatArray:
    """Share a capacity evenly, nobody taking more than its cap (max-min fair).

    Args:
      capacity: Bytes per second.
      nodes: How many take part, by group.
      caps: What each of them takes at most.

    Returns:
      The rate of each node.
    """
    if nodes @ caps <= capacity:
        return caps
    order = np.argsort(caps)
    ordered, counts = caps[order], nodes[order]
    # If all groups before k take their caps, so much is left for each node of the others.
    before = np.concatenate(([0.0], np.cumsum(counts * ordered)[:-1]))
    others = np.cumsum(counts[::-1])[::-1]
    levels = (capacity - before) / others
    level = levels[int(np.argmax(levels <= ordered))]
    shares: FloatArray = np.minimum(caps, level)
    return shares


@dataclass(slots=True)
class _Rates:
    """What flows during one step."""

    received: FloatArray
    """By each node of a group."""
    uploads: FloatArray
    """What each group can upload, all nodes together."""
    total: float
    """What all clients receive."""
    origin: float
    """What of it the origin sends."""
    growth_seconds: float
    """How long the capacity may be taken as constant."""


@dataclass(slots=True)
class _Flow:
    """One distribution under way. An infinite piece makes it a server's: nobody holds one."""

    groups: Groups
    file_bytes: float
    piece_bytes: float
    origin_uplink: float
    limit_seconds: float
    seeding_seconds: float
    now: float = 0.0
    phase: NDArray[np.int8] = field(init=False)
    received: FloatArray = field(init=False)
    uploaded: FloatArray = field(init=False)
    finished: FloatArray = field(init=False)
    leaves: FloatArray = field(init=False)
    uplinks: FloatArray = field(init=False)
    injected: float = 0.0
    """I: what the origin has sent into the swarm, each byte counted once."""
    origin_sent: float = 0.0
    delivered: float = 0.0
    moments: list[tuple[float, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        at_least("file_bytes", self.file_bytes, 0, open_below=True)
        at_least("origin_uplink", self.origin_uplink, 0, open_below=True)
        at_least("limit_seconds", self.limit_seconds, 0, open_below=True)
        at_least("seeding_seconds", self.seeding_seconds, 0)
        groups = self.groups
        # A line that could feed everybody at once never binds: finite, it can be calculated with.
        fastest = float(groups.downlink_bytes_per_second.max())
        count = float(groups.nodes.sum())
        self.origin_uplink = min(self.origin_uplink, count * fastest)
        if math.isinf(self.origin_uplink):
            raise ValueError("origin_uplink or downlink_bytes_per_second must be finite")
        enough = count * min(self.origin_uplink, fastest)
        self.uplinks = np.minimum(groups.uplink_bytes_per_second, enough)
        shape = groups.nodes.shape
        self.phase = np.full(shape, _Phase.WAITING, dtype=np.int8)
        self.received, self.uploaded = np.zeros(shape), np.zeros(shape)
        self.finished = np.full(shape, np.nan)
        self.leaves = groups.joins_seconds + groups.patience_seconds

    def run(self) -> Outcome:
        self._turn()
        while self.now < self.limit_seconds:
            downloading = self.phase == _Phase.DOWNLOADING
            if not downloading.any() and not (self.phase == _Phase.WAITING).any():
                break
            self._note(downloading)
            rates = self._rates(downloading)
            self._advance(rates, self._step_seconds(rates, downloading))
            self._turn()
        self._note(self.phase == _Phase.DOWNLOADING)
        moments = np.array(self.moments)
        return Outcome(
            ended_seconds=self.now,
            finished_seconds=self.finished,
            left_seconds=np.minimum(self.leaves, self.now),
            received_bytes=self.received,
            uploaded_bytes=self.uploaded,
            origin_bytes=self.origin_sent,
            moment_seconds=moments[:, 0],
            downloading=moments[:, 1],
            delivered_bytes=moments[:, 2],
        )

    def _note(self, downloading: BoolArray) -> None:
        self.moments.append((self.now, float(self.groups.nodes @ downloading), self.delivered))

    def _rates(self, downloading: BoolArray) -> _Rates:
        """Say what flows, as long as nothing changes."""
        nodes = self.groups.nodes
        held = np.minimum(self.received / self.piece_bytes, 1.0)
        wanting = float(nodes @ downloading)
        # Who downloads alone has nobody to give to.
        present = (self.phase == _Phase.SEEDING) | (downloading if wanting > 1 else False)
        each = np.where(present, self.uplinks * held, 0.0)
        uploads = nodes * each
        capacity = self.origin_uplink + float(uploads.sum())
        caps = np.minimum(self.groups.downlink_bytes_per_second, capacity - each)
        if not math.isinf(self.piece_bytes):
            foremost = self.received >= self.injected * (1 - _ROUNDING)
            caps = np.where(foremost, np.minimum(caps, self.origin_uplink), caps)
        received = np.zeros_like(caps)
        received[downloading] = equal_shares(capacity, nodes[downloading], caps[downloading])
        total = float(nodes @ received)
        origin = min(self.origin_uplink, total)
        if self.injected >= self.file_bytes and total > 0:
            origin = self.origin_uplink * total / capacity
        if not uploads.any():
            origin = total
        gaining = downloading & (held < 1.0)
        growth = float((nodes * self.uplinks * received)[gaining].sum()) / self.piece_bytes
        return _Rates(
            received=received,
            uploads=uploads,
            total=total,
            origin=origin,
            growth_seconds=GROWTH * capacity / growth if growth > 0 else math.inf,
        )

    def _step_seconds(self, rates: _Rates, downloading: BoolArray) -> float:
        """Say how long all rates stay as they are."""
        waiting = self.phase == _Phase.WAITING
        leaving = downloading | (self.phase == _Phase.SEEDING)
        flowing = rates.received > 0
        left = (self.file_bytes - self.received[flowing]) / rates.received[flowing]
        ends = [rates.growth_seconds, self.limit_seconds - self.now, *_least(left)]
        ends += _least(self.groups.joins_seconds[waiting] - self.now)
        ends += _least(self.leaves[leaving] - self.now)
        if not math.isinf(self.piece_bytes) and self.injected < self.file_bytes and rates.origin > 0:
            ends.append((self.file_bytes - self.injected) / rates.origin)
            # Who is behind may catch up with what there is to have.
            closing = (rates.received > rates.origin) & (
                self.received < self.injected * (1 - _ROUNDING)
            )
            speed = rates.received[closing] - rates.origin
            ends += _least((self.injected - self.received[closing]) / speed)
        return max(0.0, min(ends))

    def _advance(self, rates: _Rates, seconds: float) -> None:
        self.received += rates.received * seconds
        self.origin_sent += rates.origin * seconds
        self.delivered += rates.total * seconds
        from_peers = rates.total - rates.origin
        if from_peers > 0:
            self.uploaded += rates.uploads * (from_peers * seconds / float(rates.uploads.sum()))
        self.injected = max(self.injected + rates.origin * seconds, float(self.received.max()))
        if self.injected >= self.file_bytes * (1 - _ROUNDING):
            self.injected = self.file_bytes
        self.now += seconds

    def _turn(self) -> None:
        """Let every group whose time has come change its phase."""
        soon = self.now * (1 + _ROUNDING)
        joining = (self.phase == _Phase.WAITING) & (self.groups.joins_seconds <= soon)
        self.phase[joining] = _Phase.DOWNLOADING
        downloading = self.phase == _Phase.DOWNLOADING
        done = downloading & (self.received >= self.file_bytes * (1 - _ROUNDING))
        self.received[done] = self.file_bytes
        self.finished[done] = self.now
        self.leaves[done] = self.now + self.seeding_seconds
        self.phase[done] = _Phase.SEEDING
        there = (self.phase == _Phase.DOWNLOADING) | (self.phase == _Phase.SEEDING)
        self.phase[there & (self.leaves <= soon)] = _Phase.GONE


def _least(values: FloatArray) -> list[float]:
    """Give the smallest of them, if there is one."""
    return [float(values.min())] if len(values) else []
