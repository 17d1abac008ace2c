"""Clients that leave and come back at another address, on sockets."""

from __future__ import annotations

import pytest

from tests.loadtests.live import run_trial

pytestmark = [pytest.mark.sockets, pytest.mark.slow]

FILE_BYTES = 256 * 1024


@pytest.mark.parametrize("architecture", ["server", "swarm"])
def test_who_comes_back_at_another_address_goes_on_with_what_it_has(tmp_path, architecture):
    record = run_trial(
        tmp_path,
        architecture,
        2,
        "scenario.file_size=256 KiB",
        "scenario.sessions=of 100 ms, away 50 ms",
        "links.client_downlink=1 MiB/s",
        "links.client_uplink=1 MiB/s",
    )
    trial = record.trial
    assert (trial.status, trial.reason, trial.files_verified) == ("complete", "", 2)
    assert trial.payload_sent_bytes == trial.payload_received_bytes
    for row in record.nodes:
        if row.role == "client":
            assert row.sessions >= 2
            assert row.away_seconds > 0
            assert row.downloaded_payload_bytes - row.wasted_payload_bytes == FILE_BYTES
    assert {row.source_id for row in record.transfers} <= {0, 1, 2}
    assert len({row.address for row in record.nodes}) == len(record.nodes)
