"""What a run takes, known before it starts."""

from __future__ import annotations

import dataclasses

import pytest

from analysis.theory.balancing import random_fullest_share
from loadtests import estimate
from loadtests.order import Slot, trial_order
from testbed.links import Links
from testbed.scenario import Scenario

MIB = 1024 * 1024
FILE_BYTES = 5 * MIB // 2
LINKS = Links(
    origin_uplink_bytes_per_second=8.0 * MIB,
    client_uplink_bytes_per_second=1.0 * MIB,
    client_downlink_bytes_per_second=2.0 * MIB,
)


def scenario(*placements: str) -> Scenario:
    return Scenario(
        name="any",
        clients=(1, 2, 4, 6, 8, 16, 32),
        file_bytes=FILE_BYTES,
        links=LINKS,
        placements=placements or ("origin apart",),
    )


@pytest.mark.parametrize(
    ("architecture", "clients", "seconds"),
    [("server", 4, 1.25), ("server", 32, 10.0), ("swarm", 1, 1.25), ("swarm", 32, 2.0)],
)
def test_bounds_are_those_of_the_theory(architecture, clients, seconds):
    assert estimate.bound_seconds(architecture, clients, scenario(), FILE_BYTES) == seconds


def test_the_default_sweep_is_expected_to_fit_its_budget():
    slots = trial_order(scenario())
    bounds = sum(
        estimate.bound_seconds(slot.architecture, slot.clients, scenario(), FILE_BYTES)
        for slot in slots
    )
    assert bounds == pytest.approx(99, abs=1)
    assert bounds < estimate.run_seconds(slots, scenario(), FILE_BYTES) <= 190


def test_several_servers_are_expected_to_take_as_long_as_the_fullest():
    def took(clients, **servers: object):
        several = dataclasses.replace(scenario(), tables={"servers": servers})
        slot = Slot(0, "server", clients, 0)
        return estimate.trial_seconds(slot, several, FILE_BYTES) - estimate.OVERHEAD_SECONDS

    assert took(256, origins=8) == pytest.approx(took(256) / 8)
    assert took(250, origins=8) == pytest.approx(took(256) / 8)
    assert took(32, origins=1, choice="random") == took(32)
    by_chance = took(256, origins=8, choice="random") / took(256, origins=8)
    assert by_chance == pytest.approx(random_fullest_share(256, 8))


def test_a_process_for_each_node_takes_longer_to_start():
    slot = Slot(0, "swarm", 8, 0)
    apart = estimate.trial_seconds(slot, scenario(), FILE_BYTES)
    assert estimate.trial_seconds(slot, scenario("one each"), FILE_BYTES) > apart


def test_virtual_time_costs_what_its_blocks_cost_however_slow_the_lines():
    slot = Slot(0, "swarm", 100, 0)
    blocks = [
        estimate.trial_seconds(slot, one, size, "simulated") - estimate.SIMULATED_OVERHEAD_SECONDS
        for one, size in (
            (scenario(), FILE_BYTES),
            (dataclasses.replace(scenario(), links=Links()), FILE_BYTES),
            (scenario(), 2 * FILE_BYTES),
        )
    ]
    assert blocks[0] == blocks[1] == pytest.approx(blocks[2] / 2)
    assert estimate.run_seconds([slot] * 9, scenario(), FILE_BYTES, "flow") < 1


def test_a_full_mesh_needs_as_many_files_as_it_has_links():
    files = estimate.open_files([Slot(0, "swarm", 32, 0)], scenario(), neighbours=32)
    assert files.count > 32 * 31


def test_the_busiest_trial_decides_how_many_files_are_needed():
    slots = [Slot(0, "server", 32, 0), Slot(1, "swarm", 32, 0), Slot(2, "swarm", 2, 0)]
    files = estimate.open_files(slots, scenario(), neighbours=20)
    assert (files.architecture, files.clients) == ("swarm", 32)


def test_fewer_neighbours_need_fewer_files():
    slots = [Slot(0, "swarm", 64, 0)]
    few = estimate.open_files(slots, scenario(), neighbours=4).count
    assert few < estimate.open_files(slots, scenario(), neighbours=40).count


def test_roles_in_processes_of_their_own_need_fewer_files_in_one():
    slots = [Slot(0, "server", 16, 0)]
    counts = [
        estimate.open_files(slots, scenario(placement), neighbours=20).count
        for placement in ("one each", "origin apart", "together")
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[2]
