"""The four steps of transactions, and what a report says of them."""

from __future__ import annotations

import json

import msgspec
import pandas as pd
import pytest

from analysis.load import load
from analysis.steps import STEPS, point_steps, step_times
from analysis.steps_report import of_points, steps_chart, steps_table
from analysis.summary import summarise
from analysis.summary_files import as_csv, as_dict
from testbed.record import TransactionRow
from tests.analysis.make_run import make_run, make_scenario

POINT = ("origin apart", "server", 2)


def transaction(node_id=1, **changes: float):
    values = {
        "architecture": "server",
        "clients": 2,
        "repeat": 0,
        "node_id": node_id,
        "source_id": 0,
        "asked_seconds": 10.0,
        "received_seconds": 10.125,
        "found_seconds": 10.375,
        "sent_seconds": 10.5,
        "first_byte_seconds": 10.5,
        "last_byte_seconds": 11.0,
        "processed_seconds": 11.25,
        "total_seconds": 1.25,
        "payload_bytes": 100,
        "cached_fraction": 0.5,
    }
    return TransactionRow(**(values | changes))


def run_with(tmp_path, rows):
    """A run of the server at N = 2 whose one trial has these transactions."""

    def add(record):
        record.transactions.extend(rows)

    scenario = make_scenario((2,), 1, thresholds={})
    return load(make_run(tmp_path, scenario, arms=("server",), change=add))


def steps_of(rows):
    frame = pd.DataFrame([msgspec.structs.asdict(row) for row in rows])
    frame.insert(0, "placement", "origin apart")
    return point_steps(step_times(frame))[POINT]


def test_steps_are_those_between_the_readings_of_both_sides():
    found = steps_of([transaction() for _ in range(5)])
    assert found.count == 5
    assert [found.spreads[step].p50 for step in STEPS] == [0.125, 0.25, 0.625, 0.25]
    assert (found.spreads["first_byte"].p50, found.spreads["total"].p50) == (0.5, 1.25)
    assert (found.sum_error, found.cached_fraction) == (0, 0.5)
    assert found.spreads["total"].p90 is None, "five are too few"


@pytest.mark.parametrize(
    "change",
    [
        {"received_seconds": 9.9},  # Before it was asked: another clock, or another request.
        {"found_seconds": 11.1},
        {"total_seconds": 1.3},
    ],
)
def test_readings_that_are_not_of_one_transaction_miss_its_total(change):
    assert steps_of([transaction(**change)]).sum_error > 0.01


def test_least_is_of_each_step_by_itself():
    rows = [
        transaction(),
        transaction(received_seconds=10.25, found_seconds=10.375),
        transaction(processed_seconds=11.0625, total_seconds=1.0625),
    ]
    spreads = steps_of(rows).spreads
    assert [spreads[step].least for step in STEPS] == [0.125, 0.125, 0.625, 0.0625]


def test_thresholds_and_summary_have_the_steps(tmp_path):
    run = run_with(tmp_path, [transaction() for _ in range(6)])
    summary, _ = summarise(run)
    (point,) = as_dict(summary)["points"]
    assert point["step"]["service_seconds"] == {"least": 0.25, "p50": 0.25, "p90": None}
    assert (point["transactions"], point["sum_error"], point["cached_fraction"]) == (6, 0, 0.5)
    assert "step.service_seconds.p50" in as_csv(summary).splitlines()[0]
    table = steps_table(of_points(summary.points))
    assert table.rows[0][:3] == ("server, N = 2", "6", "0.125 s (0.125 s)")
    assert table.rows[0][-2:] == ("0.00%", "50%")


def test_run_without_recorded_steps_has_none_and_says_nothing_of_them(tmp_path):
    summary, _ = summarise(run_with(tmp_path, []))
    assert summary.points[0].steps is None
    assert "step" not in json.dumps(as_dict(summary))
    assert of_points(summary.points) == []


def test_chart_needs_a_median():
    assert steps_chart([("few", steps_of([transaction()]))], "note") is None
    chart = steps_chart([("enough", steps_of([transaction()] * 5))], "note")
    assert chart is not None
    assert chart.table.rows == [("enough", "125", "250", "625", "250", "1,250")]
