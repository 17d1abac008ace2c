"""The dashboard's processes: one address, a run like any other, and nothing left behind."""

from __future__ import annotations

import json
import signal
import urllib.request

import pandas as pd
import pytest

from tests.loadtests.running import (
    HANGING,
    PATIENCE_SECONDS,
    family,
    find,
    last_line,
    manifest,
    run,
    start,
    temporary_files,
    wait_for_trial_under_way,
    wait_until,
    write_scenario,
)
from tests.loadtests.watching import (
    dashboard,
    fetch,
    rows_at,
    state_of,
    wait_for_stage,
)

pytestmark = [pytest.mark.sockets, pytest.mark.slow]

#: A run of the tiny scenario and its report, on a machine that has other things to do.
RUN_SECONDS = 180.0

#: How a run ends that nobody interrupts: a busy machine may not be trusted, and the report says so.
ENDS = (0, 1, 3)


def gone(processes):
    return [process for process in processes if process.is_running()] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_everything_and_keeps_what_was_measured(tmp_path, number):
    with dashboard(tmp_path, write_scenario(tmp_path, HANGING)) as (process, _):
        processes = wait_for_trial_under_way(process, tmp_path)
        assert find(process, "--web-port") in processes
        process.send_signal(number)
        out, err = process.communicate(timeout=RUN_SECONDS)
        assert process.returncode == 130, err
        assert gone(processes)
    ended = json.loads(last_line(out))
    assert (ended["event"], ended["status"]) == ("run", "partial")
    assert list(temporary_files(tmp_path).iterdir()) == []


def test_a_run_is_like_any_other_and_the_page_stays_until_ctrl_c(tmp_path):
    with dashboard(tmp_path, write_scenario(tmp_path)) as (process, address):
        state = wait_for_stage(address, "over", RUN_SECONDS)
        assert [trial["status"] for trial in state["trials"]] == ["complete"] * 4
        assert state["run"]["verdict"]
        folder = tmp_path / "results" / "tiny" / state["run"]["folder"]
        assert manifest(folder)["command"].startswith("python -m loadtests dashboard")
        assert_the_same_numbers(folder, address)
        assert "<title>" in fetch(f"{address}swarm-or-server/report/")
        processes = family(process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode in ENDS, err
        assert gone(processes)
    assert list(temporary_files(tmp_path).iterdir()) == []


def assert_the_same_numbers(folder, address):
    """What can be downloaded, and what Locust has counted, is what the run's rows say."""
    rows = pd.read_parquet(folder / "nodes.parquet")
    rows = rows[rows["role"] != "tracker"]
    key = ["architecture", "clients", "repeat", "node_id"]
    columns = ["uploaded_payload_bytes", "downloaded_payload_bytes"]
    shown = pd.DataFrame(rows_at(f"{address}swarm-or-server/nodes.csv"))
    shown = shown.astype({name: int for name in [*key[1:], *columns]})
    left = shown.set_index(key)[columns].sort_index()
    right = rows.astype({name: int for name in [*key[1:], *columns]}).set_index(key)[columns]
    pd.testing.assert_frame_equal(left, right.sort_index(), check_index_type=False)
    counted = {
        (row["method"], row["name"].split()[2], row["name"].split(": ")[1]): row["num_requests"]
        for row in json.loads(fetch(f"{address}stats/requests"))["stats"][:-1]
    }
    clients = rows[rows["role"] == "client"].groupby(["architecture", "clients"]).size()
    for (architecture, count), expected in clients.items():
        for name in ("whole file", "first byte"):
            assert counted[architecture, f"{count}:", name] == expected


def test_locusts_buttons_stop_a_run_and_start_another(tmp_path):
    with dashboard(tmp_path, write_scenario(tmp_path, HANGING)) as (process, address):
        wait_for_trial_under_way(process, tmp_path)
        post(f"{address}stop")
        state = wait_for_stage(address, "over", RUN_SECONDS)
        assert state["run"]["status"] == "partial"
        assert "interrupted" in {trial["status"] for trial in state["trials"]}
        post(f"{address}swarm")
        wait_until(lambda: state_of(address)["run"]["stage"] == "running", "another run")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=RUN_SECONDS)
        assert process.returncode == 130


def post(address):
    request = urllib.request.Request(address, data=b"", method="POST")
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
        assert json.load(response)["success"]


def test_without_its_page_a_run_ends_with_a_line(tmp_path):
    with dashboard(tmp_path, write_scenario(tmp_path, HANGING)) as (process, _):
        processes = wait_for_trial_under_way(process, tmp_path)
        page = find(process, "--web-port")
        assert page is not None
        page.kill()
        _, err = process.communicate(timeout=RUN_SECONDS)
        assert process.returncode == 1
        assert "the page's process ended (signal 9)" in err
        assert "Traceback" not in err
        assert gone(processes)


def test_when_the_dashboard_is_killed_its_page_goes_too(tmp_path):
    with dashboard(tmp_path, write_scenario(tmp_path, HANGING)) as (process, _):
        processes = wait_for_trial_under_way(process, tmp_path)
        process.kill()
        process.wait()
        wait_until(lambda: gone(processes), "all its processes to end")


def test_a_person_gets_one_address_and_a_script_too(tmp_path):
    process = start(tmp_path, "dashboard", write_scenario(tmp_path, HANGING), "--port", "0", "--quiet")
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=RUN_SECONDS)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--port", "99999"], "--port: expected a port that is free, not 99999"),
        (["--clients", "0"], "[scenario] clients"),
    ],
)
def test_wrong_options_end_with_a_line_and_code_2(tmp_path, options, line):
    done = run(tmp_path, "dashboard", write_scenario(tmp_path), *options)
    assert done.returncode == 2
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_locustfile_is_not_for_people(tmp_path):
    file = "loadtests/dashboard/locustfile.py"
    done = run(tmp_path, "-f", file, "--headless", module="locust")
    assert done.returncode == 1
    assert "python -m loadtests dashboard SCENARIO" in done.stderr
