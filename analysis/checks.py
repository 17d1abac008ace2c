"""Whether a run may be believed: one function for each check that THEORY.md asks of every run.

Each looks at every trial and finds `ok`, `failed` or `not exercised`: a check that had nothing to
look at must not pass for one that looked. A run with any failed check is invalid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd

from analysis.load import TRIAL_KEYS

BUSY_FRACTION = 0.8
"""Above this share of a core, a process measures its own queue and no longer the network."""
LINK_RATE_TOLERANCE = 0.01
POPULATION_TOLERANCE = {"live": 0.05, "simulated": 0.02, "flow": 0.02}
#: Seconds are float64 and bounds are computed another way round than runs: a few last digits.
_ROUNDING = 1e-9


class State(Enum):
    """What a check found."""

    OK = "ok"
    FAILED = "failed"
    NOT_EXERCISED = "not exercised"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found in one trial."""

    trial: tuple[str, str, int, int]
    """Its keys: placement, architecture, clients, repeat."""
    state: State
    detail: str
    size: float = 0.0
    """How far off, in the check's own unit: the worst one is quoted."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check over the whole run."""

    name: str
    meaning: str
    """Why it is made, for a reader who doubts."""
    state: State
    detail: str
    findings: tuple[Finding, ...]

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The trials that did not pass."""
        return tuple(one for one in self.findings if one.state is State.FAILED)


def bytes_conserved(trials: pd.DataFrame) -> Check:
    """Check that payload sent equals payload received, exactly, in every trial."""
    sent, received = trials["payload_sent_bytes"], trials["payload_received_bytes"]
    findings = []
    for keys, out, came in zip(_keys(trials), sent, received, strict=True):
        if pd.isna(out) or pd.isna(came):
            findings.append(Finding(keys, State.NOT_EXERCISED, "not counted"))
            continue
        lost = int(out) - int(came)
        state = State.OK if lost == 0 else State.FAILED
        detail = f"{int(out):,} B sent, {int(came):,} B received"
        findings.append(Finding(keys, state, detail, abs(lost)))
    return _summed(
        "Bytes conserved",
        "Payload sent equals payload received, to the byte, once connections have drained.",
        findings,
        f"{int(received.sum()):,} B sent and received",
    )


def all_verified(nodes: pd.DataFrame) -> Check:
    """Check that every client that finished holds the right file, and that every one finished."""
    clients = nodes[nodes["role"] == "client"]
    findings = []
    for keys, trial in clients.groupby(list(TRIAL_KEYS), sort=True):
        right = int(trial["verified"].astype(bool).sum())
        missing = len(trial) - right
        state = State.OK if missing == 0 else State.FAILED
        detail = f"{right} of {len(trial)} clients hold the whole verified file"
        findings.append(Finding(_key(keys), state, detail, missing))
    return _summed(
        "Files verified",
        "The SHA-256 of every client's file is that of the original.",
        findings,
        f"{len(clients):,} files",
    )


def above_bound(makespans: pd.DataFrame, bounds: pd.DataFrame) -> Check:
    """Check that no trial was faster than theory allows, the links' bursts allowed for.

    Args:
      makespans: By trial, with `makespan_seconds`.
      bounds: By trial, with `least_possible_seconds`.
    """
    joined = makespans[["makespan_seconds"]].join(bounds["least_possible_seconds"])
    findings = []
    closest = np.inf
    for keys, took, least in joined.itertuples():
        if pd.isna(took) or pd.isna(least):
            findings.append(Finding(_key(keys), State.NOT_EXERCISED, "no makespan"))
            continue
        possible = took >= least * (1 - _ROUNDING)
        closest = min(closest, took / least if least > 0 else np.inf)
        detail = f"{took:.4g} s, below the {least:.4g} s that are possible"
        findings.append(
            Finding(
                _key(keys),
                State.OK if possible else State.FAILED,
                "" if possible else detail,
                max(0.0, 1 - took / least) if least > 0 else 0.0,
            )
        )
    return _summed(
        "Not faster than possible",
        "No makespan lies below its lower bound, burst allowance taken off exactly.",
        findings,
        f"the closest is at {closest:.1%} of its bound" if np.isfinite(closest) else "",
    )


def littles_law(
    completions: pd.DataFrame, populations: pd.DataFrame, makespans: pd.DataFrame, world: str
) -> Check:
    """Check that sampled populations agree with completion times (Little's law).

    Over a whole trial the area under the population curve is the sum of all completion times. The
    curve comes from counters sampled while the trial ran, the times from the nodes' own records.

    Args:
      completions: One row a client, with `completion_seconds`.
      populations: One row a sample, with `at_seconds` and `downloading`, the clients that had
        joined and not finished.
      makespans: By trial, with `first_join_seconds` and `last_completion_seconds`.
      world: Sets the tolerance: `live` 5 %, others 2 %.
    """
    tolerance = POPULATION_TOLERANCE[world]
    expected = completions.groupby(list(TRIAL_KEYS))["completion_seconds"].sum(min_count=1)
    by_trial = {_key(keys): rows for keys, rows in populations.groupby(list(TRIAL_KEYS))}
    spans = {_key(keys): rows for keys, rows in makespans.iterrows()}
    findings = []
    worst = 0.0
    for keys, area_by_times in expected.items():
        trial = _key(keys)
        samples, span = by_trial.get(trial), spans.get(trial)
        if samples is None or span is None or pd.isna(area_by_times):
            findings.append(Finding(trial, State.NOT_EXERCISED, "not sampled"))
            continue
        area = population_area(
            samples["at_seconds"].to_numpy(dtype=np.float64),
            samples["downloading"].to_numpy(dtype=np.float64),
            float(span["first_join_seconds"]),
            float(span["last_completion_seconds"]),
        )
        if area is None:
            findings.append(Finding(_key(keys), State.NOT_EXERCISED, "too short to sample"))
            continue
        error = abs(area / area_by_times - 1)
        worst = max(worst, error)
        findings.append(
            Finding(
                _key(keys),
                State.OK if error <= tolerance else State.FAILED,
                f"sampled population and completion times differ by {error:.1%}",
                error,
            )
        )
    return _summed(
        "Little's law",
        f"Sampled populations and completion times agree within {tolerance:.0%}.",
        findings,
        f"they differ by at most {worst:.1%}",
    )


def population_area(
    at_seconds: np.ndarray[tuple[int], np.dtype[np.float64]],
    downloading: np.ndarray[tuple[int], np.dtype[np.float64]],
    start_seconds: float,
    end_seconds: float,
) -> float | None:
    """Integrate a sampled population from the first join to the last completion.

    Returns:
      Client-seconds; None when fewer than `LEAST_SAMPLES_OF_A_POPULATION` samples lie within.
    """
    inside = (at_seconds >= start_seconds) & (at_seconds <= end_seconds)
    if inside.sum() < LEAST_SAMPLES_OF_A_POPULATION:
        return None
    times, counts = at_seconds[inside], downloading[inside]
    # The first sample's population had joined before it, and the last sample's was there until the
    # last completion, with which the trial ends: nothing steps down at either edge.
    times = np.concatenate(([start_seconds], times, [end_seconds]))
    counts = np.concatenate((counts[:1], counts, counts[-1:]))
    return float(np.trapezoid(counts, times))


LEAST_SAMPLES_OF_A_POPULATION = 10
"""Fewer samples miss 5 % by their spacing alone."""


def not_busy(name: str, what: str, busy: pd.Series, trials: pd.DataFrame) -> Check:
    """Check that a process stayed below 80 % of its core.

    Args:
      name: Of the check.
      what: The process, for the text.
      busy: By trial, the share of a core it used.
      trials: All trials, so that those without samples are seen.
    """
    findings = []
    for keys in _keys(trials):
        share = busy.get(keys)
        if share is None or pd.isna(share):
            findings.append(Finding(keys, State.NOT_EXERCISED, "not sampled"))
            continue
        detail = f"{what} used {share:.0%} of a core"
        state = State.OK if share < BUSY_FRACTION else State.FAILED
        findings.append(Finding(keys, state, detail, float(share)))
    most = max((one.size for one in findings), default=0.0)
    return _summed(
        name,
        f"{what[:1].upper()}{what[1:]} stays below {BUSY_FRACTION:.0%} of a core, so that it is "
        "not what was measured.",
        findings,
        f"at most {most:.0%} of a core",
    )


def link_rates(trials: pd.DataFrame) -> Check:
    """Check that busy links carried what they were configured for, within 1 %."""
    findings = []
    for keys, error in zip(_keys(trials), trials["link_rate_error_max"], strict=True):
        if pd.isna(error):
            findings.append(Finding(keys, State.NOT_EXERCISED, "no link was busy for 1 s"))
            continue
        state = State.OK if error <= LINK_RATE_TOLERANCE else State.FAILED
        detail = f"a link was {error:.2%} off its configured rate"
        findings.append(Finding(keys, state, detail, float(error)))
    most = max((one.size for one in findings), default=0.0)
    return _summed(
        "Link rates",
        "Rates as receivers saw them, over busy windows of at least 1 s, are within "
        f"{LINK_RATE_TOLERANCE:.0%} of the configured ones, burst taken off.",
        findings,
        f"at most {most:.2%} off",
    )


def warnings_by_point(checks: Iterable[Check]) -> dict[tuple[str, str, int], list[str]]:
    """Gather what failed at each point: `check, repeat 2: detail`.

    Returns:
      By placement, architecture and clients; points without a failure are absent.
    """
    found: dict[tuple[str, str, int], list[str]] = {}
    for check in checks:
        for one in check.failures:
            placement, architecture, clients, repeat = one.trial
            text = f"{check.name}, repeat {repeat}: {one.detail}"
            found.setdefault((placement, architecture, clients), []).append(text)
    return found


def _summed(name: str, meaning: str, findings: Sequence[Finding], when_ok: str) -> Check:
    failed = [one for one in findings if one.state is State.FAILED]
    looked = [one for one in findings if one.state is not State.NOT_EXERCISED]
    if failed:
        worst = max(failed, key=lambda one: one.size)
        detail = (
            f"{len(failed)} of {_trials(len(findings))}; the worst, {_place(worst)}: {worst.detail}"
        )
        return Check(name, meaning, State.FAILED, detail, tuple(findings))
    if not looked:
        reason = findings[0].detail if findings else "no trials"
        return Check(name, meaning, State.NOT_EXERCISED, reason, tuple(findings))
    seen = _trials(len(findings))
    if len(looked) < len(findings):
        seen = f"{len(looked)} of {seen}, not exercised in the others"
    return Check(name, meaning, State.OK, f"{when_ok} ({seen})", tuple(findings))


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count} trials"


def _place(finding: Finding) -> str:
    placement, architecture, clients, repeat = finding.trial
    where = f" ({placement})" if placement else ""
    return f"{architecture}{where} at N = {clients}, repeat {repeat}"


def _keys(trials: pd.DataFrame) -> list[tuple[str, str, int, int]]:
    return [_key(keys) for keys in trials[list(TRIAL_KEYS)].itertuples(index=False, name=None)]


def _key(keys: Any) -> tuple[str, str, int, int]:
    placement, architecture, clients, repeat = keys
    return str(placement), str(architecture), int(clients), int(repeat)
