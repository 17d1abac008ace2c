"""Every simulated experiment at a small size: its own conditions, and the theory's numbers."""

from __future__ import annotations

import pytest

from tests.experiments.running import makespan, point, run_scenario


def test_large_n_stays_above_the_store_and_forward_bound_in_both_worlds(tmp_path):
    ended = run_scenario("large_n", tmp_path, "--clients", "8,64")
    assert ended.exit_code == 0, ended.said
    assert list(ended.variants) == ["simulated", "flow"]
    for name, summary in ended.variants.items():
        assert summary["world"] == name
        for clients in (8, 64):
            assert point(summary, "swarm", clients)["tightness"] <= 1
    ten_million = run_scenario("large_n", tmp_path, "--clients", "10000000", "--world", "flow")
    assert ten_million.exit_code == 0, ten_million.said
    assert list(ten_million.variants) == ["flow"]
    assert "left out, made for another world than flow: simulated" in ten_million.said
    assert "10,000,000 clients the swarm is" in ten_million.variants["flow"]["verdict"]


def test_unequal_peers_end_between_their_bound_and_a_quarter_more(tmp_path):
    ended = run_scenario("unequal", tmp_path, "--world", "flow")
    assert ended.exit_code == 0, ended.said
    bounds = {"us = 200 kB/s": 1263, "us = 100 kB/s": 1298, "us = 20 kB/s": 5938}
    for name, bound in bounds.items():
        assert point(ended.variants[name], "swarm", 40)["bound_seconds"] == pytest.approx(bound, abs=1)
        assert bound - 1 <= makespan(ended.variants[name], "swarm", 40) <= 1.25 * bound


def test_simulated_unequal_peers_end_there_too(tmp_path):
    # A short file in short pieces: a run of the whole size takes minutes.
    settings = (
        "scenario.architectures=['swarm']",
        "scenario.file_size=5 MiB",
        "peers.piece_length=64 KiB",
    )
    options = [part for setting in settings for part in ("--set", setting)]
    ended = run_scenario("unequal", tmp_path, "--world", "simulated", *options)
    assert ended.exit_code == 0, ended.said


@pytest.mark.parametrize(("clients", "doubled", "tenfold"), [(30, 0.80, 0.308), (1000, 0.990, 0.918)])
def test_a_faster_origin_helps_a_server_by_as_much_and_a_swarm_hardly(
    tmp_path, clients, doubled, tenfold
):
    ended = run_scenario("quality", tmp_path, "--world", "flow", "--clients", str(clients))
    assert ended.exit_code == 0, ended.said
    first, twice, tens = ended.variants.values()
    tolerance = 0.03 if clients == 30 else 0.005
    for variant, server, swarm in ((twice, 0.5, doubled), (tens, 0.1, tenfold)):
        for architecture, ratio in (("server", server), ("swarm", swarm)):
            took = makespan(variant, architecture, clients) / makespan(first, architecture, clients)
            assert took == pytest.approx(ratio, rel=tolerance)


@pytest.mark.parametrize("world", ["flow", "simulated"])
def test_the_burden_is_shared_as_the_uplinks_are(tmp_path, world):
    # A shorter file in the simulation: a quarter of the pieces still shows the same shares.
    shorter = ("--set", "scenario.file_size=8 MiB") if world == "simulated" else ()
    ended = run_scenario("burden", tmp_path, "--world", world, *shorter)
    assert ended.exit_code == 0, ended.said
    assert point(ended.summary, "server", 30)["gini"] == pytest.approx(0.968, abs=0.001)
    swarm = point(ended.summary, "swarm", 30)
    assert swarm["gini"] == pytest.approx(0.218, abs=0.005)
    assert swarm["jain"] == pytest.approx(0.397, abs=0.007)
    assert swarm["peers_only"]["gini"] < 0.01


def test_download_times_do_not_depend_on_the_rate_of_arrivals(tmp_path):
    ended = run_scenario("steady_state", tmp_path, "--world", "flow")
    assert ended.exit_code == 0, ended.said
    one, ten, hundred, quiet, busy = ended.variants.values()
    means = [
        point(summary, "swarm", clients)["completion_seconds"]["mean"]
        for summary, clients in ((one, 60), (ten, 600), (hundred, 6000))
    ]
    assert max(means) < 1.1 * min(means)
    # l F > us: the longer arrivals go on, the longer everybody waits.
    served = [
        point(summary, "server", clients)["completion_seconds"]["mean"]
        for summary, clients in ((quiet, 60), (busy, 600))
    ]
    assert served[0] > 50 * means[0]
    assert served[1] > 9 * served[0]
