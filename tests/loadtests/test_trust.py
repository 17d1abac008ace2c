"""A run is doubted before it gets its name, for the same reasons as in its report."""

from __future__ import annotations

import pytest

from loadtests.trust import doubts
from testbed.frames import records_of
from testbed.store import load_run
from tests.analysis.make_run import make_run


def doubts_of(folder, change=None):
    run = load_run(make_run(folder, change=change))
    return doubts(run.folder, run.manifest, records_of(run.frames))


def test_a_sound_run_raises_no_doubt(tmp_path):
    assert doubts_of(tmp_path) == []


def set_trial(**values: object):
    def change(record):
        for name, value in values.items():
            setattr(record.trial, name, value)

    return change


def finish_at_once(record):
    for node in record.nodes:
        if node.role == "client":
            node.finished_seconds = 0.001


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_trial(payload_sent_bytes=801), "Bytes conserved"),
        (set_trial(generator_cpu_fraction=0.81), "Load generator"),
        (set_trial(node_host_cpu_fraction=0.95), "Node host"),
        (set_trial(link_rate_error_max=0.0123, link_rate_windows=3), "Link rates"),
        (set_trial(files_verified=0), "Files verified"),
        (finish_at_once, "Not faster than possible"),
    ],
)
def test_a_fault_is_named(tmp_path, change, reason):
    assert any(reason in line for line in doubts_of(tmp_path, change))


def test_a_failed_trial_is_not_doubted_on_top(tmp_path):
    change = set_trial(status="failed", reason="stuck", payload_sent_bytes=0)
    assert doubts_of(tmp_path, change) == []
