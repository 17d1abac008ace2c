"""Delays between classes of nodes, and loss, in the simulated world; delays also on sockets."""

from __future__ import annotations

import pytest

from testbed.cast import origin_and_clients, pair_delays
from testbed.links import ClientClass, PairLatency, loss_limited_rate
from tests.worlds.simulating import KIB, make_plan, simulate, small_scenario


def a_class(name, latency_seconds=0.0):
    return ClientClass(
        name=name,
        share=1,
        uplink_bytes_per_second=128.0 * KIB,
        downlink_bytes_per_second=8192.0 * KIB,
        latency_seconds=latency_seconds,
    )


def near_and_far(seconds):
    return {
        "classes": (a_class("near"), a_class("far")),
        "pairs": (PairLatency(between=("far", "origin"), latency_seconds=seconds),),
    }


def first_bytes(trial):
    return {row.node_id: row.first_byte_seconds for row in trial.record.transfers}


def test_a_distant_class_waits_two_round_trips_for_its_first_byte(tmp_path):
    # A dial there and back, a request there and an answer back: four times one way.
    scenario = small_scenario(links=near_and_far(0.25))
    close = first_bytes(simulate(make_plan(small_scenario(), "server", 2, tmp_path)))
    distant = first_bytes(simulate(make_plan(scenario, "server", 2, tmp_path)))
    assert distant[1] <= close[1]
    assert distant[2] == pytest.approx(1.0, abs=0.2)


def test_the_delay_of_a_pair_holds_in_both_directions_and_for_nobody_else():
    links = small_scenario(links=near_and_far(0.25)).links
    places = origin_and_clients(links, 4, origin_accepts="x", clients_accept=None)
    delays = pair_delays(links, places, lambda node: f"host {node}")
    assert delays == {
        "origin": {"host 2": 0.25, "host 4": 0.25},
        "far": {"host 0": 0.25},
    }


@pytest.mark.parametrize("architecture", ["server", "swarm"])
def test_everybody_finishes_over_lossy_lines_and_nobody_faster(architecture, tmp_path):
    lossy = {"latency_seconds": 0.05, "loss_fraction": 0.02}
    clean = simulate(
        make_plan(small_scenario(links={"latency_seconds": 0.05}), architecture, 4, tmp_path)
    )
    lost = simulate(make_plan(small_scenario(links=lossy), architecture, 4, tmp_path))
    assert all(row.verified for row in lost.clients)
    assert lost.record.trial.payload_sent_bytes == lost.record.trial.payload_received_bytes
    assert lost.makespan_seconds >= clean.makespan_seconds


def test_one_lossy_connection_carries_what_mathis_and_others_found(tmp_path):
    rate = loss_limited_rate(0.02, 0.2)
    fast = {
        "origin_uplink_bytes_per_second": 8192.0 * KIB,
        "client_downlink_bytes_per_second": 8192.0 * KIB,
        "latency_seconds": 0.1,
        "loss_fraction": 0.02,
    }
    trial = simulate(make_plan(small_scenario(links=fast), "server", 1, tmp_path))
    (row,) = trial.record.transfers
    lasted = row.finished_seconds - row.first_byte_seconds
    assert row.payload_bytes / lasted == pytest.approx(rate, rel=0.1)
