"""What a peer that runs by hand is told, and what it tells: plans, reports, outcomes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from peers.content_store import ContentStore
from peers.limits import DEFAULT_LIMITS, Limits
from peers.magnet import Magnet
from peers.torrent import Torrent
from testbed.node import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerPlace:
    """Where a tracker is, resolved."""

    address: Address
    path: str
    """Of HTTP; over UDP there is none."""
    udp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmPlan:
    """How to meet others, and over which lines."""

    tracker: TrackerPlace | None
    peers: tuple[Address, ...] = ()
    """Peers to dial whether the tracker knows them or not."""
    host: str = "127.0.0.1"
    port: int = 0
    uplink_bytes_per_second: float = math.inf
    downlink_bytes_per_second: float = math.inf
    neighbours: int = 20
    limits: Limits = DEFAULT_LIMITS

    @property
    def unlimited(self) -> bool:
        """Whether neither line has a limit."""
        return min(self.uplink_bytes_per_second, self.downlink_bytes_per_second) == math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class MagnetPlan:
    """A peer that has a magnet link and wants the torrent."""

    swarm: SwarmPlan
    magnet: Magnet


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerPlan:
    """A peer that has a torrent and wants its content."""

    swarm: SwarmPlan
    torrent: Torrent
    storage: ContentStore
    held: int
    """Pieces verified in storage already, as a `PieceSpace` set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a peer is. Rates are since the last status."""

    held_bytes: int
    file_bytes: int
    peers: int
    download_bytes_per_second: float
    upload_bytes_per_second: float


@dataclass(slots=True, kw_only=True)
class Reports:
    """Whom to tell what while a peer runs."""

    on_listening: Callable[[Address], None] = lambda address: None
    on_status: Callable[[Status], None] = lambda status: None
    on_tracker: Callable[[str], None] = lambda failure: None
    """Why the tracker does not answer; empty when it does."""


class Ending(Enum):
    """Why a peer left."""

    DONE = "done"
    TIMED_OUT = "timed out"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of a magnet link."""

    ending: Ending
    torrent: Torrent | None
    address: Address
    """Where the peer was known while it asked; its swarm knows that address already."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a peer's time in the swarm went."""

    ending: Ending
    complete: bool
    reason: str
    uploaded_bytes: int
    downloaded_bytes: int
    held: int = 0
    """Pieces verified in storage, as a `PieceSpace` set."""
    violations: dict[str, int] = field(default_factory=dict)
    """Links that ended for a fault of the remote, by reason."""
    limits_hit: dict[str, int] = field(default_factory=dict)
    """Limits that were hit without ending a link, by reason."""
