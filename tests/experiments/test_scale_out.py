"""Several servers against the load that one has: E9, the scenario's own variants on a small file."""

from __future__ import annotations

import statistics

import msgspec
import pytest

from analysis.theory.balancing import random_fullest_share
from loadtests.plan import TrialPlan
from loadtests.worlds import trial_runner
from testbed.errors import ScenarioError
from testbed.scenario import load_variants
from tests.experiments.running import ROOT, makespan, point, run_scenario
from tests.loadtests.live import run_trial
from tests.worlds.simulating import make_plan, simulate

#: Heads of requests and answers are 1 % of so short a file.
SMALL = {"scenario.file_size": "64 KiB"}
CLIENTS = 32


@pytest.fixture(scope="module")
def plans(tmp_path_factory) -> dict[str, TrialPlan]:
    """A server's trial of each variant at N = 32, by the variant's name."""
    variants = load_variants(ROOT / "scenarios" / "scale_out.toml", SMALL)
    folder = tmp_path_factory.mktemp("content")
    return {one.variant: make_plan(one, "server", CLIENTS, folder) for one in variants}


def test_servers_that_divide_the_clients_divide_the_makespan(plans):
    alone = simulate(plans["1 server"]).makespan_seconds
    for origins in (2, 4, 8):
        took = simulate(plans[f"{origins} servers"])
        assert took.makespan_seconds == pytest.approx(alone / origins, rel=0.03)
        sent = [row.uploaded_payload_bytes for row in took.record.nodes if row.role == "origin"]
        assert sent == [CLIENTS // origins * plans["1 server"].content.size_bytes] * origins


def test_the_least_busy_is_as_good_as_the_next_and_one_at_random_as_bad_as_in_theory(plans):
    in_turn = simulate(plans["8 servers"]).makespan_seconds
    assert simulate(plans["8 servers, least busy"]).makespan_seconds <= in_turn * 1.001
    by_chance = plans["8 servers, random"]
    repeats = by_chance.scenario["repeats"]
    took = [
        simulate(msgspec.structs.replace(by_chance, repeat=repeat)).makespan_seconds / in_turn
        for repeat in range(repeats)
    ]
    assert min(took) >= 1
    # A standard deviation of .30 leaves the mean of forty within .14.
    assert statistics.fmean(took) == pytest.approx(random_fullest_share(CLIENTS, 8), abs=0.14)


def test_flows_share_all_servers_and_the_swarm_keeps_one_origin(tmp_path):
    several = ("--set", "servers.origins=8", "--clients", "4,32", "--world", "flow")
    ended = run_scenario("flash_crowd", tmp_path, *several)
    assert ended.exit_code == 0, ended.said
    # 32 files of 2.5 MiB over 64 MiB/s; four clients get what their downlinks take.
    assert makespan(ended.summary, "server", 32) == pytest.approx(1.25)
    assert makespan(ended.summary, "server", 4) == pytest.approx(1.25)
    assert point(ended.summary, "server", 32)["origin_copies"] == pytest.approx(32)
    assert point(ended.summary, "server", 32)["burden_max"] == pytest.approx(4)
    assert point(ended.summary, "swarm", 32)["bound_seconds"] == pytest.approx(2.0)
    assert "8 servers" in (tmp_path / "latest" / "report" / "report.md").read_text()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"servers.choice": "random"}, "[servers] choice: in the flow world"),
        ({"scenario.clients": [20]}, "expected a number that divides 20 clients"),
    ],
)
def test_flows_that_would_be_uneven_are_refused_in_one_line(settings, said):
    overrides = {"servers.origins": 8, "scenario.clients": [32]} | settings
    scenario = load_variants(ROOT / "scenarios" / "flash_crowd.toml", overrides)[0]
    with pytest.raises(ScenarioError) as refused:
        trial_runner("flow", scenario)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.sockets
@pytest.mark.slow
def test_live_clients_are_dealt_out_to_origins_with_lines_and_addresses_of_their_own(tmp_path):
    record = run_trial(tmp_path, "server", 3, "servers.origins=2", "servers.choice=least busy")
    assert (record.trial.status, record.trial.reason) == ("complete", "")
    assert record.trial.files_verified == 3
    origins = {row.node_id: row for row in record.nodes if row.role == "origin"}
    assert list(origins) == [0, 4]
    assert len({row.address for row in origins.values()}) == 2
    file_bytes = record.trial.payload_sent_bytes // 3
    assert [row.uploaded_payload_bytes for row in origins.values()] == [2 * file_bytes, file_bytes]
    assert {row.node_id: row.source_id for row in record.transfers} == {1: 0, 2: 4, 3: 0}
