import json
import re

import pytest

from analysis.__main__ import main
from analysis.pair_page import answer, change_table, signed_percent
from analysis.run_pair import DRIFT, compare_runs
from testbed.errors import SchemaError
from testbed.record import METHOD_VERSION
from tests.analysis.make_run import make_run, make_scenario

SCENARIO = make_scenario(clients=(2, 6), repeats=3)


def slowed(factor, *, only=None):
    """Make every time of the trials of one architecture longer, samples included."""

    def change(record):
        if only is not None and record.trial.architecture != only:
            return
        for node in record.nodes:
            if node.finished_seconds:
                node.finished_seconds *= factor
            node.left_seconds *= factor
        for sample in record.samples:
            sample.at_seconds *= factor

    return change


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A base, the same again, and one whose swarm is 10 % slower: made once, only read."""
    root = tmp_path_factory.mktemp("results")
    return {
        "base": make_run(root, SCENARIO),
        "same": make_run(root, SCENARIO),
        "slower": make_run(root, SCENARIO, change=slowed(1.10, only="swarm")),
    }


def edited(folder, **changes: object):
    """Change run.json of a run that is this test's own."""
    manifest = json.loads((folder / "run.json").read_text())
    manifest |= changes
    (folder / "run.json").write_text(json.dumps(manifest))
    return folder


def command(tmp_path, *arguments: object):
    return main(["compare", *map(str, arguments), "--output", str(tmp_path / "out")])


def test_the_same_again_is_no_change(runs):
    pair = compare_runs(runs["base"], runs["same"])
    assert pair.alarms == ()
    assert answer(pair).startswith("No change detected at any of 4 points")


def test_a_slower_swarm_is_named_with_its_number_and_interval(runs):
    pair = compare_runs(runs["base"], runs["slower"])
    assert {one.base.architecture for one in pair.alarms} == {"swarm"}
    assert re.search(r"slower at 2 of 4 points.* 10\.0% slower \(95% interval \+\d", answer(pair))
    assert answer(compare_runs(runs["slower"], runs["base"])).startswith("NEW is faster at 2 of 4")


def test_fail_if_slower_decides_the_exit_code(runs, tmp_path, capsys):
    assert command(tmp_path, runs["base"], runs["slower"]) == 0
    assert command(tmp_path, runs["base"], runs["slower"], "--fail-if-slower", "15%") == 0
    assert command(tmp_path, runs["base"], runs["slower"], "--fail-if-slower", "5%") == 1
    assert "swarm at 6 clients is 10.0% slower, more than 5%" in capsys.readouterr().err
    assert command(tmp_path, runs["slower"], runs["base"], "--fail-if-slower", "0%") == 0


@pytest.mark.parametrize("share", ["5", "0.05", "five%", "-1%", "5%%", "nan%"])
def test_a_share_without_its_sign_is_refused(share, runs, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["compare", str(runs["base"]), str(runs["same"]), f"--fail-if-slower={share}"])
    assert stopped.value.code == 2
    assert "expected a share in per cent such as 5%" in capsys.readouterr().err


def test_runs_of_different_methods_are_refused_in_one_line(runs, tmp_path, capsys):
    other = edited(make_run(tmp_path, SCENARIO), method_version=99)
    assert command(tmp_path, runs["base"], other) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"method_version: expected {METHOD_VERSION}" in error


def test_what_is_no_run_is_refused_in_one_line(runs, tmp_path, capsys):
    assert command(tmp_path, runs["base"], tmp_path / "nothing") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_run_that_was_not_named_is_asked_for(capsys):
    assert main(["compare", "", "results/latest"]) == 2
    assert capsys.readouterr().err == "compare: BASE: expected a run's folder: BASE=… NEW=…\n"


def test_runs_without_a_common_point_are_refused(runs, tmp_path):
    other = make_run(tmp_path, make_scenario(clients=(4,), repeats=1))
    with pytest.raises(SchemaError, match="there is none"):
        compare_runs(runs["base"], other)


def test_live_runs_made_apart_carry_the_drift(runs):
    assert DRIFT not in compare_runs(runs["base"], runs["base"]).warnings
    manifest_only = compare_runs(runs["base"], runs["same"])
    assert DRIFT not in manifest_only.warnings  # Invented rows all start at one second.


def at_minute(of_repeat):
    def change(record):
        minute = of_repeat(record.trial.repeat)
        record.trial.started_utc = f"2026-01-02T03:{minute:02d}:05+00:00"

    return change


def test_only_runs_whose_repeats_took_turns_are_free_of_drift(tmp_path):
    first = make_run(tmp_path, SCENARIO, change=at_minute(lambda repeat: repeat))
    later = make_run(tmp_path, SCENARIO, change=at_minute(lambda repeat: 10 + repeat))
    in_turn = make_run(tmp_path, SCENARIO, change=at_minute(lambda repeat: repeat))
    assert DRIFT in compare_runs(first, later).warnings
    assert DRIFT not in compare_runs(first, in_turn).warnings


def test_simulated_time_does_not_drift(tmp_path):
    change = at_minute(lambda repeat: repeat)
    first = make_run(tmp_path, SCENARIO, world="simulated", change=change)
    later = make_run(
        tmp_path, SCENARIO, world="simulated", change=at_minute(lambda repeat: 30 + repeat)
    )
    assert compare_runs(first, later).warnings == ()


def test_other_scenarios_and_worlds_are_said_clearly(runs, tmp_path):
    other = make_run(tmp_path, SCENARIO, world="simulated")
    manifest = json.loads((other / "run.json").read_text())
    manifest["scenario"]["links"]["latency_seconds"] = 0.02
    manifest["scenario"]["seed"] = 8
    edited(other, scenario=manifest["scenario"])
    pair = compare_runs(runs["base"], other)
    said = " ".join(pair.warnings)
    assert "different worlds, live and simulated" in said
    assert "links.latency_seconds" in said
    assert ("links.latency_seconds", "0.0", "0.02") in pair.differences
    assert "seed" not in {name for name, _, _ in pair.differences}


def test_points_of_one_run_only_are_left_out_by_name(runs, tmp_path):
    other = make_run(tmp_path, make_scenario(clients=(2, 4), repeats=3), arms=("swarm",))
    pair = compare_runs(runs["base"], other)
    assert [(one.base.architecture, one.base.clients) for one in pair.pairs] == [("swarm", 2)]
    assert "swarm at 4 clients: not measured in BASE" in pair.left_out
    assert "server at 2 clients: not measured in NEW" in pair.left_out


def test_an_invalid_run_is_not_trusted(runs, tmp_path, capsys):
    def lose(record):
        if record.trial.clients == 6:
            record.trial.payload_received_bytes -= 1

    other = make_run(tmp_path, SCENARIO, change=lose)
    assert command(tmp_path, runs["base"], other) == 3
    assert 'role="alert"' in (tmp_path / "out" / "comparison.html").read_text()
    assert "swarm at 6 clients: not valid in NEW" in " ".join(capsys.readouterr().out.split())


def test_one_repeat_is_said_to_be_too_few(tmp_path):
    scenario = make_scenario(clients=(2,), repeats=1)
    one = make_run(tmp_path, scenario)
    pair = compare_runs(one, make_run(tmp_path, scenario, change=slowed(1.5)))
    assert pair.alarms == ()
    assert "Too few repeats" in " ".join(pair.warnings)


def test_page_markdown_figure_and_json_say_the_same(runs, tmp_path, capsys):
    assert command(tmp_path, runs["base"], runs["slower"], "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    folder = tmp_path / "out"
    assert printed == json.loads((folder / "comparison.json").read_text())
    outcomes = {(one["architecture"], one["clients"]): one["outcome"] for one in printed["points"]}
    assert outcomes == {
        ("server", 2): "no change detected",
        ("server", 6): "no change detected",
        ("swarm", 2): "slower",
        ("swarm", 6): "slower",
    }
    markdown = (folder / "comparison.md").read_text()
    assert printed["verdict"] in markdown
    assert "](figures/changes.png)" in markdown
    page = (folder / "comparison.html").read_text()
    assert not re.search(r"https?:|//[a-z]", page)
    assert {path.name for path in (folder / "figures").iterdir()} == {"changes.svg", "changes.png"}


def test_the_table_has_a_row_for_each_point(runs):
    pair = compare_runs(runs["base"], runs["slower"])
    rows = change_table(pair.pairs).rows
    assert [row[:2] for row in rows] == [
        ("server", "2"),
        ("server", "6"),
        ("swarm", "2"),
        ("swarm", "6"),
    ]
    assert [row[-1] for row in rows].count("slower") == 2


def test_quiet_prints_the_page_only(runs, tmp_path, capsys):
    assert command(tmp_path, runs["base"], runs["same"], "--quiet") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "comparison.html")


def test_no_change_has_no_sign():
    assert [signed_percent(one) for one in (1.0, 0.9999, 1.032, 0.9)] == [
        "0.0%", "0.0%", "+3.2%", "-10.0%"
    ]  # fmt: skip
