"""E17: what delay costs a swarm that its uplinks limit: a start, and little more."""

from __future__ import annotations

import pytest

from tests.worlds.simulating import KIB, make_plan, simulate, small_scenario

UPLINK = 64.0 * KIB


@pytest.fixture
def run(tmp_path):
    def trial(round_trip_seconds, file_kib=4096):
        """F/u is 64 s for 4 MiB; the lines are those of scenarios/delay.toml."""
        scenario = small_scenario(
            file_bytes=file_kib * KIB,
            trial_limit_seconds=600.0,
            links={
                "origin_uplink_bytes_per_second": 8 * UPLINK,
                "client_uplink_bytes_per_second": UPLINK,
                "client_downlink_bytes_per_second": 4 * UPLINK,
                "latency_seconds": round_trip_seconds / 2,
            },
            peers={"piece_length": "32 KiB"},
        )
        return simulate(make_plan(scenario, "swarm", 8, tmp_path))

    return trial


@pytest.mark.parametrize("round_trip_seconds", [0.04, 0.1, 0.2, 0.4])
def test_delay_costs_an_upload_limited_swarm_less_than_15_percent(round_trip_seconds, run):
    assert run(round_trip_seconds).makespan_seconds < 1.15 * run(0.0).makespan_seconds


def test_first_piece_comes_after_five_round_trips_and_what_it_takes_to_send(run):
    """Dial and ask the tracker, dial a peer, greet it and be granted a piece, ask for it."""

    def first_piece(round_trip_seconds):
        trial = run(round_trip_seconds, file_kib=512)
        joined = min(row.joined_seconds for row in trial.clients)
        return min(row.finished_seconds for row in trial.record.transfers) - joined

    assert first_piece(0.4) - first_piece(0.0) == pytest.approx(5 * 0.4, abs=0.05)
