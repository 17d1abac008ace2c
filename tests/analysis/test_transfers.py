import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import transfers
from analysis.load import load, prepare
from analysis.requests import gather_requests
from testbed.errors import SchemaError
from testbed.record import TRANSFER_COLUMNS
from testbed.store import load_run
from tests.analysis.make_run import PIECE_BYTES, PIECES, make_run, make_scenario

SMALL = make_scenario(clients=(2, 4), repeats=2)
EVERY_COLUMN = [column.name for column in TRANSFER_COLUMNS]
SERVER, SWARM = ("here", "server", 2, 0), ("here", "swarm", 2, 0)
_KINDS = {"string": "str", "int64": "int64", "float64": "float64"}


def rows(*changes: dict):
    common = {
        "architecture": "swarm", "clients": 2, "repeat": 0, "node_id": 1, "source_id": 0,
        "unit": "piece", "index": 0, "scheduled_seconds": 0.0, "started_seconds": 0.0,
        "first_byte_seconds": 0.0, "finished_seconds": 0.0, "payload_bytes": 10, "outcome": "ok",
    }  # fmt: skip
    frame = pd.DataFrame([common | change for change in changes], columns=EVERY_COLUMN)
    return frame.astype({column.name: _KINDS[column.kind] for column in TRANSFER_COLUMNS})


def in_memory(*changes: dict):
    return transfers.Transfers(rows(*changes), lambda repeat: "here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("results"), SMALL)


def test_every_row_comes_once_with_its_trial(folder, monkeypatch):
    monkeypatch.setattr(transfers, "BATCH_ROWS", 100)
    counts = {}
    for trial, some in load(folder).transfers.by_trial(["node_id"]):
        assert len(some) <= 100
        counts[trial] = counts.get(trial, 0) + len(some)
    assert counts == {
        ("origin apart", architecture, clients, repeat): clients * each
        for architecture, each in (("server", 1), ("swarm", PIECES))
        for clients in (2, 4)
        for repeat in (0, 1)
    }


def test_only_the_trials_asked_for_come(folder):
    wanted = {("origin apart", "server", 4, 1)}
    found = load(folder).transfers.by_trial(["outcome"], only=wanted)
    assert {trial for trial, _ in found} == wanted


def test_batches_do_not_change_what_is_gathered(folder, monkeypatch):
    run = load_run(folder)
    whole = prepare(run)
    trials = {trial for trial, _ in whole.transfers.by_trial(["node_id"])}
    expected = gather_requests(whole.transfers, trials)
    monkeypatch.setattr(transfers, "BATCH_ROWS", 37)
    found = gather_requests(load(folder).transfers, trials)
    pd.testing.assert_frame_equal(found.first_of_node, expected.first_of_node)
    assert found.late_starts == expected.late_starts
    for point, latencies in expected.latencies.items():
        assert found.latencies[point].tolist() == latencies.tolist()


def test_largest_piece_stands_for_a_piece_length_that_is_not_configured(folder):
    assert load(folder).transfers.largest_piece_bytes() == PIECE_BYTES
    assert in_memory({"unit": "file"}).largest_piece_bytes() is None


def test_latency_counts_from_the_intended_start():
    late = {"scheduled_seconds": 1.0, "started_seconds": 1.4, "first_byte_seconds": 1.5}
    found = gather_requests(in_memory(late), {SWARM})
    assert found.latencies[SWARM[:3]].tolist() == [0.5]
    assert found.late_starts[SWARM[:3]] == pytest.approx(0.4)


def test_failed_requests_have_no_latency_and_no_first_byte():
    found = gather_requests(in_memory({"outcome": "timed out"}), {SWARM})
    assert found.latencies[SWARM[:3]].tolist() == []
    assert found.first_of_node.empty


def test_first_byte_is_the_first_of_content_that_was_verified():
    found = gather_requests(
        in_memory(
            {"first_byte_seconds": 1.1, "finished_seconds": 1.2, "outcome": "bad hash"},
            {"first_byte_seconds": 1.5, "finished_seconds": 1.6},
            {"first_byte_seconds": 1.3, "finished_seconds": 1.9},
        ),
        {SWARM},
    )
    first = found.first_of_node.loc[(*SWARM, 1)]
    assert (first["first_byte_seconds"], first["first_done_seconds"]) == (1.3, 1.6)


def test_trials_that_are_not_asked_for_are_not_gathered():
    both = in_memory({}, {"architecture": "server"})
    assert set(gather_requests(both, {SERVER}).latencies) == {SERVER[:3]}
    assert gather_requests(both, set()).first_of_node.empty


def replaced(tmp_path, frame, schema=None):
    folder = make_run(tmp_path, make_scenario(clients=(2,), repeats=1))
    pq.write_table(pa.Table.from_pandas(frame, schema), folder / "transfers.parquet")
    return folder


def test_unknown_columns_are_refused_before_any_row_is_read(tmp_path):
    with pytest.raises(SchemaError, match="surprise"):
        load(replaced(tmp_path, rows({}).assign(surprise=1)))


def test_empty_cells_are_refused(tmp_path):
    run = load(replaced(tmp_path, rows({"finished_seconds": float("nan")})))
    with pytest.raises(SchemaError, match="finished_seconds: expected a value in every row"):
        list(run.transfers.by_trial(["finished_seconds"]))


def test_a_missing_or_broken_file_is_named(tmp_path):
    folder = make_run(tmp_path, make_scenario(clients=(2,), repeats=1))
    path = folder / "transfers.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(SchemaError, match=r"transfers\.parquet: cannot be read"):
        load(folder)
    path.unlink()
    with pytest.raises(SchemaError, match=r"transfers\.parquet: expected this file"):
        load(folder)
