"""A server under open load, against exact processor sharing of the recorded arrivals."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from analysis.load import prepare
from analysis.open_load import gather_responses, is_open, offered_load, pool
from testbed.frames import frames_of
from testbed.store import Run
from tests.worlds.simulating import make_plan, simulate, small_scenario

KIB = 1024


def open_scenario(**changes: Any):
    """16 KiB alone takes 31.25 ms; N times that keep a line busy for half of the time."""
    links = {
        "origin_uplink_bytes_per_second": 512.0 * KIB,
        "client_downlink_bytes_per_second": float("inf"),
        "burst_seconds": 0.0,
    }
    values = {
        "links": links,
        "arrivals": "poisson at 16 /s",
        "architectures": ("server",),
        "file_bytes": 16 * KIB,
        "clients": (40,),
    }
    return small_scenario(**(values | changes))


def responses_of(scenario, folder):
    record = simulate(make_plan(scenario, "server", scenario.clients[0], folder)).record
    manifest = {"scenario": scenario.to_dict(), "world": "simulated"}
    run = prepare(Run(folder=folder, manifest=manifest, **frames_of([record])))
    (trial,) = gather_responses(run, {("origin apart", "server", scenario.clients[0], 0)}).values()
    return trial


def test_a_lone_request_takes_its_service_time_measured_and_by_theory(tmp_path):
    scenario = open_scenario(clients=(5,), arrivals="every 1 s")
    found = responses_of(scenario, tmp_path)
    assert found.ideal_seconds == pytest.approx([16 / 512] * 5)
    # The head of the answer crosses the line as well.
    assert found.measured_seconds == pytest.approx([16 / 512] * 5, rel=0.02)


@pytest.mark.parametrize("sizes", ["whole file", "exponential with mean 64 KiB"])
def test_a_simulated_server_shares_as_theory_says_for_its_own_arrivals(tmp_path, sizes):
    # Sixteen blocks a request: the finer, the nearer to sharing that is exact.
    links = dataclasses.replace(open_scenario().links, origin_uplink_bytes_per_second=8192.0 * KIB)
    scenario = dataclasses.replace(open_scenario(), links=links, sizes=sizes, file_bytes=256 * KIB)
    scenario = dataclasses.replace(scenario, arrivals="poisson at 100 /s")
    found = pool([responses_of(scenario, tmp_path)], scenario, 256 * KIB)
    assert found is not None
    assert found.requests == 40
    assert found.ratio == pytest.approx(1, abs=0.08)


def test_the_formula_is_that_of_the_offered_load():
    scenario = open_scenario()
    assert offered_load(scenario, 16 * KIB) == pytest.approx(0.5)
    assert pool([], scenario, 16 * KIB) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"arrivals": "flash crowd"},
        {"load": "again for 2 s"},
        {"departures": "gives up at 0.1 /s"},
        {"origin_leaves": "after 1 s"},
        {"architectures": ("swarm",)},
        {"links": {"latency_seconds": 0.1}},
        {"links": {"origin_uplink_bytes_per_second": float("inf")}},
        {"tables": {"servers": {"sharing": "first come first served"}, "peers": {}}},
        {"tables": {"servers": {"origins": 2}, "peers": {}}},
    ],
)
def test_where_the_server_is_not_one_shared_line_theory_is_not_asked(changes):
    scenario = open_scenario()
    assert is_open(scenario)
    links = dataclasses.replace(scenario.links, **changes.pop("links", {}))
    assert not is_open(dataclasses.replace(scenario, links=links, **changes))


def test_runs_without_open_load_are_not_read(tmp_path: Path):
    scenario = open_scenario(arrivals="flash crowd", clients=(2,))
    record = simulate(make_plan(scenario, "server", 2, tmp_path)).record
    manifest = {"scenario": scenario.to_dict(), "world": "simulated"}
    run = prepare(Run(folder=tmp_path, manifest=manifest, **frames_of([record])))
    assert gather_responses(run, {("origin apart", "server", 2, 0)}) == {}


def test_a_late_request_is_held_against_when_it_was_made_and_when_it_was_meant(tmp_path):
    """A second late: 1/32 s of service from when it was made; as it was meant, all of it is excess."""
    scenario = open_scenario(clients=(2,), arrivals="every 9 s")
    record = simulate(make_plan(scenario, "server", 2, tmp_path)).record
    frames = frames_of([record])
    frames["transfers"]["scheduled_seconds"] -= 1.0
    run = prepare(
        Run(folder=tmp_path, manifest={"scenario": scenario.to_dict(), "world": "simulated"}, **frames)
    )
    (responses,) = gather_responses(run, {("origin apart", "server", 2, 0)}).values()
    found = pool([responses], scenario, 16 * KIB)
    assert found is not None
    assert found.late_seconds == pytest.approx(1)
    assert found.ratio == pytest.approx(1, abs=0.01)
    assert found.intended_ratio == pytest.approx((1 + 1 / 32) * 32, rel=0.01)
