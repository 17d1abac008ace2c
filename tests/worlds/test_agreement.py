"""One small scenario through both worlds gives the same outcome for every node."""

from __future__ import annotations

import pytest
import trio

from loadtests.casts import make_cast
from testbed.cast import STARTING_ORDER
from testbed.link import Pacer
from testbed.live import LiveWorld
from testbed.sockets import loopback_host
from testbed.storage import FileStorage
from tests.worlds.simulating import KIB, make_plan, simulate, small_scenario

CLIENTS = 5


async def run_live(plan):
    """Run a trial on sockets, all nodes in this process; give its stations and its start."""
    scenario, content = plan.read_scenario(), plan.read_content()
    cast = make_cast(plan.architecture, scenario, content, plan.clients, plan.seed)
    world, done, stations, known = LiveWorld(), trio.Event(), {}, {}
    finished = []

    def on_finished(station):
        finished.append(station)
        if len(finished) == plan.clients:
            done.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(world.run)
        for role in STARTING_ORDER:
            for place in (place for place in cast.places if place.role == role):
                storage = None
                if role == "origin":
                    storage = FileStorage.of(content.path)
                elif role == "client":
                    path = content.path.parent / f"client-{place.node_id}"
                    storage = FileStorage.empty(path, content.size_bytes)
                station = stations[place.node_id] = world.add(
                    cast.node(place, known, storage),
                    (loopback_host(place.node_id), 0),
                    cast.wires,
                    accepts=place.accepts,
                    uplink=Pacer(place.uplink_bytes_per_second, scenario.links.burst_seconds),
                    downlink=Pacer(place.downlink_bytes_per_second, scenario.links.burst_seconds),
                )
                if role != "client":
                    known[role] = [station.address]
                    station.start(world.now())
        while plan.architecture == "swarm" and not stations[CLIENTS + 1].node.tally.requests_served:
            await trio.lowlevel.checkpoint()  # The origin announces itself.
        started = world.now()
        for node_id in range(1, CLIENTS + 1):
            stations[node_id].on_finished = on_finished
            stations[node_id].start(started)
        with trio.fail_after(120):
            await done.wait()
        assert await world.drain(5)
        nursery.cancel_scope.cancel()
    return stations, started


@pytest.mark.sockets
@pytest.mark.parametrize("architecture", ["server", "swarm"])
def test_both_worlds_give_every_node_the_same_outcome(architecture, tmp_path):
    plan = make_plan(small_scenario(file_bytes=512 * KIB), architecture, CLIENTS, tmp_path)
    simulated = simulate(plan)
    stations, started = trio.run(run_live, plan)
    clients = {row.node_id: row for row in simulated.clients}

    for node_id in range(1, CLIENTS + 1):
        ledger = stations[node_id].ledger
        assert ledger.verified
        assert clients[node_id].verified
        assert ledger.downloaded_payload_bytes == clients[node_id].downloaded_payload_bytes

    live_sent = sum(station.ledger.uploaded_payload_bytes for station in stations.values())
    assert live_sent == simulated.record.trial.payload_sent_bytes

    # A busy machine makes the live run late, never early: how close both are on a quiet one is what
    # `make agreement` measures.
    makespan = max(stations[n].ledger.finished_seconds for n in clients) - started
    assert makespan > 0.9 * simulated.makespan_seconds
