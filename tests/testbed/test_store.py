"""Runs on disk: nothing half-written under a final name, nothing measured lost, nothing misread."""

import json
import math
import os

import pandas as pd
import pytest

from testbed import store
from testbed.errors import ScenarioError, SchemaError
from testbed.frames import frames_of, records_of
from testbed.record import METHOD_VERSION, SCHEMA_VERSION, TABLES
from testbed.store import RunWriter, load_run, resume_from
from tests.testbed.make_record import make_record

SCENARIO = {"name": "small", "seed": 7, "clients": [1, 2], "repeats": 1, "links": {"uplink": None}}


@pytest.fixture
def root(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def writer(root):
    return RunWriter(root, SCENARIO, "live", "python -m loadtests run small.toml")


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def edit_manifest(folder, changes):
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_table(folder, table, change):
    path = folder / f"{table}.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)


# --- A run from beginning to end ------------------------------------------------------------


def test_what_was_recorded_is_read_back_exactly(writer):
    records = [make_record("server", 2, 0, order=1), make_record("swarm", 2, 0, order=0)]
    for record in records:
        writer.keep(record)
    run = load_run(writer.finish("complete", []))
    assert records_of(run.frames) == sorted(records, key=lambda record: record.trial.order)
    # Beyond what a double holds: no whole number went through floating point.
    assert set(run.nodes["uploaded_payload_bytes"]) == {2**53 + 1}


def test_an_empty_cell_is_nan_and_an_unlimited_rate_infinite(writer):
    writer.keep(make_record())
    run = load_run(writer.finish("complete", []))
    assert run.nodes["finished_seconds"].isna().tolist() == [False, True]
    assert run.trials["link_rate_error_max"].isna().all()
    assert (run.nodes["uplink_bytes_per_second"] == math.inf).all()


def test_the_manifest_says_what_was_run_and_how_it_ended(writer):
    writer.note("environment", {"cores": 2})
    writer.keep(make_record())
    manifest = load_run(writer.finish("failed", ["the origin was killed"])).manifest
    assert manifest["schema_version"] == SCHEMA_VERSION
    assert manifest["method_version"] == METHOD_VERSION
    assert (manifest["world"], manifest["seed"]) == ("live", 7)
    assert manifest["scenario"] == SCENARIO
    assert manifest["command"] == "python -m loadtests run small.toml"
    assert manifest["environment"] == {"cores": 2}
    assert (manifest["status"], manifest["reasons"]) == ("failed", ["the origin was killed"])
    assert manifest["started"] <= manifest["finished"]


def test_a_finished_run_holds_its_tables_and_nothing_else(writer):
    writer.keep(make_record())
    folder = writer.finish("complete", [])
    assert names_in(folder) == sorted(["run.json", *(f"{table}.parquet" for table in TABLES)])
    assert names_in(folder.parent) == [folder.name]


def test_until_it_is_finished_a_run_has_no_final_name(root, writer):
    writer.keep(make_record())
    assert names_in(root / "small") == [f".{writer.name}.partial"]
    assert not (root / "latest").exists()


def test_latest_names_the_newest_run(root, writer):
    first = writer.finish("complete", [])
    assert (root / "latest").resolve() == first
    second = RunWriter(root, SCENARIO, "live", "").finish("partial", ["interrupted"])
    assert (root / "latest").resolve() == second
    assert not (root / "latest").readlink().is_absolute()
    assert names_in(root) == ["latest", "small"]


def test_a_folder_that_cannot_link_still_keeps_the_run(root, writer):
    (root / "latest").mkdir()
    folder = writer.finish("complete", [])
    assert folder.is_dir()
    assert names_in(root) == ["latest", "small"]


def test_a_run_without_trials_is_whole_and_empty(writer):
    run = load_run(writer.finish("failed", ["nothing ran"]))
    assert all(len(frame) == 0 for frame in run.frames.values())


def test_a_discarded_run_leaves_nothing_behind(root, writer):
    writer.discard()
    assert not root.exists()


def test_a_discarded_run_leaves_folders_that_were_there(root):
    (root / "small").mkdir(parents=True)
    RunWriter(root, SCENARIO, "live", "").discard()
    assert names_in(root) == ["small"]


def test_a_trial_kept_again_replaces_itself(writer):
    writer.keep(make_record(status="failed"))
    writer.keep(make_record(status="complete"))
    run = load_run(writer.finish("complete", []))
    assert run.trials["status"].tolist() == ["complete"]


# --- Bad days -------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ScenarioError, match="expected a place that can be written to: Not a dir"):
        RunWriter(tmp_path / "file", SCENARIO, "live", "")


def test_a_full_disk_is_one_line_and_what_was_kept_stays(writer, monkeypatch):
    writer.keep(make_record())

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ScenarioError, match="No space left on device"):
        writer.keep(make_record(repeat=1))
    monkeypatch.undo()
    run = load_run(writer.finish("partial", ["disk full"]))
    assert run.trials["repeat"].tolist() == [0]


def test_a_cell_that_may_not_be_empty_is_refused_before_it_is_written(writer):
    record = make_record()
    record.trial.wall_seconds = float("nan")
    writer.keep(record)
    with pytest.raises(SchemaError, match="trials: wall_seconds: expected a value in every row"):
        writer.finish("complete", [])
    assert store.read_trials(writer.trials)  # Not lost.


# --- What is refused ------------------------------------------------------------------------


@pytest.fixture
def folder(writer):
    writer.keep(make_record())
    return writer.finish("complete", [])


def test_a_folder_that_is_no_run_is_refused(tmp_path, folder):
    with pytest.raises(SchemaError, match=r"expected a run's folder, it has no run\.json"):
        load_run(tmp_path / "absent")
    with pytest.raises(SchemaError, match=r"expected a run's folder"):
        load_run(folder / "nodes.parquet")


def test_a_run_that_has_not_ended_is_refused_with_what_to_do(writer):
    with pytest.raises(SchemaError, match="expected a run that has ended; --resume takes this"):
        load_run(writer.folder)


def test_a_newer_schema_is_refused(folder):
    edit_manifest(folder, {"schema_version": SCHEMA_VERSION + 1})
    with pytest.raises(SchemaError, match=f"schema_version: expected at most {SCHEMA_VERSION}"):
        load_run(folder)


@pytest.mark.parametrize("version", [None, 0, True, "1"])
def test_a_schema_that_is_no_number_is_refused(folder, version):
    edit_manifest(folder, {"schema_version": version})
    with pytest.raises(SchemaError, match="schema_version: expected a whole number"):
        load_run(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff"])
def test_a_manifest_that_cannot_be_read_is_refused_in_one_line(folder, text):
    (folder / "run.json").write_text(text, encoding="latin-1")
    with pytest.raises(SchemaError, match=r"run\.json: ") as refusal:
        load_run(folder)
    assert len(str(refusal.value).splitlines()) == 1


def test_a_manifest_without_a_key_is_refused(folder):
    path = folder / "run.json"
    manifest = json.loads(path.read_text())
    del manifest["world"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(SchemaError, match="world: expected this key, it is missing"):
        load_run(folder)


def test_a_missing_table_is_refused(folder):
    (folder / "samples.parquet").unlink()
    with pytest.raises(SchemaError, match=r"samples\.parquet: expected this file in a run's folder"):
        load_run(folder)


def test_a_table_that_is_no_parquet_is_refused_in_one_line(folder):
    (folder / "nodes.parquet").write_text("no parquet\nat all")
    with pytest.raises(SchemaError, match=r"nodes\.parquet: cannot be read: ") as refusal:
        load_run(folder)
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="role"), "missing or unknown: role"),
        (lambda frame: frame.assign(colour="red"), "missing or unknown: colour"),
        (lambda frame: frame[frame.columns[::-1]], "their order differs"),
        (lambda frame: frame.assign(clients=1.0), "clients: expected int64, not float64"),
        (lambda frame: frame.assign(role=1), "role: expected string, not int64"),
        (lambda frame: frame.assign(verified=1), "verified: expected bool, not int64"),
        (
            lambda frame: frame.assign(downlink_bytes_per_second=math.nan),
            "downlink_bytes_per_second: expected a value in every row",
        ),
    ],
)
def test_a_table_unlike_its_columns_is_refused(folder, change, message):
    edit_table(folder, "nodes", change)
    with pytest.raises(SchemaError, match=rf"nodes\.parquet: .*{message}"):
        load_run(folder)


# --- Going on with a run --------------------------------------------------------------------


def test_an_interrupted_run_goes_on_in_a_new_one(root, writer):
    writer.keep(make_record("server", 1, order=0))
    writer.keep(make_record("swarm", 1, order=1, status="interrupted"))
    first = writer.finish("partial", ["interrupted"])
    before = {path.name: path.read_bytes() for path in first.iterdir()}

    earlier = resume_from(first, SCENARIO, "live")
    assert earlier.done == {("server", 1, 0)}
    assert earlier.next_order == 1
    again = RunWriter(root, SCENARIO, "live", "")
    again.adopt(earlier)
    again.keep(make_record("swarm", 1, order=earlier.next_order))
    run = load_run(again.finish("complete", []))

    assert run.manifest["resumed_from"] == first.name
    assert records_of(run.frames) == [
        make_record("server", 1, order=0),
        make_record("swarm", 1, order=1),
    ]
    assert {path.name: path.read_bytes() for path in first.iterdir()} == before


def test_what_a_killed_run_left_can_be_resumed(writer):
    writer.keep(make_record("swarm", 2, order=4))
    # A kill in the middle of writing a trial leaves this.
    (writer.trials / "server-000000002-0000.tmp").write_bytes(b"\x81")
    earlier = resume_from(writer.folder, SCENARIO, "live")
    assert earlier.done == {("swarm", 2, 0)}
    assert earlier.next_order == 5


def test_a_trial_file_that_is_damaged_is_named(writer):
    (writer.trials / "server-000000001-0000.msgpack").write_bytes(b"\x81")
    with pytest.raises(SchemaError, match=r"server-000000001-0000\.msgpack: cannot be read"):
        resume_from(writer.folder, SCENARIO, "live")


def test_a_resumed_run_may_have_more_clients_and_repeats(folder):
    wider = SCENARIO | {"clients": [1, 2, 4], "repeats": 5, "question": "And then?"}
    assert resume_from(folder, wider, "live").done == {("server", 1, 0)}


def test_a_resumed_run_with_fewer_clients_leaves_the_others_behind(writer):
    for clients in (1, 2):
        writer.keep(make_record("server", clients))
    earlier = resume_from(writer.folder, SCENARIO | {"clients": [2]}, "live")
    assert earlier.done == {("server", 2, 0)}


@pytest.mark.parametrize(
    ("change", "world", "message"),
    [
        ({"links": {"uplink": 5.0}}, "live", "links differ"),
        ({"seed": 8}, "live", "seed differ"),
        ({"file": "x"}, "live", "file differ"),
        ({}, "simulated", "world differ"),
    ],
)
def test_another_scenario_or_world_cannot_go_on(folder, change, world, message):
    with pytest.raises(SchemaError, match=f"expected a run of this same scenario; {message}"):
        resume_from(folder, SCENARIO | change, world)


def test_another_method_cannot_go_on(folder):
    edit_manifest(folder, {"method_version": METHOD_VERSION + 1})
    with pytest.raises(SchemaError, match="method_version differ"):
        resume_from(folder, SCENARIO, "live")


def test_another_file_cannot_go_on(writer):
    writer.note("content_sha256", "ab")
    assert resume_from(writer.folder, SCENARIO, "live", "ab").done == frozenset()
    with pytest.raises(SchemaError, match="content_sha256 differ"):
        resume_from(writer.folder, SCENARIO, "live", "cd")


# --- Frames ---------------------------------------------------------------------------------


def test_frames_without_rows_have_their_columns_and_types():
    for table, frame in frames_of([]).items():
        assert list(frame.columns) == [column.name for column in TABLES[table]]
        assert records_of(frames_of([])) == []


def test_a_run_of_the_first_schema_is_read_with_a_node_a_row(folder):
    edit_table(folder, "nodes", lambda frame: frame.drop(columns="nodes"))
    edit_manifest(folder, {"schema_version": 1})
    assert (load_run(folder).nodes["nodes"] == 1).all()
    edit_manifest(folder, {"schema_version": 2})
    with pytest.raises(SchemaError, match="missing or unknown: nodes"):
        load_run(folder)


def test_a_run_of_the_second_schema_is_read_without_steps_and_states_of_files(folder):
    later = ["sessions", "away_seconds", "rediscovery_seconds", "file"]
    edit_table(folder, "nodes", lambda frame: frame.drop(columns=later))
    (folder / "transactions.parquet").unlink()
    edit_manifest(folder, {"schema_version": 2})
    run = load_run(folder)
    assert (run.nodes["file"] == "").all()
    assert run.transactions.empty
    edit_manifest(folder, {"schema_version": 3})
    with pytest.raises(SchemaError, match="missing or unknown: away_seconds, file"):
        load_run(folder)
