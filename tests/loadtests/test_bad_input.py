"""Input that is wrong: one line naming file, key and what was expected; exit code 2; nothing left."""

from __future__ import annotations

import sys

import pytest

from loadtests import __main__ as command
from testbed import sockets
from tests.loadtests.running import TINY, run, write_scenario


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """Give the command arguments; gives its exit code and what it said."""
    monkeypatch.chdir(tmp_path)

    def say(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["loadtests", *arguments])
        try:
            code = command.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, capsys.readouterr().err

    return say


WRONG = {
    "unknown table": ("[scenario]", "[senario]", "tiny.toml: [senario]"),
    "unknown key": ("repeats", "repeets", "tiny.toml: [scenario] repeets"),
    "missing unit": ('"4 MiB/s"', "4", "[links] client_uplink: expected a rate"),
    "negative rate": ("4 MiB/s", "-4 MiB/s", "[links] client_uplink"),
    "rate of zero": ("4 MiB/s", "0 MiB/s", "[links] client_uplink"),
    "empty sweep": ("[1, 2]", "[]", "[scenario] clients: expected a list"),
    "no such sentence": ("flash crowd", "whenever", "[scenario] arrivals"),
    "a size of zero": ("96 KiB", "0 KiB", "[scenario] file_size"),
    "no time for it": ("20 s", "1 ms", "[scenario] trial_limit: expected more than 0.001 s"),
    "unknown key of peers": ("piece_length", "piece_lenght", "[peers] piece_lenght"),
    "no TOML": ("[scenario]", "[scenario", "tiny.toml: expected TOML"),
    "clients that give up": (
        'arrivals = "flash crowd"',
        'departures = "gives up at 0.1 /s"',
        "[scenario] departures: clients that give up",
    ),
}


@pytest.mark.parametrize(("right", "wrong", "names"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_scenario_is_refused_in_one_line(tmp_path, said, right, wrong, names):
    write_scenario(tmp_path, TINY.replace(right, wrong))
    code, err = said("run", "tiny.toml")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert names in err
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


OPTIONS = {
    "no scenario": ([], "expected a scenario file"),
    "a scenario that is not there": (["no.toml"], "no.toml: expected a scenario file"),
    "sweep of words": (["tiny.toml", "--clients", "few"], "--clients: expected numbers such as"),
    "sweep of nobody": (["tiny.toml", "--clients", "0"], "[scenario] clients: expected 1 to"),
    "no repeat": (["tiny.toml", "--repeats", "0"], "[scenario] repeats"),
    "repeats in words": (["tiny.toml", "--repeats", "x"], "--repeats"),
    "negative seed": (["tiny.toml", "--seed", "-1"], "[scenario] seed"),
    "setting without a value": (["tiny.toml", "--set", "links.latency"], "links.latency: expected"),
    "setting without a unit": (["tiny.toml", "--set", "links.latency=5"], "[links] latency"),
    "unknown setting": (["tiny.toml", "--set", "links.speed=5"], "[links] speed: unknown key"),
    "file that is not there": (["tiny.toml", "--file", "none.bin"], "none.bin: expected a readable"),
    "file without content": (["tiny.toml", "--file", "empty.bin"], "empty.bin: expected a file with"),
    "folder as file": (["tiny.toml", "--file", "folder"], "folder: expected a regular file"),
    "world of nobody": (["tiny.toml", "--world", "real"], "--world"),
    "run that is not there": (["--resume", "nowhere"], "nowhere: expected a run's folder"),
    "resuming with other settings alone": (["--resume", "folder", "--seed", "3"], "--seed: expected"),
    "output beneath a file": (["tiny.toml", "--output", "empty.bin"], "empty.bin"),
    "unknown option": (["tiny.toml", "--fast"], "--fast"),
}


@pytest.mark.parametrize(("arguments", "names"), OPTIONS.values(), ids=OPTIONS.keys())
def test_a_wrong_option_is_refused_in_one_line(tmp_path, said, arguments, names):
    write_scenario(tmp_path)
    (tmp_path / "empty.bin").touch()
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    code, err = said("run", *arguments)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert names in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("world", ["simulated", "flow"])
def test_lines_without_any_limit_are_refused_where_time_is_theirs_alone(tmp_path, said, world):
    unlimited = TINY[: TINY.index("[links]")] + "[links]\n"
    write_scenario(tmp_path, unlimited)
    code, err = said("run", "tiny.toml", "--world", world)
    assert code == 2
    assert err.count("\n") == 1
    assert "expected a rate" in err


def test_a_sweep_beyond_the_limit_of_open_files_is_refused(tmp_path, said, monkeypatch):
    monkeypatch.setattr("loadtests.preflight.raise_open_file_limit", lambda wanted: 256)
    write_scenario(tmp_path)
    code, err = said("run", "tiny.toml", "--clients", "2,64")
    assert code == 2
    assert "swarm at N = 64 needs about" in err
    assert "limit of 256" in err
    assert len(err.splitlines()) == 1
    assert sockets.raise_open_file_limit(1) > 256


def test_downloads_that_do_not_fit_on_the_disk_are_refused(tmp_path, said):
    write_scenario(tmp_path)
    code, err = said("run", "tiny.toml", "--set", "scenario.file_size=900000 GiB")
    assert code == 2
    assert "free for the downloads of one trial" in err
    assert len(err.splitlines()) == 1


def test_a_dry_run_says_what_is_ahead_and_makes_nothing(tmp_path, said):
    write_scenario(tmp_path)
    code, err = said("run", "tiny.toml", "--dry-run")
    assert code == 0
    assert "96 KiB to N = 1, 2 clients, server and swarm, once: 4 trials, about" in err
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


def test_help_is_complete_and_has_an_example(said, capsys):
    code, _ = said("run", "--help")
    assert code == 0


def test_the_command_itself_ends_with_the_code_and_no_traceback(tmp_path):
    done = run(tmp_path, "run", write_scenario(tmp_path, "[scenario]\n"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"{tmp_path / 'tiny.toml'}: [scenario] name: expected a text, this key is missing"
    ]
