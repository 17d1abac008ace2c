"""Processes that are killed, runs that are interrupted, nodes that raise."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from testbed.store import load_run
from tests.loadtests.live import Killer, run_trial
from tests.loadtests.running import (
    HANGING,
    find,
    last_line,
    manifest,
    read_until_trial,
    run,
    start,
    temporary_files,
    wait_for_trial_under_way,
    wait_until,
    write_scenario,
)

pytestmark = [pytest.mark.sockets, pytest.mark.slow]

#: CONTRACT: after an interrupt, children are gone within so long.
GONE_SECONDS = 5.0


@pytest.fixture
def hanging(tmp_path):
    """Start a run of which the trials at N = 1 have ended and one at N = 2 hangs."""
    command = start(
        tmp_path,
        *("run", write_scenario(tmp_path, HANGING), "--json", "--output", tmp_path / "out"),
    )
    with command:
        try:
            read_until_trial(command, 2)
            yield command, wait_for_trial_under_way(command, tmp_path)
        finally:
            command.kill()


def gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() for process in processes)


def only_run(folder: Path) -> Path:
    """The run in a folder of results, in which nothing else may be."""
    (path,) = (folder / "out" / "tiny").iterdir()
    return path


def test_an_interrupt_ends_the_children_and_keeps_what_was_measured(hanging, tmp_path):
    command, children = hanging
    command.send_signal(signal.SIGINT)
    wait_until(lambda: gone(children), "no child left", GONE_SECONDS)
    out, _ = command.communicate(timeout=120)
    assert command.returncode == 130
    kept = load_run(only_run(tmp_path))
    assert kept.manifest["status"] == "partial"
    assert kept.manifest["reasons"] == ["interrupted after 2 of 4 trials"]
    assert list(kept.trials["clients"]) == [1, 1]
    assert (kept.folder / "report" / "report.html").is_file()
    assert '"status": "partial"' in last_line(out)
    assert list(temporary_files(tmp_path).iterdir()) == []


def test_a_killed_origin_ends_the_run_and_keeps_what_was_measured(hanging, tmp_path):
    command, children = hanging
    origin = find(command, "the origin's process")
    assert origin is not None
    origin.kill()
    command.communicate(timeout=120)
    assert command.returncode == 1
    assert gone(children)
    kept = load_run(only_run(tmp_path))
    assert kept.manifest["status"] == "failed"
    assert list(kept.trials["status"]) == ["complete", "complete", "failed"]
    (said,) = kept.manifest["reasons"]
    assert said.endswith(" at N = 2, repeat 0: the origin's process ended (signal 9)")
    assert list(temporary_files(tmp_path).iterdir()) == []


@pytest.mark.parametrize("architecture", ["server", "swarm"])
@pytest.mark.parametrize(
    ("victim", "reason"),
    [
        ("locust", "Locust ended (signal 9)"),
        ("the origin's process", "the origin's process ended (signal 9)"),
        ("the clients' process", "the clients' process ended (signal 9)"),
    ],
)
def test_a_process_killed_in_full_flow_fails_the_trial_with_a_clear_reason(
    tmp_path, architecture, victim, reason
):
    killer = Killer(victim)
    slow = "links.client_downlink=16 KiB/s"
    record = run_trial(tmp_path, architecture, 2, slow, on_progress=killer)
    assert (record.trial.status, record.trial.reason) == ("failed", reason)
    wait_until(lambda: not killer.survivors, "no process left", GONE_SECONDS)


def test_a_killed_sweep_takes_its_children_along_and_the_next_run_is_not_touched(hanging, tmp_path):
    command, children = hanging
    command.kill()
    command.wait()
    wait_until(lambda: gone(children), "no child left", GONE_SECONDS)
    left_behind = only_run(tmp_path)
    assert left_behind.name.startswith(".")
    done = run(
        tmp_path,
        *("run", "--resume", left_behind, "--dry-run"),
    )
    assert done.returncode == 0
    assert "2 trials" in done.stderr
    assert "2 are there" in done.stderr
    done = run(tmp_path, "run", write_scenario(tmp_path), "--clients", "1", "--dry-run")
    assert done.returncode == 0


def test_an_interrupt_before_anything_was_measured_leaves_nothing(tmp_path):
    scenario = write_scenario(tmp_path, HANGING)
    command = start(tmp_path, "run", scenario, "--clients", "2", "--output", tmp_path / "out")
    with command:
        children = wait_for_trial_under_way(command, tmp_path)
        command.send_signal(signal.SIGTERM)
        _, err = command.communicate(timeout=120)
    assert command.returncode == 130
    assert gone(children)
    assert last_line(err) == "nothing was measured"
    assert not (tmp_path / "out").exists()


def test_a_client_that_is_not_done_in_time_fails_the_trial(tmp_path):
    settings = ("scenario.arrivals=every 100 s", "scenario.trial_limit=0.5 s")
    record = run_trial(tmp_path, "swarm", 2, *settings)
    assert record.trial.status == "failed"
    assert record.trial.reason == "not done within 0.5 s: client 2"
    assert record.trial.wall_seconds < 20
    assert record.trial.files_verified == 1


def test_a_node_that_raises_fails_the_trial_in_one_line_and_its_traceback_is_kept(tmp_path):
    """Python runs `sitecustomize` at every start: here it plants a bug in the downloader."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'loadtests.node_host' in sys.orig_argv:\n"
        "    from servers.downloader import Downloader\n"
        "    def handle(self, event, now):\n"
        "        raise RuntimeError('a bug\\nof ours')\n"
        "    Downloader.handle = handle\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = run(
        tmp_path,
        *("run", write_scenario(tmp_path), "--clients", "1", "--output", tmp_path / "out"),
        python_path=f"{tmp_path}:{root}",
    )
    assert done.returncode == 1
    folder = only_run(tmp_path)
    (reason,) = manifest(folder)["reasons"]
    assert reason == "server at N = 1, repeat 0: the clients' process: RuntimeError: a bug"
    log = (folder / "logs" / "server-1-0" / "node-host-1.log").read_text()
    assert "Traceback" in log
    assert "in handle" in log
