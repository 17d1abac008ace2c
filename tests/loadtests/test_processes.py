"""Processes and temporary folders that must not outlive their owners; what they may import."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from loadtests import folders
from loadtests.processes import ROOT, child_environment, describe_end, uninterrupted
from testbed.errors import ScenarioError


def ended_pid() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_the_end_of_a_process_is_said_as_people_know_it():
    assert describe_end(-9) == "ended (signal 9)"
    assert describe_end(3) == "ended (exit code 3)"


def test_a_child_sees_none_of_locusts_variables(monkeypatch):
    monkeypatch.setenv("LOCUST_USERS", "1000")
    assert "LOCUST_USERS" not in child_environment()
    assert "PATH" in child_environment()


@pytest.fixture
def interruptible():
    """Let Ctrl-C raise, even where pytest was started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupts_are_held_back_and_then_count():
    steps = []

    def work() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            steps.append("finished")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert steps == ["finished"]


def test_a_temporary_folder_goes_with_its_user(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def work() -> None:
        with folders.temporary_folder() as folder:
            (folder / "something").write_text("large")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert list(tmp_path.iterdir()) == []


def test_folders_of_the_dead_are_swept_up_and_those_of_the_living_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead = tmp_path / f"{folders.PREFIX}{ended_pid()}-abc"
    living = tmp_path / f"{folders.PREFIX}{os.getpid()}-abc"
    strange = tmp_path / f"{folders.PREFIX}of-somebody"
    for folder in (dead, living, strange):
        folder.mkdir()
    with folders.temporary_folder():
        assert not dead.exists()
    assert living.exists()
    assert strange.exists()


def test_a_folder_that_cannot_be_made_is_an_error_of_the_input(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(ScenarioError, match="expected a folder that can be written to"):
        folders.make_folder()


def modules_after(code: str) -> set[str]:
    """What a fresh interpreter has imported after this."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


#: Each costs more than a trial's whole set-up may take.
SLOW = {"pandas", "pyarrow", "matplotlib", "scipy"}


@pytest.mark.parametrize("arm", ["server", "swarm"])
def test_locust_imports_neither_trio_nor_what_is_slow(arm):
    code = (
        "import locust, loadtests.arm_user\n"
        f"from loadtests import {arm}_arm\n"
        f"from {'servers' if arm == 'server' else 'peers'} import build"
    )
    assert not modules_after(code) & ({"trio"} | SLOW)


def test_a_node_host_imports_neither_gevent_nor_what_is_slow():
    code = "import loadtests.node_host\nfrom servers import build\nfrom peers import build"
    assert not modules_after(code) & ({"gevent", "locust", "rich"} | SLOW)


def test_the_sweep_imports_neither_gevent_nor_trio():
    assert not modules_after("import loadtests.__main__") & {"gevent", "locust", "trio", "matplotlib"}
