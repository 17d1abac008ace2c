"""A closed load of parts of a file, live: Locust lets its clients begin anew until the time is over."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.loadtests.live import run_trial

pytestmark = [pytest.mark.sockets, pytest.mark.slow]


def test_clients_begin_anew_until_the_time_is_over_and_every_byte_is_accounted_for(tmp_path):
    record = run_trial(
        tmp_path,
        "server",
        2,
        "scenario.architectures=['server']",
        "scenario.load=again for 0.2 s",
        "scenario.sizes=exponential with mean 32 KiB",
    )
    trial = record.trial
    assert (trial.status, trial.reason) == ("complete", "")
    assert trial.files_verified == 2
    assert trial.payload_sent_bytes == trial.payload_received_bytes
    for node in (1, 2):
        rows = sorted(
            (row for row in record.transfers if row.node_id == node),
            key=lambda row: row.finished_seconds,
        )
        row = next(row for row in record.nodes if row.node_id == node)
        assert len(rows) == row.requests_made == row.connections_dialled > 1
        assert len({one.payload_bytes for one in rows}) == 1
        assert row.downloaded_payload_bytes == sum(one.payload_bytes for one in rows)
        # Each was due when the one before was done.
        for before, after in pairwise(rows):
            assert after.scheduled_seconds == pytest.approx(before.finished_seconds, abs=1e-3)
            assert after.started_seconds >= after.scheduled_seconds
