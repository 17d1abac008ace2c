import json

import pytest

from analysis.__main__ import main
from tests.analysis.make_run import make_run, make_scenario

SMALL = make_scenario(clients=(2, 6), repeats=1)


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """Leaves the figures out, which take most of a report's time."""
    monkeypatch.setattr("analysis.report.make_charts", lambda *_: [])


def test_terminal_ends_with_table_verdict_and_path(tmp_path, capsys, monkeypatch):
    folder = make_run(tmp_path, SMALL)
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "server ÷ swarm" in said
    assert "The swarm beats the server" in said
    assert "✓ server efficiency" in said
    assert said.splitlines()[-1] == f"Report: invented/{folder.name}/report/report.html"


def test_json_is_summary_json_and_nothing_else(tmp_path, capsys):
    folder = make_run(tmp_path, SMALL)
    main(["report", str(folder), "--json"])
    said = capsys.readouterr().out
    assert json.loads(said) == json.loads((folder / "report" / "summary.json").read_text())


def test_quiet_prints_the_path_alone(tmp_path, capsys):
    folder = make_run(tmp_path, SMALL)
    main(["report", "--quiet", str(folder)])
    assert capsys.readouterr().out == f"{folder.resolve()}/report/report.html\n"


def test_run_is_the_latest_unless_named(tmp_path, capsys, monkeypatch):
    folder = make_run(tmp_path / "results", SMALL)
    monkeypatch.chdir(tmp_path)
    assert main(["report", "--quiet"]) == 0
    assert folder.name in capsys.readouterr().out


def test_folder_that_is_no_run_is_bad_input_in_one_line(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert str(tmp_path) in said.err


def test_run_that_must_not_be_trusted_is_exit_code_3(tmp_path, capsys):
    def lose(record):
        record.trial.payload_received_bytes -= 1

    assert main(["report", str(make_run(tmp_path, SMALL, change=lose))]) == 3
    assert "✗ Bytes conserved" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["report", "--help"], ["--version"]])
def test_help_and_version_leave_with_0(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 0
    assert capsys.readouterr().out
