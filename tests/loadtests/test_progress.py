"""What is shown while a run is under way."""

from __future__ import annotations

import io
import json
import sys

import pytest
from rich.console import Console

from loadtests.order import trial_order
from loadtests.progress import (
    JsonDisplay,
    LinesDisplay,
    Pace,
    QuietDisplay,
    TerminalDisplay,
    describe_run,
    make_display,
    makespan_seconds,
)
from loadtests.trial import TrialProgress
from testbed.links import Links
from testbed.scenario import Scenario
from tests.testbed.make_record import make_record

MIB = 1024 * 1024
SCENARIO = Scenario(
    name="any",
    clients=(1, 2),
    repeats=3,
    file_bytes=MIB,
    links=Links(
        origin_uplink_bytes_per_second=MIB,
        client_uplink_bytes_per_second=MIB,
        client_downlink_bytes_per_second=MIB,
    ),
)
SLOTS = trial_order(SCENARIO)


def pace() -> Pace:
    return Pace(SLOTS, SCENARIO, MIB)


def record(slot, status="complete"):
    made = make_record(slot.architecture, slot.clients, slot.repeat, status=status)
    for node in made.nodes:
        node.joined_seconds, node.finished_seconds = 0.25, 1.5
    return made


def test_before_the_first_run_their_number_and_duration_are_said():
    text = describe_run(SLOTS, SCENARIO, MIB)
    assert text.startswith(
        "any: 1 MiB to N = 1, 2 clients, server and swarm, 3 times: 12 trials, about"
    )
    assert text.endswith(" s")


def test_the_running_line_has_all_that_a_person_asks_for():
    display = TerminalDisplay(pace(), Console(file=io.StringIO(), force_terminal=True, width=120))
    slot = next(slot for slot in SLOTS if slot.clients == 2)
    display.begin_trial(slot)
    line = display.running_line(slot, TrialProgress("running", 1, MIB)).plain
    for part in (
        slot.architecture,
        "N=2",
        "repeat 1/3",
        "50%",
        "/s",
        "1/2 done",
        "trial 1 of 12",
        "left",
    ):
        assert part in line


def test_a_phase_other_than_running_is_named():
    display = TerminalDisplay(pace(), Console(file=io.StringIO()))
    line = display.running_line(SLOTS[0], TrialProgress("verifying", 1, MIB)).plain
    assert "verifying" in line


def test_the_terminal_keeps_a_line_for_each_trial_that_ended():
    written = io.StringIO()
    with TerminalDisplay(pace(), Console(file=written, width=120)) as display:
        display.begin_trial(SLOTS[0])
        display.update(TrialProgress("running", 0, 100))
        display.end_trial(SLOTS[0], record(SLOTS[0]))
    assert "makespan 1.250 s  (1 of 12," in written.getvalue()


def test_a_failed_trial_is_shown_with_its_reason():
    display = LinesDisplay(pace())
    line = display.line(SLOTS[0], record(SLOTS[0], status="failed"))
    assert "failed: the origin was killed" in line


def test_plain_lines_go_to_standard_error(capsys):
    display = LinesDisplay(pace())
    display.begin_trial(SLOTS[0])
    display.end_trial(SLOTS[0], record(SLOTS[0]))
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)


def test_json_lines_go_to_standard_output(capsys):
    JsonDisplay().end_trial(SLOTS[0], record(SLOTS[0]))
    out, err = capsys.readouterr()
    assert err == ""
    line = json.loads(out)
    assert (line["event"], line["status"], line["makespan_seconds"]) == ("trial", "complete", 1.25)


@pytest.mark.parametrize(
    ("quiet", "as_json", "kind"),
    [(True, False, QuietDisplay), (False, True, JsonDisplay), (False, False, LinesDisplay)],
)
def test_what_is_shown_depends_on_who_looks(monkeypatch, quiet, as_json, kind):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(make_display(pace(), quiet=quiet, as_json=as_json)) is kind


def test_a_run_that_is_slower_than_estimated_is_expected_to_stay_so(monkeypatch):
    now = 0.0
    monkeypatch.setattr("loadtests.progress.time.monotonic", lambda: now)
    measured = pace()
    estimated = measured.left_seconds
    took = 2 * (estimated - Pace(SLOTS[1:], SCENARIO, MIB).left_seconds)
    measured.begin()
    now = took
    measured.end(SLOTS[0])
    assert measured.left_seconds == pytest.approx(2 * measured.estimated_seconds)


def test_a_trial_in_which_a_client_did_not_finish_has_no_makespan():
    made = make_record("server", 2)
    assert makespan_seconds(made) is None
