"""A tiny sweep through the real command: Locust, node hosts, sockets, files, report."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from loadtests.order import trial_order
from loadtests.preflight import load_scenarios
from testbed.store import load_run
from tests.loadtests.live import run_trial
from tests.loadtests.running import manifest, run, temporary_files, write_scenario

pytestmark = [pytest.mark.sockets, pytest.mark.slow]

FILE_BYTES = 96 * 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def scenario(folder):
    return write_scenario(folder)


@pytest.fixture(scope="module")
def first_run(folder, scenario):
    """Run both arms at N = 1 and trace them; gives the run's folder."""
    done = run(
        folder, "run", scenario, "--clients", "1", "--trace", "--quiet", "--output", folder / "results"
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "results" / done.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def resumed(folder, scenario, first_run):
    """Go on with N = 2; gives what the command said."""
    return run(folder, "run", scenario, "--resume", first_run, "--json")


@pytest.fixture(scope="module")
def whole_run(resumed):
    return load_run(Path(json.loads(resumed.stdout.splitlines()[-1])["folder"]))


def test_quiet_prints_the_folder_of_a_run_that_is_complete(first_run):
    assert manifest(first_run)["status"] == "complete"
    assert (first_run / "report" / "report.html").is_file()


def test_resuming_makes_the_missing_trials_alone(resumed):
    lines = [json.loads(line) for line in resumed.stdout.splitlines()]
    assert resumed.returncode == 0, resumed.stderr
    assert [line["event"] for line in lines] == ["planned", "trial", "trial", "run"]
    assert [line["clients"] for line in lines[1:3]] == [2, 2]
    assert {line["architecture"] for line in lines[1:3]} == {"server", "swarm"}


def test_a_resumed_run_holds_all_trials_in_the_order_they_were_made(whole_run, scenario):
    trials = whole_run.trials.sort_values("order")
    assert list(trials["clients"]) == [1, 1, 2, 2]
    assert set(trials["status"]) == {"complete"}
    at_one = [slot.architecture for slot in trial_order(*load_scenarios(scenario, {}, clients=[1]))]
    assert list(trials["architecture"])[:2] == at_one


def test_every_byte_sent_was_received_once_the_links_had_drained(whole_run):
    for trial in whole_run.trials.itertuples():
        assert trial.payload_sent_bytes == trial.payload_received_bytes
        assert trial.payload_received_bytes >= trial.clients * FILE_BYTES


def test_every_file_has_the_right_hash(whole_run):
    assert list(whole_run.trials["files_verified"]) == list(whole_run.trials["files_expected"])
    clients = whole_run.nodes[whole_run.nodes["role"] == "client"]
    assert clients["verified"].all()


def test_a_node_received_what_its_verified_file_and_its_waste_add_up_to(whole_run):
    for node in whole_run.nodes[whole_run.nodes["role"] == "client"].itertuples():
        assert node.downloaded_payload_bytes == FILE_BYTES + node.wasted_payload_bytes


def test_transfers_cover_the_file_and_name_their_sources(whole_run):
    ok = whole_run.transfers[whole_run.transfers["outcome"] == "ok"]
    for (architecture, clients, node), rows in ok.groupby(["architecture", "clients", "node_id"]):
        assert rows["payload_bytes"].sum() == FILE_BYTES
        assert set(rows["source_id"]) <= set(range(clients + 1)) - {node}
        assert set(rows["unit"]) == {"file" if architecture == "server" else "piece"}


def test_times_of_a_transfer_follow_each_other(whole_run):
    rows = whole_run.transfers
    assert (rows["scheduled_seconds"] <= rows["started_seconds"]).all()
    assert (rows["started_seconds"] <= rows["first_byte_seconds"]).all()
    assert (rows["first_byte_seconds"] <= rows["finished_seconds"]).all()


def test_nobody_beats_the_bound_by_more_than_the_burst(whole_run):
    clients = whole_run.nodes[whole_run.nodes["role"] == "client"]
    for _, rows in clients.groupby(["architecture", "clients"]):
        makespan = rows["finished_seconds"].max() - rows["joined_seconds"].min()
        assert makespan >= FILE_BYTES / (4 * 1024 * 1024) - 0.020


def test_origin_and_clients_live_in_processes_of_their_own(whole_run):
    roles = whole_run.nodes.groupby("process")["role"].unique().map(set)
    assert roles[0] <= {"origin", "tracker"}
    assert roles[1] == {"client"}


def test_every_process_is_sampled_the_load_generator_too(whole_run):
    processes = whole_run.samples[whole_run.samples["scope"] == "process"]
    for _, rows in processes.groupby(["architecture", "clients"]):
        assert dict(zip(rows["process"], rows["role"], strict=True)) == {
            -1: "generator",
            0: "origin",
            1: "client",
        }
        assert (rows["memory_bytes"] > 0).all()


def test_nothing_is_left_of_a_run_but_its_folder(folder, whole_run):
    assert list(temporary_files(folder).iterdir()) == []
    names = sorted(path.name for path in whole_run.folder.parent.iterdir())
    assert all(not name.startswith(".") for name in names)
    assert (folder / "results" / "latest").resolve() == whole_run.folder


def test_a_trace_has_a_line_for_every_event_of_every_node(first_run):
    traces = sorted((first_run / "logs").rglob("*.jsonl"))
    assert [path.parent.name for path in traces] == ["server-1-0"] * 2 + ["swarm-1-0"] * 2
    lines = [json.loads(line) for path in traces for line in path.read_text().splitlines()]
    assert {"node", "now", "event", "effects"} == set(lines[0])
    assert {line["event"]["is"] for line in lines} >= {"Started", "LinkUp", "Received", "Departed"}


@pytest.mark.parametrize(("placement", "processes"), [("together", 1), ("one each", 4)])
def test_roles_can_share_a_process_or_have_one_each(tmp_path, placement, processes):
    record = run_trial(tmp_path, "swarm", 2, f"scenario.placement={placement}")
    assert (record.trial.status, record.trial.reason) == ("complete", "")
    assert len({node.process for node in record.nodes}) == processes
    assert record.trial.files_verified == 2


@pytest.mark.parametrize("architecture", ["server", "swarm"])
def test_a_users_own_file_smaller_than_a_piece_is_distributed(tmp_path, architecture):
    own = tmp_path / "own file.bin"
    own.write_bytes(b"a few bytes")
    record = run_trial(tmp_path, architecture, 2, file=own)
    assert (record.trial.status, record.trial.reason) == ("complete", "")
    assert record.trial.files_verified == 2
    assert own.read_bytes() == b"a few bytes"


def test_who_comes_later_is_counted_from_when_it_was_due(tmp_path):
    record = run_trial(tmp_path, "server", 3, "scenario.arrivals=every 0.2 s")
    scheduled = sorted(row.scheduled_seconds for row in record.transfers)
    assert [b - a for a, b in pairwise(scheduled)] == pytest.approx([0.2, 0.2])
    for row in record.transfers:
        assert row.started_seconds >= row.scheduled_seconds


def test_who_leaves_at_completion_is_gone_before_the_last_has_come(tmp_path):
    settings = ("scenario.arrivals=every 0.3 s", "scenario.departures=at completion")
    record = run_trial(tmp_path, "swarm", 2, *settings)
    assert record.trial.status == "complete", record.trial.reason
    first, second = (node for node in record.nodes if node.role == "client")
    assert first.left_seconds == pytest.approx(first.finished_seconds, abs=0.05)
    assert first.left_seconds < second.joined_seconds
