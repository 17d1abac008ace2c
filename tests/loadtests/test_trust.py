"""What makes a run's numbers worthless."""

from __future__ import annotations

import pytest

from loadtests.trust import doubts
from tests.testbed.make_record import make_record


def record(**changes: float | str):
    made = make_record("swarm", 8, 2)
    for name, value in changes.items():
        setattr(made.trial, name, value)
    return made


def test_a_sound_run_raises_no_doubt():
    assert doubts([record(), record(link_rate_error_max=0.009, link_rate_windows=4)]) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"payload_sent_bytes": 801}, "bytes not conserved: 801 sent, 800 received"),
        ({"generator_cpu_fraction": 0.81}, "load generator at 81% of a core"),
        ({"node_host_cpu_fraction": 0.95}, "node host at 95% of a core"),
        ({"link_rate_error_max": 0.0123}, "a link was 1.23% off its configured rate"),
    ],
)
def test_a_fault_is_named_with_its_trial(changes, reason):
    assert doubts([record(), record(**changes)]) == [f"swarm at N = 8, repeat 2: {reason}"]


def test_a_failed_trial_is_not_doubted_on_top():
    assert doubts([record(status="failed", payload_sent_bytes=0)]) == []
