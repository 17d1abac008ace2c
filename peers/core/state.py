"""What the two halves of a peer share: its settings, its pieces, and its connections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from peers.core.bitfield import PieceSpace
from peers.core.session import Session
from peers.exchange import EXCHANGE_SECONDS
from peers.limits import DEFAULT_LIMITS, Limits
from peers.messages import HaveMany
from peers.torrent import Torrent
from testbed.node import Address, Effect, Finished, LinkId, Send, Tally
from testbed.storage import Storage

#: Pieces a peer asks for at a time. Each waits for the downlink behind those asked for before it, and
#: can be passed on only when it is whole: with 256 peers on slow lines no limit gave efficiency .69,
#: 8 gave .80. `peers.build` knows the lines and asks for fewer.
PIECES_IN_FLIGHT = 8

#: Ask for the next piece when so few blocks are on their way: one keeps the line full without delay.
REQUEST_AHEAD_BLOCKS = 1

#: A request unanswered for so long, with nothing else coming from that peer, is taken elsewhere; and so
#: is one of a peer that talks on, but sends no block for three times as long. On the slowest lines
#: anybody has, 5 KB/s shared by 16, a block takes 50 s.
REQUEST_SECONDS = 20.0

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

#: In a crowd, a peer that waits for us to unchoke it is told of so many pieces together, or fewer when
#: we unchoke it or half a second has passed: before that it could not ask for them. A third fewer
#: messages; with 2 to 4 in place of 1 efficiency stays within its spread, with 6 it falls by .01.
TOLD_TOGETHER = 4

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
    request_seconds: float = REQUEST_SECONDS
    """A request unanswered for so long, with nothing else coming, is taken elsewhere; more on lines on
    which a piece takes longer than that."""
    picking: str = "rarest first"
    """A name of `picker.PICKERS`."""
    serving: str = "rotating grants"
    """A name of `upload.SERVINGS`."""
    unchoke_slots: int = 4
    """Peers served at a time where that is by unchoke slots (BEP 3 says four)."""
    says_all_at_once: bool = False
    """Whom it dials it tells with its handshake, and not after the other's, what it has and that it
    would like more: a grant comes a round trip sooner. Off where there is no delay, so nothing to gain,
    and by hand: aria2 ends the links of those who do so."""
    in_runs: bool = False
    """Blocks that follow each other are asked for, and sent, in one message: where no line paces."""
    returns_grants: bool = True
    """It says NOT INTERESTED while all that it lacks is on its way already, so that an unchoke for one
    piece goes to somebody else at once. One that lasts is kept."""
    limits: Limits = DEFAULT_LIMITS
    """What others may take of it."""
    extensions: bool = False
    """It speaks the extension protocol (BEP 10): metadata for magnet links, peer exchange."""
    exchange_seconds: float = EXCHANGE_SECONDS
    """Between two messages of peer exchange to one neighbour."""
    tracker: Address | None = None
    announce_path: str = "/announce"
    known_peers: tuple[Address, ...] = ()
    """Peers to dial beside those that the tracker knows."""


@lru_cache(maxsize=8)
def _sizes_and_blocks(
    torrent: Torrent,
) -> tuple[tuple[int, ...], tuple[tuple[tuple[int, int], ...], ...]]:
    """Give tables that all peers of a process share: worked out, they take 200 bytecodes a block."""
    pieces = range(torrent.piece_count)
    return tuple(map(torrent.piece_size, pieces)), tuple(map(torrent.blocks_of, pieces))


class PeerState:
    """The pieces and connections of one peer. The node and its halves change it; it decides nothing."""

    __slots__ = (
        "blocks",
        "config",
        "fault",
        "in_flight",
        "in_flight_limit",
        "limits_hit",
        "missing",
        "ours",
        "sessions",
        "sizes",
        "space",
        "stopping",
        "storage",
        "tally",
        "tells_later",
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
        self.sizes, self.blocks = _sizes_and_blocks(torrent)
        """Of each piece: its bytes, and (begin, length) of each of its blocks."""
        self.ours = held
        """Pieces that are here and verified; like the next two a set of `PieceSpace`."""
        self.missing = space.all & ~held
        self.in_flight = 0
        """Pieces that somebody was asked for."""
        self.unasked = self.missing
        """Pieces that are missing and that nobody was asked for: what makes a peer interesting."""
        self.in_flight_limit = config.pieces_in_flight
        """How many there may be at a time; looked at anew with each piece."""
        self.tells_later = False
        """HAVE may wait; see `TOLD_TOGETHER`."""
        self.sessions: dict[LinkId, Session] = {}
        self.stopping = False
        self.fault = ""
        """Why storage is not used any more."""
        self.limits_hit: dict[str, int] = {}
        """How often a limit was hit that ends no link, by reason."""
        self.tally = Tally(pieces_held=held.bit_count())

    def hit(self, reason: str) -> None:
        """Count a limit that was hit."""
        self.limits_hit[reason] = self.limits_hit.get(reason, 0) + 1

    def tell(self, session: Session, out: list[Effect]) -> None:
        """Tell a peer of the pieces that were kept from it until now, and that it still lacks."""
        pieces = session.untold & ~session.pieces
        session.untold = 0
        if pieces:
            out.append(Send(session.link, HaveMany(pieces, self.space.width)))

    def fail(self, reason: str, out: list[Effect]) -> None:
        """Storage has failed: begin nothing new, and say why, once: the first reason is the cause."""
        if not self.fault:
            self.fault = reason
            self.stopping = True
            out.append(Finished(False, reason))

    def limit_in_flight(self) -> None:
        """Set the limit by how many links there are, and how many pieces are missing."""
        limit = self.config.pieces_in_flight
        far_from_the_end = self.missing.bit_count() > END_IN_FLIGHTS * limit
        in_a_crowd = len(self.sessions) >= CROWD_LINKS
        self.in_flight_limit = 2 * limit if far_from_the_end and in_a_crowd else limit
        self.tells_later = in_a_crowd and bool(self.missing) and self.config.returns_grants
