"""A scenario with variants: a run for each, and one report that sets them side by side."""

import io
import json
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

import pytest
from rich.console import Console

from analysis.__main__ import main as analysis_command
from analysis.experiment import judge_experiment
from analysis.experiment_report import on_a_terminal
from analysis.load import load
from analysis.summary import summarise
from testbed.experiments import load_experiment
from testbed.store import load_run
from testbed.thresholds import Threshold
from tests.loadtests.running import last_line, run

SCENARIO = """\
[scenario]
name = "origins"
question = "What does a faster origin do?"
clients = [2, 4, 8]
repeats = 1
seed = 7
file_size = "128 KiB"

[links]
origin_uplink = "1 MiB/s"
client_uplink = "512 KiB/s"
client_downlink = "8 MiB/s"

[peers]
piece_length = "16 KiB"

[[variants]]
name = "us"

[[variants]]
name = "us, twice"
"links.origin_uplink" = "2 MiB/s"

[variants.against_first]
server_makespan_seconds = { at_least = 0.49, at_most = 0.51 }
"""


def simulate(folder: Path, text: str, *options: str) -> CompletedProcess[str]:
    path = folder / "origins.toml"
    path.write_text(text, encoding="utf-8")
    return run(folder, "run", path, "--world", "simulated", "--output", folder / "out", *options)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    ended = simulate(folder, SCENARIO, "--quiet")
    assert ended.returncode == 0, ended.stderr
    return load_experiment((folder / "out" / "latest").resolve()), ended


def test_every_variant_is_a_run_of_its_own(done):
    experiment, _ = done
    assert [one.name for one in experiment.variants] == ["us", "us, twice"]
    uplinks = []
    for one in experiment.variants:
        loaded = load_run(one.folder)
        assert loaded.manifest["status"] == "complete"
        assert (one.folder / "report" / "report.html").is_file()
        origins = loaded.nodes[loaded.nodes["role"] == "origin"]
        uplinks += origins["uplink_bytes_per_second"].unique().tolist()
    assert uplinks == [2**20, 2**21]


def test_the_last_line_is_the_folder_of_all_of_them(done):
    experiment, ended = done
    assert last_line(ended.stdout) == str(experiment.folder)


def test_the_report_says_what_each_variant_does_to_the_time(done):
    experiment, _ = done
    summary = json.loads((experiment.folder / "report" / "summary.json").read_text("utf-8"))
    first, second = summary["variants"]
    assert second["against_first"][0]["met"] is True
    for one, other in zip(first["points"], second["points"], strict=True):
        ratio = other["makespan_seconds"]["median"] / one["makespan_seconds"]["median"]
        # A server's time is inverse to its uplink, a swarm's hardly depends on it.
        assert ratio == pytest.approx(0.5, abs=0.01) or one["architecture"] == "swarm"
    page = (experiment.folder / "report" / "report.md").read_text("utf-8")
    assert "What does a faster origin do?" in page
    assert "us, twice" in page


def test_a_ratio_that_is_missed_is_exit_1_and_says_so(done):
    experiment, _ = done
    first, second = experiment.variants
    stricter = Threshold(metric="server_makespan_seconds", at_least=0.505)
    missed = replace(experiment, variants=(first, replace(second, against_first=(stricter,))))
    judged = judge_experiment(
        missed, {one.name: summarise(load(one.folder))[0] for one in experiment.variants}
    )
    assert judged.exit_code == 1
    console = Console(file=io.StringIO(), width=200)
    console.print(on_a_terminal(judged))
    assert "✗ us, twice: server makespan, ratio at least 0.505" in console.file.getvalue()


@pytest.mark.parametrize(("at_most", "met"), [(-0.2, True), (-0.3, False)])
def test_a_difference_to_a_variant_that_is_named_is_judged_too(done, at_most, met):
    experiment, _ = done
    first, second = experiment.variants
    # Two copies leave in a quarter of a second at 1 MiB/s, and in half of that at twice the rate.
    wanted = Threshold(
        metric="server_makespan_seconds",
        at_most=at_most / 2,
        to_clients=2,
        difference=True,
        against="us",
    )
    changed = replace(experiment, variants=(first, replace(second, against_first=(wanted,))))
    judged = judge_experiment(
        changed, {one.name: summarise(load(one.folder))[0] for one in experiment.variants}
    )
    (result,) = judged.variants[1].against_first
    assert result.met is met
    assert result.text.startswith("server makespan, difference to 'us' at most -0.1")


def test_the_report_of_an_experiment_is_rebuilt_from_raw_rows(done, capsys):
    experiment, _ = done
    page = experiment.folder / "report" / "report.html"
    page.unlink()
    # The pictures were drawn for the fixture; to draw them again takes longer than all the rest.
    with mock.patch("analysis.report.make_charts", return_value=[]):
        assert analysis_command(["report", str(experiment.folder), "--json"]) == 0
    written = (experiment.folder / "report" / "summary.json").read_text("utf-8")
    assert json.loads(capsys.readouterr().out) == json.loads(written)
    assert page.is_file()


def test_what_a_run_announces_comes_for_every_variant_before_any_of_them(tmp_path):
    ended = simulate(tmp_path, SCENARIO, "--dry-run")
    assert ended.returncode == 0
    assert ended.stderr.count("origins: 128 KiB") == 2
    assert not (tmp_path / "out").exists()


def test_a_wrong_variant_is_found_before_the_first_one_runs(tmp_path):
    ended = simulate(tmp_path, SCENARIO.replace('"2 MiB/s"', '"2"'))
    assert ended.returncode == 2
    assert "[links] origin_uplink: expected a rate" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_a_scenario_says_which_world_it_was_made_for(tmp_path):
    made_for = SCENARIO.replace("repeats = 1", 'repeats = 1\nworlds = "flow"')
    ended = simulate(tmp_path, made_for)
    assert ended.returncode == 2
    assert "made for flow, not for the simulated world; try --world flow" in ended.stderr
