"""What a run itself sees that makes its numbers worthless: it must not end as if all were well.

The report looks harder (`analysis.checks`); these are the faults that the record states outright.
"""

from __future__ import annotations

from collections.abc import Iterable

from testbed.record import TrialRecord, TrialRow

#: Above this share of a core a load generator measures its own queue.
BUSY_FRACTION = 0.8

LINK_RATE_TOLERANCE = 0.01


def doubts(records: Iterable[TrialRecord]) -> list[str]:
    """Say why the run must not be trusted, one line each; empty when nothing speaks against it."""
    lines = []
    for record in records:
        trial = record.trial
        if trial.status == "complete":
            lines += [f"{_name(trial)}: {reason}" for reason in _doubts_of(trial)]
    return lines


def _doubts_of(trial: TrialRow) -> list[str]:
    reasons = []
    if trial.payload_sent_bytes != trial.payload_received_bytes:
        reasons.append(
            f"bytes not conserved: {trial.payload_sent_bytes:,} sent, "
            f"{trial.payload_received_bytes:,} received"
        )
    if trial.generator_cpu_fraction > BUSY_FRACTION:
        reasons.append(f"load generator at {trial.generator_cpu_fraction:.0%} of a core")
    if trial.node_host_cpu_fraction > BUSY_FRACTION:
        reasons.append(f"node host at {trial.node_host_cpu_fraction:.0%} of a core")
    error = trial.link_rate_error_max
    if error is not None and error > LINK_RATE_TOLERANCE:
        reasons.append(f"a link was {error:.2%} off its configured rate")
    return reasons


def _name(trial: TrialRow) -> str:
    return f"{trial.architecture} at N = {trial.clients}, repeat {trial.repeat}"
