"""Experiment E1: the arithmetic of its script, and its script at work on a small file."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from benchmarks.transaction import STEPS, SUM_TOLERANCE, Fetch, Steps, faults, measure, steps_of

FETCH = Fetch("/x", 10.0, 10.5, 11.0, 11.25, 1.25, 100)
LINE: dict[str, object] = {
    "monotonic": 10.0625,
    "received_seconds": 0.0625,
    "found_seconds": 0.25,
    "sent_seconds": 0.5,
    "drained_seconds": 0.125,
    "total_seconds": 0.9375,
    "payload_bytes": 100,
}
STEPS_WITHOUT = Steps(0.001, 0.001, 0.01, 0.001, 0.002, 0.013)


def test_steps_are_those_between_the_readings_of_both_sides():
    steps = steps_of(FETCH, LINE)
    assert steps == Steps(0.125, 0.25, 0.625, 0.25, 0.5, 1.25)
    assert steps.sum == steps.total


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"monotonic": 9.5}, "out of order"),
        ({"found_seconds": 0.75, "total_seconds": 1.4375}, "out of order"),
        ({"total_seconds": 0.9}, "own steps"),
        ({"payload_bytes": 99}, "99 bytes"),
    ],
)
def test_what_cannot_be_one_transaction_is_refused(change, reason):
    with pytest.raises(ValueError, match=reason):
        steps_of(FETCH, LINE | change)


def test_delay_that_moves_service_and_first_byte_by_itself_is_right():
    with_delay = replace(STEPS_WITHOUT, service=0.021, first_byte=0.022, total=0.033)
    assert faults([with_delay], [STEPS_WITHOUT], 0.020) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"total": 0.04}, "steps of 1 of 1 do not sum"),
        ({"first_byte": 0.025}, "first_byte moved by 23.00 ms"),
        ({"response": 0.013, "total": 0.036}, "response moved by 3.00 ms, not by 0 ms"),
    ],
)
def test_anything_else_is_a_fault(change, fault):
    right = replace(STEPS_WITHOUT, service=0.021, first_byte=0.022, total=0.033)
    (found,) = faults([replace(right, **change)], [STEPS_WITHOUT], 0.020)
    assert fault in found


@pytest.mark.sockets
def test_delay_is_in_the_service_of_every_transaction(tmp_path):
    for size in (1024, 300_000):
        (tmp_path / f"{size}.bin").write_bytes(os.urandom(size))
    rows = measure(tmp_path, (0.0, 0.05), (1024, 300_000), repeats=2)
    assert len(rows) == 8
    for (delay, _, _), steps in rows.items():
        for row in steps:
            assert all(getattr(row, step) >= 0 for step in STEPS)
            assert row.service >= delay
            assert row.first_byte >= delay
            # Half a millisecond: the machine may take the client off its core between two readings.
            assert abs(row.sum - row.total) <= SUM_TOLERANCE * row.total + 0.0005
