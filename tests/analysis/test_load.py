import dataclasses
import json

import pytest

from analysis.load import load, prepare
from testbed.errors import SchemaError
from testbed.store import load_run
from tests.analysis.make_run import FILE_BYTES, PIECE_BYTES, make_run, make_scenario

SMALL = make_scenario(clients=(2,), repeats=3, placement=("origin apart", "together"))


def edit_manifest(folder, **values: object):
    path = folder / "run.json"
    manifest = json.loads(path.read_text())
    manifest["scenario"] |= values
    path.write_text(json.dumps(manifest))


def test_scenario_and_sizes_come_from_the_run_itself(tmp_path):
    run = load(make_run(tmp_path, SMALL))
    assert run.scenario.clients == (2,)
    assert (run.file_bytes, run.piece_bytes) == (FILE_BYTES, PIECE_BYTES)
    assert run.world == "live"


def test_every_row_knows_its_placement(tmp_path):
    run = load(make_run(tmp_path, SMALL))
    for frame in (run.trials, run.nodes, run.samples):
        placements = frame.groupby("repeat")["placement"].unique()
        assert [list(one) for one in placements] == [["origin apart"], ["together"], ["origin apart"]]


def test_size_of_a_users_file_is_what_clients_got(tmp_path):
    folder = make_run(tmp_path, SMALL)
    edit_manifest(folder, file_bytes=None, file="some.iso")
    assert load(folder).file_bytes == FILE_BYTES


def test_latest_is_resolved_to_the_run(tmp_path):
    folder = make_run(tmp_path, SMALL)
    assert load(tmp_path / "latest").path == folder.resolve()


def test_folder_without_run_is_named(tmp_path):
    with pytest.raises(SchemaError, match=str(tmp_path)):
        load(tmp_path)


def test_scenario_that_cannot_be_read_is_an_error_of_the_file(tmp_path):
    folder = make_run(tmp_path, SMALL)
    edit_manifest(folder, surprise=1)
    with pytest.raises(SchemaError, match=r"run\.json: scenario"):
        load(folder)


def test_run_can_be_judged_before_it_has_a_status(tmp_path):
    run = load_run(make_run(tmp_path, SMALL))
    manifest = {name: value for name, value in run.manifest.items() if name != "status"}
    assert prepare(dataclasses.replace(run, manifest=manifest)).expected_trials == 6
