"""Halves of transactions are put together by who asked whom, and when."""

from __future__ import annotations

import pytest

from loadtests.transaction_rows import transaction_rows
from testbed.node import Answered, Asked
from tests.worlds.simulating import make_plan, small_scenario

ADDRESSES = {0: ("10.0.0.1", 80), 1: ("10.0.0.2", 0), 2: ("10.0.0.3", 0)}
HOST = ADDRESSES[0]


@pytest.fixture
def plan(tmp_path):
    return make_plan(small_scenario(), "server", 2, tmp_path)


def asked(at, source=HOST):
    return Asked(source, at, at + 0.3, at + 0.4, at + 0.5, 0.5, 100)


def answered(client, at):
    # As the host sees it, the client has a port.
    return Answered((ADDRESSES[client][0], 50_000), at, at + 0.01, at + 0.02, at + 0.03, 100, None)


def test_request_finds_the_answer_that_began_while_it_waited(plan):
    rows = transaction_rows(
        plan,
        {1: [asked(1.0), asked(2.0)], 2: [asked(1.0)]},
        {0: [answered(2, 1.2), answered(1, 1.1), answered(1, 2.1)]},
        ADDRESSES,
    )
    assert [(row.node_id, row.source_id, row.received_seconds) for row in rows] == [
        (1, 0, 1.11),
        (1, 0, 2.11),
        (2, 0, 1.21),
    ]
    assert rows[0].found_seconds == pytest.approx(1.12)
    assert (rows[0].asked_seconds, rows[0].processed_seconds, rows[0].total_seconds) == (1.0, 1.5, 0.5)


@pytest.mark.parametrize("half", [answered(2, 1.1), answered(1, 0.9), answered(1, 1.45)])
def test_answer_to_somebody_else_or_at_another_time_is_no_half_of_it(plan, half):
    assert transaction_rows(plan, {1: [asked(1.0)]}, {0: [half]}, ADDRESSES) == []


def test_request_that_no_host_has_on_record_is_no_transaction(plan):
    assert transaction_rows(plan, {1: [asked(1.0, ("10.9.9.9", 80))]}, {}, ADDRESSES) == []
