"""E5: rarest first against the exact optimum, where everybody uploads at the same rate."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from analysis.theory.schedule import optimal_seconds
from testbed.scenario import load_variants
from tests.worlds.simulating import KIB, make_plan, simulate, small_scenario

PIECE_BYTES = 256 * KIB
SCENARIO = Path(__file__).parents[2] / "scenarios" / "optimum.toml"


def makespan(folder, clients, pieces, picking="rarest first"):
    """A piece takes a second; downlinks are unlimited; everybody knows everybody."""
    scenario = small_scenario(
        file_bytes=pieces * PIECE_BYTES,
        trial_limit_seconds=1000.0,
        links={
            "origin_uplink_bytes_per_second": float(PIECE_BYTES),
            "client_uplink_bytes_per_second": float(PIECE_BYTES),
            "client_downlink_bytes_per_second": math.inf,
            "burst_seconds": 0.0,
        },
        peers={"piece_length": "256 KiB", "neighbours": 64, "picking": picking},
    )
    trial = simulate(make_plan(scenario, "swarm", clients, folder))
    assert trial.record.trial.status == "complete", trial.record.trial.reason
    return trial.makespan_seconds


def optimum(clients, pieces):
    return float(optimal_seconds(pieces * PIECE_BYTES, PIECE_BYTES, clients, pieces))


@pytest.mark.parametrize("clients", [1, 3, 8, 15, 32])
def test_rarest_first_is_near_the_optimum_and_never_below_it(clients, tmp_path):
    seconds = makespan(tmp_path, clients, 50)
    assert optimum(clients, 50) <= seconds <= 1.08 * optimum(clients, 50)


@pytest.mark.parametrize("clients", [1, 5, 16])
def test_a_single_piece_spreads_by_doubling(clients, tmp_path):
    best = optimum(clients, 1)
    assert best <= makespan(tmp_path, clients, 1) <= 1.01 * best


def test_pieces_in_order_are_far_from_the_optimum(tmp_path):
    assert makespan(tmp_path, 16, 50, picking="in order") > 1.3 * optimum(16, 50)


def test_thresholds_of_the_scenario_are_those_of_the_theory():
    checked = 0
    for scenario in load_variants(SCENARIO):
        pieces = scenario.file_bytes // PIECE_BYTES
        for threshold in scenario.thresholds:
            for clients in (threshold.from_clients, threshold.to_clients):
                assert threshold.at_most == pytest.approx(1.08 * optimum(clients, pieces), abs=0.01)
                checked += 1
    assert checked == 28
