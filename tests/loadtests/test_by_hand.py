"""Locust started by a person, without the sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.loadtests.running import ROOT, TINY, run, temporary_files, write_scenario

pytestmark = [pytest.mark.sockets, pytest.mark.slow]


def locust(folder, arm, *arguments: str | Path):
    path = ROOT / "loadtests" / f"{arm}_arm.py"
    return run(folder, "-f", path, "--headless", *arguments, module="locust")


@pytest.mark.parametrize("arm", ["server", "swarm"])
def test_an_arm_runs_alone_with_as_many_clients_as_users(tmp_path, arm):
    done = locust(tmp_path, arm, "-u", "3", "--scenario", write_scenario(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"{arm} at N = 3, repeat 0: complete, all files verified, makespan" in done.stdout
    words = (done.stdout + done.stderr).split()
    for name in ("whole file", "first byte"):
        # The first table of Locust's summary: type, name, requests, failures.
        place = words.index(name.split()[1], words.index(name.split()[0]))
        assert words[place + 1 : place + 3] == ["3", "0(0.00%)"], name
    assert list(temporary_files(tmp_path).iterdir()) == []


def test_a_client_that_is_not_done_is_a_failure_of_locusts(tmp_path):
    text = TINY.replace("flash crowd", "every 100 s").replace('"20 s"', '"0.5 s"')
    done = locust(tmp_path, "server", "-u", "2", "--scenario", write_scenario(tmp_path, text))
    assert done.returncode == 1
    assert "not done within 0.5 s: client 2" in done.stdout
    assert list(temporary_files(tmp_path).iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--scenario", "none.toml"], "none.toml: expected a scenario file, there is none"),
        (["--set", "links.latency=5"], "[links] latency: expected"),
        (["--repeat", "-1"], "--repeat: expected 0 or more, not -1"),
        (["--processes", "2"], "leave out --processes"),
    ],
)
def test_wrong_options_end_with_a_line_and_code_2(tmp_path, arguments, line):
    done = locust(tmp_path, "server", "-u", "1", *arguments)
    assert done.returncode == 2
    assert line in done.stderr
    assert "Traceback" not in done.stderr
