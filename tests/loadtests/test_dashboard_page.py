"""The page's process without a browser: what Locust's statistics get, and what the addresses give."""

from __future__ import annotations

import csv
import io
import json
import socket
import subprocess
import sys

import msgspec
import pytest
from flask import Flask

from loadtests.dashboard.events import Ended, Moved, Reporting, ToPage
from loadtests.dashboard.page import Page
from loadtests.dashboard.page_process import choose_port
from loadtests.dashboard.routes import KEY, WEB, make_blueprint, table_rows
from loadtests.processes import ROOT
from loadtests.watching import ClientOutcome, TrialProgress
from testbed.errors import ScenarioError
from tests.loadtests.test_dashboard_board import (
    CONCLUDED,
    FILE,
    PLANNED,
    began,
    board_after,
    ended,
    moved,
)


class Recorder:
    """Stands for Locust's event hook."""

    def __init__(self) -> None:
        self.fired = []

    def fire(self, **values: object):
        self.fired.append(values)


def page_after(*events: ToPage):
    page = Page()
    for event in (PLANNED, *events):
        page.apply(event)
    return page


def told(*outcomes: ClientOutcome):
    return Moved(TrialProgress("running", len(outcomes), 0, 1.0, (), outcomes))


def reported(page):
    hook = Recorder()
    while not page.arrivals.empty():
        page.report(page.arrivals.get(), hook)
    return hook.fired


def test_a_client_that_is_done_is_two_requests_with_its_own_times():
    page = page_after(began("server", clients=4), told(ClientOutcome(3, 0.0002774, 1.5, "")))
    first, whole = reported(page)
    assert (first["request_type"], first["name"]) == ("server", "N =     4: first byte")
    assert first["response_time"] == pytest.approx(0.2774)
    assert (whole["name"], whole["response_time"]) == ("N =     4: whole file", 1500.0)
    assert (whole["response_length"], whole["exception"]) == (FILE, None)


def test_a_client_whose_file_is_wrong_is_a_failure():
    page = page_after(began(), told(ClientOutcome(1, None, 1.5, "wrong SHA-256")))
    (whole,) = reported(page)
    assert (str(whole["exception"]), whole["response_length"]) == ("wrong SHA-256", 0)


def test_clients_of_a_failed_trial_that_were_not_done_are_failures_and_the_others_are_not():
    end = Ended(status="failed", reason="it broke", makespan_seconds=None, nodes=(), outcomes=())
    page = page_after(began(clients=3), told(ClientOutcome(2, None, 1.5, "")), end)
    problems = [whole["exception"] and str(whole["exception"]) for whole in reported(page)]
    assert problems == [None, "it broke", "it broke"]


def test_there_are_as_many_users_as_clients():
    page = page_after(began(clients=4))
    assert page.clients == 4
    page.apply(ended())
    page.apply(began("server", clients=2))
    assert page.clients == 2


def test_locust_goes_on_until_the_run_is_over_and_every_client_is_reported():
    page = page_after(began(), told(ClientOutcome(1, None, 1.5, "")), Reporting())
    assert not page.over
    page.apply(CONCLUDED)
    assert not page.over
    reported(page)
    assert page.over
    page.start_over()
    assert not page.over


@pytest.fixture
def client():
    """A browser without a page: the addresses of a board with two trials."""
    board = board_after(
        began("server"),
        ended((2000, 0), (0, FILE), (0, FILE)),
        began("swarm", order=1),
        moved(0.5, (700, 0), (200, 500), (100, 500)),
    )
    app = Flask(__name__)
    app.register_blueprint(make_blueprint(board))
    client = app.test_client()
    client.board = board
    return client


def test_the_page_and_what_belongs_to_it_is_served(client):
    for path in ("", *(file.name for file in WEB.iterdir())):
        with client.get(f"/{KEY}/{path}") as response:
            assert response.status_code == 200, path


def test_nothing_that_is_served_asks_another_host():
    for file in WEB.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text, file.name


def test_the_state_of_a_pair_can_be_asked_for(client):
    state = client.get(f"/{KEY}/state.json?clients=2&repeat=0").get_json()
    assert state["pair"] == [2, 0]
    assert state["sides"]["server"]["nodes"][0] == [0, 2000, 0, 10]
    assert client.get(f"/{KEY}/state.json?clients=x").status_code == 200


def test_downloads_are_what_is_shown(client):
    nodes = client.get(f"/{KEY}/nodes.csv")
    assert nodes.headers["Content-Disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(nodes.text)))
    assert [int(row["uploaded_payload_bytes"]) for row in rows] == [2000, 0, 0, 700, 200, 100]
    trials = list(csv.DictReader(io.StringIO(client.get(f"/{KEY}/trials.csv").text)))
    assert [row["architecture"] for row in trials] == ["server", "swarm"]
    everything = json.loads(client.get(f"/{KEY}/data.json").text)
    assert len(everything["trials"]) == 2


def test_the_report_is_there_when_the_run_is_over(client, tmp_path):
    assert client.get(f"/{KEY}/report/").status_code == 404
    (tmp_path / "report.html").write_text("<p>the report</p>", encoding="utf-8")
    client.board.apply(msgspec.structs.replace(CONCLUDED, report_folder=str(tmp_path)))
    with client.get(f"/{KEY}/report/", follow_redirects=True) as response:
        assert "the report" in response.text
    assert client.get(f"/{KEY}/report/..%2f..%2fetc%2fpasswd").status_code == 404


def test_locusts_table_has_the_latest_trial_first_and_three_digits(client):
    swarm, server = table_rows(client.board)
    assert swarm["state"] == "running"
    assert (swarm["origin"], swarm["clients"], swarm["seconds"]) == ("0.700", "0.300", "")
    assert (server["origin"], server["seconds"], server["done"]) == ("2.00", "2.00", "2/2")


def test_a_port_that_is_taken_is_refused_if_it_was_asked_for_and_replaced_if_not(monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(ScenarioError, match=f"--port: expected a port that is free, not {taken}"):
            choose_port(taken)
        monkeypatch.setattr("loadtests.dashboard.page_process.DEFAULT_PORT", taken)
        assert choose_port(None) != taken


def test_a_port_that_is_no_port_is_refused():
    with pytest.raises(ScenarioError, match="not 70000"):
        choose_port(70000)


HONEST = """\
from locust import stats  # It patches this process, which is why it is one of its own.
from loadtests.dashboard import honest_times
assert callable(stats.bucket_response_time)
honest_times.keep_three_digits()
all_stats = stats.RequestStats()
for milliseconds in (0.27749, 1234.56, 98765.4):
    all_stats.log_request("server", "whole file", milliseconds, 1)
rows = [all_stats.get("whole file", "server").to_dict(), all_stats.total.to_dict()]
import json
print(json.dumps(honest_times.honest_rows(rows, all_stats)))
"""


def test_times_in_locusts_tables_have_three_digits():
    done = subprocess.run(
        [sys.executable, "-c", HONEST], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for row in json.loads(done.stdout):
        assert row["min_response_time"] == 0.277
        assert row["median_response_time"] == 1230
        assert row["max_response_time"] == 98800
        assert row["response_time_percentile_0.99"] == 98800
