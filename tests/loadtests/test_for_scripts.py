"""What a script reads from `run`: standard output has the result and nothing else, one thing a line."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
from pathlib import Path

import pytest

from loadtests.run_command import conclude
from loadtests.sweep import RunOutcome
from tests.loadtests.running import run, write_scenario

ESCAPE = "\x1b"


def simulate(folder, *options: str):
    return run(
        folder,
        *("run", write_scenario(folder), "--world", "simulated"),
        *("--output", folder / "a place", *options),
    )


def test_quiet_prints_a_path_that_a_shell_can_use(tmp_path):
    done = simulate(tmp_path, "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    listed = subprocess.run(
        ["sh", "-c", f"ls {shlex.quote(line)}"], capture_output=True, text=True, check=True
    )
    assert "run.json" in listed.stdout.split()


def test_json_is_a_line_for_each_thing_that_happens_and_the_last_has_it_all(tmp_path):
    done = simulate(tmp_path, "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["planned", *["trial"] * 4, "run"]
    assert lines[-1]["exit_code"] == done.returncode == 0
    assert len(lines[-1]["summary"]["points"]) == 4
    assert Path(lines[-1]["folder"], "run.json").exists()
    assert done.stderr == ""


def test_without_a_terminal_progress_is_plain_lines_on_standard_error(tmp_path):
    done = simulate(tmp_path)
    assert done.returncode == 0
    planned, *trials = done.stderr.splitlines()
    assert planned.startswith("tiny: 96 KiB to N = 1, 2 clients")
    assert [line.split()[0] for line in trials].count("swarm") == 2
    assert len(trials) == 4
    assert ESCAPE not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr


@pytest.mark.parametrize(("status", "code"), [("partial", 130), ("failed", 1)])
def test_json_has_a_last_line_even_if_nothing_was_measured(capsys, status, code):
    outcome = RunOutcome(status=status, reasons=["interrupted after 0 of 4 trials"])
    conclusion = conclude(outcome, argparse.Namespace(json=True, quiet=False))
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["folder"], line["status"]) == ("run", None, status)
    assert line["exit_code"] == conclusion.exit_code == code
    assert conclusion.summary is None
