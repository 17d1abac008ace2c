"""No simulated run beats a bound, and no byte is lost or made."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.worlds.simulating import KIB, make_plan, simulate, small_scenario

RATES = st.sampled_from([32.0 * KIB, 100.0 * KIB, 256.0 * KIB, 1000.0 * KIB])


@st.composite
def scenarios(draw):
    return small_scenario(
        seed=draw(st.integers(0, 10**6)),
        file_bytes=draw(st.sampled_from([1, 16 * KIB, 100_000, 256 * KIB])),
        arrivals=draw(st.sampled_from(["flash crowd", "every 0.3 s", "poisson at 2 /s"])),
        departures=draw(st.sampled_from(["after the last", "at completion", "after 1 s of seeding"])),
        trial_limit_seconds=3600.0,
        links={
            "origin_uplink_bytes_per_second": draw(RATES),
            "client_uplink_bytes_per_second": draw(RATES),
            "client_downlink_bytes_per_second": draw(RATES),
            "latency_seconds": draw(st.sampled_from([0.0, 0.005, 0.1])),
            "burst_seconds": draw(st.sampled_from([0.0, 0.02])),
        },
        peers={
            "piece_length": draw(st.sampled_from(["16 KiB", "32 KiB"])),
            "neighbours": draw(st.integers(2, 8)),
        },
    )


def bound_seconds(scenario, architecture, clients):
    """The fluid bound (Kurose and Ross), less what the lines may run ahead by."""
    links, size = scenario.links, scenario.file_bytes
    origin = links.origin_uplink_bytes_per_second
    uplink = links.client_uplink_bytes_per_second
    downlink = links.client_downlink_bytes_per_second
    if architecture == "server":
        seconds = max(clients * size / origin, size / downlink)
    else:
        seconds = max(size / origin, size / downlink, clients * size / (origin + clients * uplink))
    return seconds - links.burst_seconds


@settings(max_examples=40, deadline=None)
@given(scenario=scenarios(), architecture=st.sampled_from(["server", "swarm"]), n=st.integers(1, 7))
def test_no_run_beats_the_bound_and_bytes_are_conserved(scenario, architecture, n):
    with tempfile.TemporaryDirectory() as folder:
        trial = simulate(make_plan(scenario, architecture, n, Path(folder)))
    row = trial.record.trial
    note(f"seed {scenario.seed}, {row.status}: {row.reason}")
    assert row.status == "complete"
    assert row.files_verified == n
    assert row.payload_sent_bytes == row.payload_received_bytes
    for client in trial.clients:
        # Nobody gets less than the file, and what is more than the file was counted as waste.
        assert client.downloaded_payload_bytes - client.wasted_payload_bytes == scenario.file_bytes
    assert trial.makespan_seconds >= bound_seconds(scenario, architecture, n) - 1e-9


@pytest.mark.parametrize("clients", [1, 4, 16])
def test_a_fair_server_needs_what_the_narrowest_line_needs_and_one_block(clients, tmp_path):
    trial = simulate(make_plan(small_scenario(), "server", clients, tmp_path))
    bound = max(clients * 256 / 512, 256 / 256)
    assert bound <= trial.makespan_seconds <= bound + 16 / 256 + 0.005


def test_a_dial_costs_a_round_trip_and_a_request_another(tmp_path):
    # The file is one block: SYN and SYN-ACK, then request and answer, then the block's own 1 s.
    scenario = small_scenario(
        file_bytes=16 * KIB,
        links={
            "origin_uplink_bytes_per_second": 16.0 * KIB,
            "client_downlink_bytes_per_second": 1e12,
            "latency_seconds": 0.25,
            "burst_seconds": 0.0,
        },
    )
    trial = simulate(make_plan(scenario, "server", 1, tmp_path))
    assert trial.makespan_seconds == pytest.approx(1 + 4 * 0.25, rel=0.02)


def test_a_swarm_without_enough_time_says_who_is_unfinished(tmp_path):
    trial = simulate(make_plan(small_scenario(trial_limit_seconds=0.2), "swarm", 3, tmp_path))
    assert trial.record.trial.status == "failed"
    assert "not done within 0.2 s: 3 of 3 clients unfinished (1, 2, 3)" in trial.record.trial.reason


def test_clients_that_give_up_are_not_waited_for(tmp_path):
    scenario = small_scenario(departures="gives up at 2 /s", file_bytes=1024 * KIB)
    trial = simulate(make_plan(scenario, "swarm", 12, tmp_path))
    row = trial.record.trial
    assert row.status == "complete"
    assert row.files_verified == row.files_expected < 12
    assert row.payload_sent_bytes == row.payload_received_bytes
