"""Our peers as contestants of `benchmarks.swarm`: the nodes of a live trial, without Locust."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import msgspec
import trio

from benchmarks.swarm_crowd import Crowd, NodeCount, ProcessCount, RateProof
from peers.build import SwarmCast
from peers.core.introduction import PEER_WIRE
from peers.core.peer import PeerNode
from peers.messages import Request, RequestRun
from testbed.cast import Place
from testbed.content import Content, of_file
from testbed.link import Pacer
from testbed.links import Links
from testbed.live import LiveStation, LiveWorld
from testbed.node import Address, Dial, Effect, Event, Node, Send
from testbed.scenario import Scenario
from testbed.sockets import loopback_host, raise_open_file_limit
from testbed.storage import FileStorage

#: How often what was uploaded is compared with the rate.
SAMPLE_SECONDS = 0.05

OPEN_FILES = 16_384


def scenario_of(crowd: Crowd) -> Scenario:
    """Give the crowd as a scenario."""
    rates = [
        math.inf if rate is None else rate
        for rate in (crowd.origin_uplink, crowd.uplink, crowd.downlink)
    ]
    return Scenario(
        name="benchmark",
        clients=(crowd.clients,),
        repeats=1,
        seed=1,
        file_bytes=crowd.file_bytes,
        trial_limit_seconds=3600.0,
        links=Links(
            origin_uplink_bytes_per_second=rates[0],
            origin_downlink_bytes_per_second=rates[2],
            client_uplink_bytes_per_second=rates[1],
            client_downlink_bytes_per_second=rates[2],
            latency_seconds=crowd.latency_seconds,
        ),
        tables={"servers": {}, "peers": {"piece_length": f"{crowd.piece_bytes // 1024} KiB"}},
    )


class Watched:
    """A peer, and when it knew of others and when it asked one for something, the first time each."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.tally = node.tally
        self._knew_seconds: float | None = None
        self._asked_seconds: float | None = None

    @property
    def deadline(self) -> float | None:
        """The peer's own."""
        return self._node.deadline

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Let the peer decide, and look at what it orders until it has asked."""
        effects = self._node.handle(event, now)
        if self._asked_seconds is None:
            for effect in effects:
                if isinstance(effect, Dial) and effect.wire == PEER_WIRE and self._knew_seconds is None:
                    self._knew_seconds = now  # It dials as soon as the tracker has named somebody.
                elif isinstance(effect, Send) and isinstance(effect.message, Request | RequestRun):
                    self._asked_seconds = now
        return effects

    @property
    def first_request_seconds(self) -> float | None:
        """From the tracker's answer that named others; None if there was none before the request."""
        if self._knew_seconds is None or self._asked_seconds is None:
            return None
        return self._asked_seconds - self._knew_seconds


class Part:
    """The nodes of one process: the origin and the tracker are in the first."""

    def __init__(self, crowd: Crowd, part: int, parts: int) -> None:
        scenario = scenario_of(crowd)
        self._burst_seconds = scenario.links.burst_seconds
        content: Content = of_file(Path(crowd.file))
        self._crowd = crowd
        self._cast = SwarmCast(scenario, content, crowd.clients, 1)
        self._content = content
        self.world = LiveWorld()
        self.stations: dict[int, LiveStation] = {}
        self._proofs: dict[int, RateProof] = {}
        self._watched: dict[int, Watched] = {}
        places = self._cast.places
        tracker: Address = (loopback_host(places[-1].node_id), crowd.port)
        for place in (places[-1], *places[:-1]):
            if self._belongs(place, part, parts):
                self._add(place, tracker)

    @staticmethod
    def _belongs(place: Place, part: int, parts: int) -> bool:
        if place.role != "client" or parts == 1:
            return part == 0
        return part == 1 + place.node_id % (parts - 1)

    def _add(self, place: Place, tracker: Address) -> None:
        storage = None
        if place.role == "origin":
            storage = FileStorage.of(self._content.path)
        elif place.role == "client":
            path = Path(self._crowd.folder, f"client-{place.node_id}")
            storage = FileStorage.empty(path, self._content.size_bytes)
        node = self._cast.node(place, {"tracker": (tracker,)}, storage)
        if isinstance(node, PeerNode):
            node = self._watched[place.node_id] = Watched(node)
            self._proofs[place.node_id] = RateProof(place.uplink_bytes_per_second)
        station = self.world.add(
            node,
            (loopback_host(place.node_id), self._crowd.port),
            self._cast.wires,
            accepts=place.accepts,
            uplink=Pacer(place.uplink_bytes_per_second, self._burst_seconds),
            downlink=Pacer(place.downlink_bytes_per_second, self._burst_seconds),
            latency_seconds=place.latency_seconds,
        )
        self.stations[place.node_id] = station
        if place.role == "client":
            station.on_finished = lambda _: self._say_finished(place.node_id)

    def _say_finished(self, node_id: int) -> None:
        print(f"finished {node_id} {self.world.now():.6f}", flush=True)

    def start(self, at_monotonic: float) -> None:
        """Let all nodes begin: clients all at once, and the tracker and the origin with them."""
        self.world.started_at = at_monotonic
        for station in self.stations.values():
            station.start(0.0)
        self._sample()

    def _sample(self) -> None:
        now = self.world.now()
        for node_id, station in self.stations.items():
            proof = self._proofs.get(node_id)
            if proof is not None:
                proof.sample(station.ledger.uploaded_wire_bytes, now)
        self.world.call_at(now + SAMPLE_SECONDS, self._sample)

    def counts(self) -> list[NodeCount]:
        """What the origin and the clients counted."""
        return [
            NodeCount(
                node_id,
                station.ledger.uploaded_payload_bytes,
                station.node.tally.wasted_payload_bytes + station.ledger.discarded_payload_bytes,
                *self._proofs[node_id].found,
                self._watched[node_id].first_request_seconds if node_id else None,
            )
            for node_id, station in self.stations.items()
            if node_id in self._watched
        ]


async def main(crowd: Crowd, part: int, parts: int) -> None:
    """Be one process of the crowd."""
    raise_open_file_limit(OPEN_FILES)
    nodes = Part(crowd, part, parts)
    async with trio.open_nursery() as nursery:
        await nursery.start(nodes.world.run)
        print("ready", flush=True)
        order = await trio.to_thread.run_sync(sys.stdin.readline)
        at_monotonic = float(order.split()[1])
        await trio.sleep(at_monotonic - time.monotonic())
        busy = time.process_time()
        nodes.start(at_monotonic)
        await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
        count = ProcessCount(nodes.counts(), time.process_time() - busy)
        print(msgspec.json.encode(count).decode(), flush=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, msgspec.json.decode(sys.argv[1], type=Crowd), int(sys.argv[2]), int(sys.argv[3]))
