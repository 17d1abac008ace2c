"""A swarm does not know how fast its lines are: slow ones stretch everything by the same factor."""

from __future__ import annotations

import pytest

from tests.worlds.simulating import KIB, make_plan, simulate, small_scenario


def test_a_line_a_thousand_times_as_slow_takes_a_thousand_times_as_long(tmp_path):
    """A block takes 12 s then: no timeout may take that for a peer that has gone."""

    def makespan_seconds(uplink):
        scenario = small_scenario(
            file_bytes=1024 * KIB,
            trial_limit_seconds=1e6,
            links={
                "origin_uplink_bytes_per_second": 8 * uplink,
                "client_uplink_bytes_per_second": uplink,
                "client_downlink_bytes_per_second": 2 * uplink,
                "burst_seconds": 20 * KIB / uplink,
            },
            peers={"piece_length": "32 KiB"},
        )
        return simulate(make_plan(scenario, "swarm", 8, tmp_path)).makespan_seconds

    assert makespan_seconds(1.28 * KIB) == pytest.approx(800 * makespan_seconds(1024 * KIB), rel=0.05)
