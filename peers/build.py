"""Who takes part in a swarm: a tracker, an origin that seeds, and N leechers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

from peers.core.bitfield import PieceSpace
from peers.core.introduction import PEER_WIRE, TRACKER_WIRE
from peers.core.peer import PeerNode
from peers.core.state import (
    LAPSE_SECONDS,
    PATIENCE_SECONDS,
    PIECES_IN_FLIGHT,
    REQUEST_SECONDS,
    PeerConfig,
)
from peers.core.super_seeding import SuperSeedingPeer
from peers.registry import Registry
from peers.returning import verified_pieces
from peers.settings import read_settings
from peers.torrent import BLOCK_BYTES, Torrent, default_piece_bytes
from peers.torrent_making import make
from peers.tracker import TrackerNode
from peers.wire import PeerWire
from servers.wire import Http
from testbed.cast import Known, Place, origin_and_clients
from testbed.content import Content
from testbed.errors import LocalMisuse
from testbed.links import Links
from testbed.node import Address, Node, NodeId
from testbed.scenario import Scenario
from testbed.storage import Storage
from testbed.wire import Wire

#: The tracker's lines: it is no part of the comparison and never the narrow one.
TRACKER_BYTES_PER_SECOND = math.inf

#: A downlink of so many uplinks takes all that comes as it comes.
WIDE_DOWNLINK = 4

#: What is asked for ahead of one peer where no line paces: what 10 Gbit/s bring in the 5 ms after which
#: a process that shares its core comes back to its sockets. A third gave 100 MB/s for 133 there.
UNPACED_REQUEST_BLOCKS = 384

#: Bounds of what a peer asks for at a time, in pieces.
FEWEST_IN_FLIGHT = 4
MOST_IN_FLIGHT = 32

#: What may lie unread in a link, in both worlds.
WINDOW_BYTES = 64 << 10

CLIENT_NAME = b"-SO0001-"
"""BEP 20: two letters and a version."""


def peer_id(node_id: int, seed: int, session: int = 0) -> bytes:
    """Give a node of a trial its peer id: the client's name and twelve reproducible digits.

    A peer that comes back has another one in each session, as one that was started again has.
    """
    again = f" {session}" if session else ""
    digits = Random(f"peer id {seed} {node_id}{again}").randrange(10**12)
    return CLIENT_NAME + b"%012d" % digits


@cache
def _torrent(path: Path, size_bytes: int, sha256: str, piece_bytes: int) -> Torrent:
    """Hash the content once in a process, however many nodes it hosts."""
    return make(path, piece_bytes, "")


class SwarmCast:
    """Everybody who takes part in one trial of a swarm."""

    architecture = "swarm"

    def __init__(
        self, scenario: Scenario, content: Content, clients: int, seed: int, *, hashes: bool = True
    ) -> None:
        """Make a cast. `hashes` off: content is shared in memory and cannot differ (simulation).

        Raises:
          ScenarioError: the [peers] table is wrong.
        """
        self._settings = read_settings(scenario.tables["peers"], scenario.source)
        self._links = scenario.links
        self._content = content
        self._clients = clients
        self._seed = seed
        self._hashes = hashes
        piece_bytes = self._settings.piece_bytes or default_piece_bytes(
            content.size_bytes, max(scenario.clients)
        )
        self.torrent = _torrent(content.path, content.size_bytes, content.sha256, piece_bytes)

    @property
    def places(self) -> tuple[Place, ...]:
        """The origin, its clients, and the tracker as the last."""
        links = self._links
        peers = origin_and_clients(
            links, self._clients, origin_accepts=PEER_WIRE, clients_accept=PEER_WIRE
        )
        tracker = Place(
            node_id=NodeId(self._clients + 1),
            role="tracker",
            accepts=TRACKER_WIRE,
            uplink_bytes_per_second=TRACKER_BYTES_PER_SECOND,
            downlink_bytes_per_second=TRACKER_BYTES_PER_SECOND,
            latency_seconds=links.latency_seconds,
        )
        return (*peers, tracker)

    @property
    def wires(self) -> Mapping[str, Wire]:
        """The peer wire, and HTTP for the tracker, whose answers are no payload."""
        return {
            PEER_WIRE: PeerWire(
                self.torrent.piece_count,
                run_piece_bytes=self.torrent.piece_bytes if self._links.unlimited else None,
            ),
            TRACKER_WIRE: Http(bodies_are_payload=False),
        }

    def node(self, place: Place, known: Known, storage: Storage | None) -> Node:
        """Make the node of a place."""
        rng = Random(f"{self._seed} {self._clients} {place.node_id}")
        if place.role == "tracker":
            interval = self._settings.announce_interval_seconds
            return TrackerNode(Registry(rng=rng, interval_seconds=interval))
        held = PieceSpace(self.torrent.piece_count).all if place.role == "origin" else 0
        return self._peer(place, known, storage, rng, peer_id(place.node_id, self._seed), held)

    def successor(
        self,
        place: Place,
        known: Known,
        storage: Storage | None,
        before: Node,
        session: int,
    ) -> Node:
        """Make the peer that goes on with another's pieces, and knows those whom that one knew."""
        if not isinstance(before, PeerNode) or storage is None:
            raise LocalMisuse("only a peer with storage goes on at another address")
        held = verified_pieces(self.torrent, storage, before.held) if self._hashes else before.held
        rng = Random(f"{self._seed} {self._clients} {place.node_id} {session}")
        own_id = peer_id(place.node_id, self._seed, session)
        peer = self._peer(place, known, storage, rng, own_id, held, before.known_addresses)
        peer.take_up(before)
        return peer

    def _peer(
        self,
        place: Place,
        known: Known,
        storage: Storage | None,
        rng: Random,
        own_id: bytes,
        held: int,
        known_peers: tuple[Address, ...] = (),
    ) -> PeerNode:
        if storage is None:
            raise LocalMisuse("a peer needs storage")
        # What is planned for a delay is planned for the longest it may meet.
        delay = self._links.longest_latency_of(place.class_name, place.latency_seconds)
        place = replace(place, latency_seconds=delay)
        in_flight = pieces_in_flight(place, self._links, self.torrent.piece_bytes)
        by_grants = self._settings.serving == "rotating grants"
        if not by_grants:
            # Whoever unchokes us is asked. With 8 pieces in flight in place of 16, d = 4u and N = 16,
            # everybody unchoked had efficiency .64 for .92, four slots .88 for .92.
            in_flight = max(in_flight, self._settings.neighbours)
        config = PeerConfig(
            peer_id=own_id,
            neighbours=self._settings.neighbours,
            grants=grants(place, self._links, self.torrent.piece_bytes),
            request_ahead_blocks=1 + in_flight_blocks(place, self._links),
            pieces_in_flight=in_flight,
            lapse_seconds=lapse_seconds(place, self._links),
            patience_seconds=PATIENCE_SECONDS + 2 * place.latency_seconds,
            request_seconds=request_seconds(place, self._links, self.torrent.piece_bytes),
            picking=self._settings.picking,
            serving=self._settings.serving,
            unchoke_slots=self._settings.unchoke_slots,
            in_runs=self._links.unlimited,
            says_all_at_once=place.latency_seconds > 0,
            returns_grants=by_grants,
            limits=self._settings.limits,
            tracker=known["tracker"][0],
            known_peers=known_peers,
            extensions=self._settings.peer_exchange,
            exchange_seconds=self._settings.exchange_interval_seconds,
        )
        verify = None if self._hashes else _cannot_differ
        super_seeding = place.role == "origin" and self._settings.origin == "super-seeding"
        make_peer = SuperSeedingPeer if super_seeding else PeerNode
        return make_peer(config, self.torrent, storage, rng, held=held, verify=verify)


def _cannot_differ(piece: int, parts: object) -> bool:
    return True


def lapse_seconds(place: Place, links: Links) -> float:
    """How long after its last block a grant may stand unused: until the next request must be here.

    That block has to leave, which takes seconds on a slow line, arrive, and be answered.
    """
    slowest = min(place.uplink_bytes_per_second, links.slowest_downlink_bytes_per_second)
    return max(LAPSE_SECONDS, 4 * place.latency_seconds) + BLOCK_BYTES / slowest


def request_seconds(place: Place, links: Links, piece_bytes: int) -> float:
    """How long a request may go unanswered: on slow lines, as long as the work ahead of it takes twice.

    Ahead of it are the piece that goes to somebody else, what lies in the link, and its own piece. With
    20 s in place of 200, N = 8 at u = 1.28 KiB/s took six times as long: whatever came was late.
    """
    slowest = min(
        place.downlink_bytes_per_second,
        links.origin_uplink_bytes_per_second,
        *(one.uplink_bytes_per_second for one in links.client_classes),
    )
    return max(REQUEST_SECONDS, 2 * (2 * piece_bytes + WINDOW_BYTES) / slowest)


def grants(place: Place, links: Links, piece_bytes: int) -> int:
    """How many peers a node serves at a time: as few as keep its uplink full.

    Two among equal links: one being served, one whose requests are on their way. A receiver takes
    no more than its downlink, so a fast origin needs 2 us/d. Where downlinks are so wide that nothing
    waits at them, requests come at once, and a second grant only sets a piece aside before its turn:
    simulated at N = 32 with d = 4u and more, one in place of two gives efficiency .915 for .894 with
    us = u and .962 for .956 with us = 8u; but .937 for .954 with d = 2u, us = 8u. With delay a grant
    is idle for a round trip, in which the uplink would send u RTT / p more pieces.
    """
    uplink = place.uplink_bytes_per_second
    if math.isinf(uplink):
        return 8
    narrow = links.client_downlink_bytes_per_second < WIDE_DOWNLINK * uplink
    wanted = max(2.0 if narrow else 1.0, 2 * uplink / links.client_downlink_bytes_per_second)
    delayed = 1 + uplink * 2 * place.latency_seconds / piece_bytes
    return math.ceil(max(wanted, delayed))


def pieces_in_flight(place: Place, links: Links, piece_bytes: int) -> int:
    """How many pieces a peer asks for at a time, from all peers together.

    A peer serves two at a time, so a piece takes 2 p/u to come from it, and 2 d/u pieces under way fill
    a downlink. What is asked for beyond that only waits, and is no longer free for whoever has room
    sooner, which costs at the end. Simulated with d = 2u, 4 in place of 8 gives efficiency .952 for
    .940 at N = 8, .961 for .952 at 16, .956 for .946 at 32, .883 for .853 at 256 on slow lines. With
    d = 11u, 4 left the origin without requests: live .79 at N = 5, where 22 give .88 to .93. With
    delay, what a full downlink brings in a round trip comes on top.
    """
    ratio = place.downlink_bytes_per_second / links.client_uplink_bytes_per_second
    if math.isnan(ratio):  # Both are unlimited.
        most = PIECES_IN_FLIGHT
    else:
        most = max(FEWEST_IN_FLIGHT, math.ceil(min(2 * ratio, MOST_IN_FLIGHT)))
    on_the_way = pieces_on_the_way(place, piece_bytes)
    return max(most, PIECES_IN_FLIGHT) + on_the_way if on_the_way else most


def pieces_on_the_way(place: Place, piece_bytes: int) -> int:
    """Pieces that the delay holds: what a full downlink brings in a round trip."""
    rate = place.downlink_bytes_per_second
    if not place.latency_seconds:
        return 0
    if math.isinf(rate):
        return 4 * PIECES_IN_FLIGHT
    return math.ceil(rate * 2 * place.latency_seconds / piece_bytes)


def in_flight_blocks(place: Place, links: Links) -> int:
    """Blocks that fit on the way from one peer: what must be asked for ahead of what arrives."""
    rate = min(links.client_uplink_bytes_per_second, place.downlink_bytes_per_second)
    if math.isinf(rate):
        return UNPACED_REQUEST_BLOCKS
    return math.ceil(rate * 2 * place.latency_seconds / BLOCK_BYTES)
