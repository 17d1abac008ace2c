"""What the swarm's benchmark says of what it measured."""

import math

import pytest

from benchmarks.swarm_crowd import Crowd, CrowdResult, NodeCount, RateProof
from benchmarks.swarm_table import Asked, asked_of_crowd, crowd_figures, print_table


def crowd(clients: int) -> Crowd:
    return Crowd(
        clients=clients,
        file="",
        file_bytes=1_000_000,
        piece_bytes=32 << 10,
        folder="",
        port=0,
        origin_uplink=2e6,
        uplink=1e6,
        downlink=4e6,
    )


def result_of(uploads: list[int], last_seconds: float) -> CrowdResult:
    nodes = [NodeCount(number, sent, 0, 0.01, 1.0) for number, sent in enumerate(uploads)]
    finished = dict.fromkeys(range(1, len(uploads)), last_seconds)
    return CrowdResult(finished_seconds=finished, nodes=nodes, cpu_seconds=[1.0, 2.0])


def test_figures_come_from_what_nodes_counted():
    figures = crowd_figures(crowd(4), result_of([1_200_000, 700_000, 700_000, 600_000, 800_000], 1.0))
    assert figures["efficiency"] == pytest.approx(4 / 6)
    assert figures["origin copies"] == pytest.approx(1.2)
    assert figures["copies off ideal %"] == pytest.approx(10.0)
    assert figures["spread of uploads %"] == pytest.approx(100 * 2 / 7)


def test_a_burst_that_the_mean_hides_is_found():
    proof = RateProof(1000.0)
    for tenth in range(40):
        sent = 0 if tenth < 20 else min(4 * (tenth - 20) * 100, tenth * 100)
        proof.sample(sent, tenth / 10)
    ahead, fastest = proof.found
    assert ahead <= 1e-9
    assert fastest > 2


def test_a_rate_that_is_kept_is_a_whole_of_what_is_allowed():
    proof = RateProof(1000.0)
    for tenth in range(40):
        proof.sample(tenth * 100 + 20, tenth / 10)
    assert proof.found == pytest.approx((0.02, 1.0))


def test_a_ratio_is_taken_within_a_round():
    rounds = {"a": [{"x": 2.0}, {"x": 30.0}], "b": [{"x": 1.0}, {"x": 10.0}]}
    asked = Asked("x", 1.3, True, "b")
    assert asked.reached(rounds, "a") == pytest.approx(2.5)
    assert asked.verdict(2.5) == "reached"
    assert asked.verdict(1.29) == "MISSED"


def test_what_was_not_measured_is_not_called_reached(capsys):
    [line] = print_table("N = 9; bound", {"ours": [{"x": 1.0}]}, [Asked("x", 1.0, True, "b")], "ours")
    assert line == "N = 9: x >= 1 x b: not measured"
    assert "N = 9; bound" in capsys.readouterr().out
    assert math.isnan(Asked("x", 1.0, True).reached({}, "ours"))


def test_the_spread_is_asked_of_a_crowd_of_32():
    def figures_asked(clients: int) -> set[str]:
        return {asked.figure for asked in asked_of_crowd(crowd(clients), 0.02, "other")}

    assert figures_asked(32) - figures_asked(16) == {"spread of uploads %"}
