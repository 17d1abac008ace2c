"""The flow world: the same scenario, the same run folder and report, any N."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from loadtests.client_groups import GROUPS_LIMIT, class_counts, client_groups
from loadtests.flow_trial import run_flow_trial, whole_bytes
from testbed.links import ClientClass, Links
from testbed.scenario import load
from testbed.store import load_run
from tests.experiments.running import ROOT, makespan, point, run_command, run_scenario
from tests.worlds.simulating import make_plan, makespan_seconds, simulate, small_scenario

DEFAULT = "flash_crowd"
EVERY_SIZE = ("--clients", "8,1000,10000000", "--repeats", "1", "--set", "scenario.trial_limit=2000 h")


def flow(plan):
    return run_flow_trial(plan, lambda progress: None)


def clients_of(record):
    return [row for row in record.nodes if row.role == "client"]


def test_a_run_reaches_ten_million_and_reports_like_any_other(tmp_path):
    ended = run_scenario(DEFAULT, tmp_path, "--world", "flow", *EVERY_SIZE)
    assert ended.exit_code == 0
    assert ended.summary["world"] == "flow"
    assert {one["clients"] for one in ended.summary["points"]} == {8, 1000, 10**7}
    for one in ended.summary["points"]:
        assert one["valid"]
        assert 0.99 <= one["tightness"] <= 1 + 1e-9
        assert one["completion_seconds"]["p50"] == pytest.approx(one["makespan_seconds"]["median"])
    assert makespan(ended.summary, "server", 10**7) == pytest.approx(10**7 * 2.5 / 8)
    most = point(ended.summary, "swarm", 10**7)
    # All uplinks but in the first seconds: nearly everything comes from clients.
    assert most["offload"] > 0.99999
    assert most["peers_only"]["gini"] == pytest.approx(0, abs=1e-9)
    assert point(ended.summary, "server", 1000)["gini"] == pytest.approx(1000 / 1001, abs=1e-6)
    report = (tmp_path / "latest" / "report" / "report.md").read_text()
    assert "flow world" in report

    run = load_run(tmp_path / "latest")
    assert run.manifest["world"] == "flow"
    assert len(run.transfers) == 0
    assert run.nodes.loc[run.nodes["role"] == "client", "nodes"].max() == 10**7
    assert (run.trials["payload_sent_bytes"] == run.trials["payload_received_bytes"]).all()
    assert run.trials["payload_received_bytes"].max() == 10**7 * 5 * 2**19


@pytest.mark.parametrize("clients", [8, 32, 128])
@pytest.mark.parametrize("architecture", ["server", "swarm"])
def test_simulated_runs_of_the_default_scenario_are_slower_by_at_most_a_tenth(
    architecture, clients, tmp_path
):
    plan = make_plan(load(ROOT / "scenarios" / "flash_crowd.toml"), architecture, clients, tmp_path)
    ideal, simulated = makespan_seconds(flow(plan)), simulate(plan).makespan_seconds
    # A burst lets every line run ahead of its rate by 20 ms.
    assert ideal - 0.02 <= simulated <= 1.1 * ideal


@pytest.mark.parametrize("architecture", ["server", "swarm"])
def test_clients_that_come_one_by_one_wait_as_long_as_in_the_simulated_world(architecture, tmp_path):
    scenario = small_scenario(
        arrivals="poisson at 0.75 /s", departures="after 2 s of seeding", file_bytes=1024 * 1024
    )
    plan = make_plan(scenario, architecture, 12, tmp_path)
    computed, simulated = clients_of(flow(plan)), simulate(plan).clients
    joined = [row.joined_seconds for row in computed]
    assert joined == pytest.approx([row.joined_seconds for row in simulated])
    waits = [
        sum(row.finished_seconds - row.joined_seconds for row in rows) for rows in (computed, simulated)
    ]
    assert waits[0] == pytest.approx(waits[1], rel=0.1)
    assert all(row.left_seconds <= row.finished_seconds + 2 + 1e-9 for row in computed)


def test_the_same_clients_give_up_as_in_the_simulated_world(tmp_path):
    scenario = small_scenario(departures="gives up at 1 /s", file_bytes=1024 * 1024)
    plan = make_plan(scenario, "server", 12, tmp_path)
    record = flow(plan)
    assert record.trial.status == "complete"
    computed = {row.node_id for row in clients_of(record) if not row.verified}
    assert computed
    assert computed == {row.node_id for row in simulate(plan).clients if not row.verified}
    assert record.trial.payload_sent_bytes == record.trial.payload_received_bytes


@pytest.mark.parametrize(
    "arrivals", ["every 0.1 s", "poisson at 10 /s", "decaying over 100 s", "flash crowd"]
)
def test_many_clients_are_gathered_and_none_is_lost(arrivals, tmp_path):
    scenario = small_scenario(arrivals=arrivals, departures="gives up at 0.01 /s")
    groups = client_groups(make_plan(scenario, "swarm", 12_345, tmp_path))
    assert len(groups) <= GROUPS_LIMIT
    assert sum(one.nodes for one in groups) == 12_345
    joins = [one.joins_seconds for one in groups]
    assert joins == sorted(joins)
    assert joins[0] == 0
    # Half of them would give up within ln 2 / rate.
    impatient = sum(one.nodes for one in groups if one.patience_seconds < math.log(2) / 0.01)
    assert impatient == pytest.approx(12_345 / 2, rel=0.02)


def test_gathered_arrivals_come_as_their_sentence_says(tmp_path):
    for arrivals in ("poisson at 10 /s", "decaying over 50 s", "every 0.1 s"):
        plan = make_plan(small_scenario(arrivals=arrivals), "swarm", 5000, tmp_path)
        gathered = client_groups(plan)
        mean = sum(one.nodes * one.joins_seconds for one in gathered) / 5000
        assert mean == pytest.approx(sum(plan.due_seconds()) / 5000, rel=0.05)


def test_classes_of_clients_are_counted_as_they_are_divided():
    def line(name, share):
        return ClientClass(
            name=name,
            share=share,
            uplink_bytes_per_second=1.0,
            downlink_bytes_per_second=1.0,
            latency_seconds=0.0,
        )

    links = Links(classes=(line("slow", 13), line("middle", 14), line("fast", 13)))
    for clients in (1, 5, 39, 40, 41, 97):
        names = [one.name for one in links.classes_of(clients)]
        assert [count for _, count in class_counts(links, clients)] == [
            names.count(one.name) for one in links.classes
        ]
    assert sum(count for _, count in class_counts(links, 10**7)) == 10**7


def test_unequal_clients_are_a_row_each_class(tmp_path):
    slow, fast = (
        ClientClass(
            name=name,
            share=1,
            uplink_bytes_per_second=rate,
            downlink_bytes_per_second=2 * rate,
            latency_seconds=0.0,
        )
        for name, rate in (("slow", 64.0 * 1024), ("fast", 256.0 * 1024))
    )
    plan = make_plan(small_scenario(links={"classes": (slow, fast)}), "swarm", 10, tmp_path)
    rows = clients_of(flow(plan))
    assert [row.nodes for row in rows] == [5, 5]
    assert [row.uplink_bytes_per_second for row in rows] == [64.0 * 1024, 256.0 * 1024]
    # Who has the faster line has the file sooner, and uploads more.
    assert rows[1].finished_seconds < rows[0].finished_seconds
    assert rows[1].uploaded_payload_bytes > rows[0].uploaded_payload_bytes


def test_whole_bytes_add_up_to_the_total():
    assert whole_bytes([10.6, 0.7, 0.7], 12) == [12, 0, 0]
    assert whole_bytes([3.0, 8.999999], 12) == [3, 9]


def test_a_flow_that_takes_too_long_says_who_is_unfinished(tmp_path):
    plan = make_plan(small_scenario(trial_limit_seconds=1.0), "server", 1000, tmp_path)
    record = flow(plan)
    assert record.trial.status == "failed"
    assert record.trial.reason == "not done within 1 s: 1,000 of 1,000 clients unfinished"
    assert record.trial.payload_sent_bytes == record.trial.payload_received_bytes > 0


REFUSED = {
    "delay": (("links.latency=20 ms",), "the flow world knows neither delay nor loss"),
    "loss": (("links.loss=1 %",), "the flow world knows neither delay nor loss"),
}


@pytest.mark.parametrize(("keys", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_only_the_other_worlds_know_is_refused_before_it_starts(keys, says, tmp_path):
    settings = [word for key in keys for word in ("--set", key)]
    ended = run_scenario(DEFAULT, tmp_path / "out", "--world", "flow", *settings)
    assert ended.exit_code == 2
    assert says in ended.said
    assert len(ended.said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_lines_that_limit_nothing_are_refused(tmp_path):
    path = tmp_path / "fast.toml"
    path.write_text('[scenario]\nname = "fast"\nclients = [2]\nfile_size = "1 MiB"\n')
    ended = run_command(path, "--world", "flow", "--output", tmp_path / "out")
    assert ended.exit_code == 2
    assert "[links] origin_uplink: expected a rate here or for every client_downlink" in ended.said


def test_the_users_file_counts_by_its_size_alone(tmp_path):
    (tmp_path / "image.bin").write_bytes(b"x" * 300_000)
    ended = run_scenario(
        DEFAULT, tmp_path / "out", "--world", "flow", "--file", tmp_path / "image.bin",
        "--clients", "40", "--repeats", "1",
    )  # fmt: skip
    assert makespan(ended.summary, "server", 40) == pytest.approx(40 * 300_000 / (8 * 2**20), rel=1e-5)


def test_a_flow_run_can_be_resumed(tmp_path):
    first = run_scenario(DEFAULT, tmp_path, "--world", "flow", "--clients", "8", "--repeats", "1")
    assert first.exit_code == 0
    folder = (tmp_path / "latest").resolve()
    more = run_scenario(
        DEFAULT, tmp_path, "--world", "flow", "--clients", "8,16", "--repeats", "1", "--resume", folder
    )
    assert more.exit_code == 0
    assert {one["clients"] for one in more.summary["points"]} == {8, 16}
    run = load_run((tmp_path / "latest").resolve())
    assert run.manifest["resumed_from"] == folder.name
    assert isinstance(run.nodes, pd.DataFrame)
