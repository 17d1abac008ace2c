"""A swarm in memory: real nodes and stations, a virtual clock, messages that cross as they are."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterable
from hashlib import sha1
from random import Random
from typing import Any

from peers.core.bitfield import PieceSpace
from peers.core.introduction import PEER_WIRE, TRACKER_WIRE
from peers.core.peer import PeerNode
from peers.core.state import PeerConfig
from peers.core.super_seeding import SuperSeedingPeer
from peers.registry import Registry
from peers.torrent import Torrent, describe
from peers.tracker import TrackerNode
from testbed.link import Pacer
from testbed.node import Address, DialFailed, FileSlice, LinkId, Message, Node, Payload
from testbed.station import Link, Station

TRACKER: Address = ("10.0.0.1", 6969)


def content_of(size_bytes: int, seed: int = 0) -> bytes:
    """Bytes that differ from piece to piece."""
    return Random(seed).randbytes(size_bytes)


def torrent_of(content: bytes, piece_bytes: int) -> Torrent:
    """The torrent of a content that is in no file."""
    hashes = [
        sha1(content[start : start + piece_bytes]).digest()
        for start in range(0, len(content), piece_bytes)
    ]
    return describe("content", len(content), piece_bytes, hashes)


class MemoryStorage:
    """A file in memory that refuses to give what was not written, and to keep what is not true."""

    def __init__(self, torrent: Torrent, truth: bytes, held: int) -> None:
        self.size_bytes = len(truth)
        self.written: set[int] = set(PieceSpace(torrent.piece_count).indices(held))
        self._torrent = torrent
        self._truth = truth

    def read(self, offset: int, size_bytes: int) -> bytes:
        assert offset // self._torrent.piece_bytes in self.written, "a piece that is not here was sent"
        return self._truth[offset : offset + size_bytes]

    def write(self, offset: int, parts: Iterable[Payload]) -> None:
        content = b"".join(bytes(part) for part in parts if not isinstance(part, FileSlice))
        piece, rest = divmod(offset, self._torrent.piece_bytes)
        assert rest == 0
        assert piece not in self.written, "a piece was kept twice"
        assert len(content) == self._torrent.piece_size(piece)
        assert content == self._truth[offset : offset + len(content)], "a corrupt piece was kept"
        self.written.add(piece)

    def sha256(self) -> str:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to let go of."""


class MemoryLink(Link):
    """One end of a link without delay."""

    __slots__ = ("far", "open", "room")

    far: MemoryLink

    def __init__(self, station: MemoryStation, link_id: LinkId, remote: Address) -> None:
        super().__init__(station, link_id, remote)
        self.open = True
        self.room = True

    @property
    def has_room(self) -> bool:
        return self.room

    def transmit(self, message: Message) -> None:
        if self.open:
            clock = self.station.clock
            self.station.ledger.uploaded_payload_bytes += message.payload_bytes
            clock.call_at(clock.now(), self.far.station.receive, self.far, message)

    def hang_up(self) -> None:
        if self.open:
            self.open = self.far.open = False
            clock = self.station.clock
            clock.call_at(clock.now(), self.far.station.link_is_down, self.far, "closed")


class MemoryStation(Station):
    """A node's place in the swarm in memory."""

    world: MemoryWorld
    accepts: str | None = None

    def dial(self, remote: Address, wire: str) -> None:
        self.world.connect(self, remote, wire)

    def receive(self, link: Link, message: Message) -> None:
        self.ledger.downloaded_payload_bytes += message.payload_bytes
        super().receive(link, message)


class MemoryWorld:
    """A virtual clock, and links between its stations."""

    def __init__(self) -> None:
        self.stations: dict[Address, MemoryStation] = {}
        self.events = 0
        self._now = 0.0
        self._due: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, function: Callable[..., None], *args: object) -> None:
        heapq.heappush(self._due, (max(when, self._now), next(self._order), function, args))

    def add(self, node: Node, address: Address, accepts: str, rate: float = math.inf) -> MemoryStation:
        """Give a node a place and an uplink of this rate."""
        station = MemoryStation(self, node, address, Pacer(rate), Pacer(math.inf))
        station.world = self
        station.accepts = accepts
        self.stations[address] = station
        return station

    def connect(self, station: MemoryStation, remote: Address, wire: str) -> None:
        """Open a link, or say that nobody answers."""
        other = self.stations.get(remote)
        if other is None or other.accepts != wire:
            self.call_at(self._now, station.feed, DialFailed(remote, wire, "nobody there"))
            return
        near = MemoryLink(station, station.new_link_id(), remote)
        far = MemoryLink(other, other.new_link_id(), (station.address[0], 40000 + near.id))
        near.far, far.far = far, near

        def up(link: MemoryLink, *, dialled: bool) -> None:
            link.station.link_is_up(link, dialled=dialled, wire=wire)

        self.call_at(self._now, lambda: up(far, dialled=False))
        self.call_at(self._now, lambda: up(near, dialled=True))

    def run(self, done: Callable[[], bool], *, most_events: int) -> None:
        """Let time pass until `done`; fails if that takes more than so many events."""
        while not done():
            assert self.events < most_events, "no progress: a deadlock, or a livelock"
            assert self._due, "nothing is due any more"
            self.events += 1
            self._now, _, function, args = heapq.heappop(self._due)
            function(*args)


class Swarm:
    """A tracker, some seeds and some leechers of one torrent."""

    def __init__(
        self,
        torrent: Torrent,
        content: bytes,
        held: Iterable[int],
        *,
        rate: float = math.inf,
        neighbours: int = 20,
        pieces_in_flight: int = 8,
        seed: int = 0,
        super_seeding: bool = False,
        **config: Any,
    ) -> None:
        """`held`: for each peer the pieces that it starts with. `super_seeding`: the first one does.

        `config`: more fields of `PeerConfig`.
        """
        held = list(held)
        self._told = (
            f"{torrent.file_bytes} bytes in pieces of {torrent.piece_bytes}, held {held}, rate {rate}, "
            f"{neighbours} neighbours, {pieces_in_flight} in flight, seed {seed}, "
            f"super-seeding {super_seeding}, {config}"
        )
        self.torrent = torrent
        self.world = MemoryWorld()
        tracker = TrackerNode(Registry(rng=Random(seed)))
        self.world.add(tracker, TRACKER, TRACKER_WIRE).start(0.0)
        self.peers: list[PeerNode] = []
        self.stores: list[MemoryStorage] = []
        self.stations: list[MemoryStation] = []
        for number, pieces in enumerate(held):
            store = MemoryStorage(torrent, content, pieces)
            settings = PeerConfig(
                peer_id=b"-SO0001-%012d" % number,
                neighbours=neighbours,
                pieces_in_flight=pieces_in_flight,
                tracker=TRACKER,
                **config,
            )
            make_peer = SuperSeedingPeer if super_seeding and not number else PeerNode
            peer = make_peer(settings, torrent, store, Random(f"{seed} {number}"), held=pieces)
            address = (f"10.1.{number // 250}.{number % 250 + 1}", 6881)
            self.peers.append(peer)
            self.stores.append(store)
            self.stations.append(self.world.add(peer, address, PEER_WIRE, rate))

    def __repr__(self) -> str:
        return self._told

    def start(self) -> None:
        """Everybody begins at once."""
        for station in self.stations:
            station.start(self.world.now())

    def run(self, most_events: int = 200_000) -> None:
        """Let time pass until every peer has every piece."""
        self.start()
        self.world.run(lambda: all(peer.is_complete for peer in self.peers), most_events=most_events)
