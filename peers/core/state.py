"""What the two halves of a peer share: its settings, its pieces, and its connections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from peers.core.bitfield import PieceSpace
from peers.core.session import Session
from peers.exchange import EXCHANGE_SECONDS
from peers.torrent import Torrent
from testbed.node import Address, Effect, LinkId, Tally
from testbed.storage import Storage

#: Pieces a peer asks for at a time. Each waits for the downlink behind those asked for before it, and
#: can be passed on only when it is whole: with 256 peers on slow lines no limit gave efficiency .69,
#: 8 gave .80. `peers.build` knows the lines and asks for fewer.
PIECES_IN_FLIGHT = 8

#: Ask for the next piece when so few blocks are on their way: one keeps the line full without delay.
REQUEST_AHEAD_BLOCKS = 1

#: A grant that its peer does not use is given to another after this time, or two round trips.
LAPSE_SECONDS = 1.0

#: A grant that was not used for this time and a round trip does not count as one that keeps the uplink
#: full. Without the round trip, delay made peers grant up to `serving.OVERCOMMIT` times too much: at
#: 400 ms and N = 8 a swarm took 1.21 times as long as without delay, with it 1.10.
PATIENCE_SECONDS = 0.030

#: A peer with so many links asks for twice as many pieces at a time, until no more are missing than six
#: times `pieces_in_flight`. One that has no place left refuses grants, and what is asked for in too
#: many places costs only at the end: simulated with N = 200 a sixth fewer messages, and the makespan
#: within its spread over seeds. In small swarms, N = 4 to 6 with us = 4u, it took 1.05 times as long.
CROWD_LINKS = 12
END_IN_FLIGHTS = 6

HangUpOrder = Callable[[Session, str, float, list[Effect]], None]
"""Ends a connection for a reason that is no fault of the remote."""


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
    patience_seconds: float = PATIENCE_SECONDS
    picking: str = "rarest first"
    """A name of `picker.PICKERS`."""
    serving: str = "rotating grants"
    """A name of `upload.SERVINGS`."""
    unchoke_slots: int = 4
    """Peers served at a time where that is by unchoke slots (BEP 3 says four)."""
    returns_grants: bool = True
    """It says NOT INTERESTED while all that it lacks is on its way already, so that an unchoke for one
    piece goes to somebody else at once. One that lasts is kept."""
    ban: bool = True
    """A host that sent a corrupt piece is not spoken to again. Off, to study pollution without it."""
    extensions: bool = False
    """It speaks the extension protocol (BEP 10): metadata for magnet links, peer exchange."""
    exchange_seconds: float = EXCHANGE_SECONDS
    """Between two messages of peer exchange to one neighbour."""
    request_queue: int = 256
    """Blocks one peer may have waiting here, as others are told; 4 MiB of promises."""
    tracker: Address | None = None
    announce_path: str = "/announce"
    known_peers: tuple[Address, ...] = ()
    """Peers to dial beside those that the tracker knows."""


class PeerState:
    """The pieces and connections of one peer. The node and its halves change it; it decides nothing."""

    __slots__ = (
        "banned",
        "config",
        "in_flight",
        "in_flight_limit",
        "missing",
        "ours",
        "sessions",
        "space",
        "stopping",
        "storage",
        "tally",
        "torrent",
        "unasked",
        "verify",
    )

    def __init__(
        self,
        config: PeerConfig,
        torrent: Torrent,
        storage: Storage,
        space: PieceSpace,
        held: int,
        verify: Callable[[int, Any], bool],
    ) -> None:
        self.config = config
        self.torrent = torrent
        self.storage = storage
        self.space = space
        self.verify = verify
        self.ours = held
        """Pieces that are here and verified; like the next two a set of `PieceSpace`."""
        self.missing = space.all & ~held
        self.in_flight = 0
        """Pieces that somebody was asked for."""
        self.unasked = self.missing
        """Pieces that are missing and that nobody was asked for: what makes a peer interesting."""
        self.in_flight_limit = config.pieces_in_flight
        """How many there may be at a time; looked at anew with each piece."""
        self.sessions: dict[LinkId, Session] = {}
        self.stopping = False
        self.banned: set[str] = set()
        """Hosts that sent a corrupt piece."""
        self.tally = Tally(pieces_held=held.bit_count())

    def limit_in_flight(self) -> None:
        """Set the limit by how many links there are, and how many pieces are missing."""
        limit = self.config.pieces_in_flight
        far_from_the_end = self.missing.bit_count() > END_IN_FLIGHTS * limit
        in_a_crowd = len(self.sessions) >= CROWD_LINKS
        self.in_flight_limit = 2 * limit if far_from_the_end and in_a_crowd else limit
