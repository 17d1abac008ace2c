"""Whether a run may be believed: one function for each check that THEORY.md asks of every run.

Each looks at every trial and finds `ok`, `failed` or `not exercised`: a check that had nothing to
look at must not pass for one that looked. A run with any failed check is invalid.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.findings import Check, Finding, State, summed, trial_key, trial_keys
from analysis.load import TRIAL_KEYS

FloatArray = NDArray[np.float64]

BUSY_FRACTION = 0.8
"""Above this share of a core, a process measures its own queue and no longer the network."""
LINK_RATE_TOLERANCE = 0.01
POPULATION_TOLERANCE = {"live": 0.05, "simulated": 0.02, "flow": 0.02}
#: Seconds are float64 and bounds are computed another way round than runs: a few last digits.
_ROUNDING = 1e-9


def bytes_conserved(trials: pd.DataFrame) -> Check:
    """Check that payload sent equals payload received, exactly, in every trial."""
    sent, received = trials["payload_sent_bytes"], trials["payload_received_bytes"]
    findings = []
    for keys, out, came in zip(trial_keys(trials), sent, received, strict=True):
        if pd.isna(out) or pd.isna(came):
            findings.append(Finding(keys, State.NOT_EXERCISED, "not counted"))
            continue
        lost = int(out) - int(came)
        state = State.OK if lost == 0 else State.FAILED
        detail = f"{int(out):,} B sent, {int(came):,} B received"
        findings.append(Finding(keys, state, detail, abs(lost)))
    return summed(
        "Bytes conserved",
        "Payload sent equals payload received, to the byte, once connections have drained.",
        findings,
        f"{int(received.sum()):,} B sent and received",
    )


def all_verified(trials: pd.DataFrame) -> Check:
    """Check that every client's file on disk was hashed and right."""
    findings = []
    counts = zip(trial_keys(trials), trials["files_verified"], trials["files_expected"], strict=True)
    for keys, right, expected in counts:
        if not expected:
            findings.append(Finding(keys, State.NOT_EXERCISED, "no files"))
            continue
        state = State.OK if right == expected else State.FAILED
        detail = f"{right} of {expected} files are the original"
        findings.append(Finding(keys, state, detail, float(expected - right)))
    return summed(
        "Files verified",
        "The SHA-256 of every client's file is that of the original.",
        findings,
        f"{int(trials['files_verified'].sum()):,} files",
    )


def above_bound(trials: pd.DataFrame) -> Check:
    """Check that no trial was faster than theory allows, the links' bursts allowed for.

    Args:
      trials: By trial: `makespan_seconds`, `least_possible_seconds`.
    """
    findings = []
    closest = np.inf
    for keys, took, least in trials[["makespan_seconds", "least_possible_seconds"]].itertuples():
        if pd.isna(took) or pd.isna(least):
            findings.append(Finding(trial_key(keys), State.NOT_EXERCISED, "no makespan"))
            continue
        ratio = took / least if least > 0 else np.inf
        closest = min(closest, ratio)
        state = State.OK if is_possible(took, least) else State.FAILED
        detail = f"{took:.4g} s, where {least:.4g} s are the least possible"
        findings.append(Finding(trial_key(keys), state, detail, max(0.0, 1 - ratio)))
    return summed(
        "Not faster than possible",
        "No makespan lies below its lower bound, from which the links' bursts are taken off.",
        findings,
        f"the fastest took {closest:.1%} of its bound" if np.isfinite(closest) else "no bound",
    )


def is_possible(makespan_seconds: float, least_possible_seconds: float) -> bool:
    """Say whether theory allows a makespan."""
    return makespan_seconds >= least_possible_seconds * (1 - _ROUNDING)


def littles_law(
    completions: pd.DataFrame, populations: pd.DataFrame, makespans: pd.DataFrame, world: str
) -> Check:
    """Check that sampled populations agree with completion times (Little's law).

    Over a whole trial the area under the population curve is the sum of all completion times. The
    curve comes from counters sampled while the trial ran, the times from the nodes' own records.
    Samples leave open when, between two of them, clients came and went: the sum must lie within
    what they leave open, and the tolerance.

    Args:
      completions: `completion_seconds`, and how many clients (`nodes`) each row stands for.
      populations: One row a sample, with `process`, `at_seconds` and `downloading`, the clients of
        that process that had joined and not finished.
      makespans: By trial, with `first_join_seconds` and `last_completion_seconds`.
      world: Sets the tolerance: `live` 5 %, others 2 %.
    """
    tolerance = POPULATION_TOLERANCE[world]
    of_all = completions["completion_seconds"] * completions["nodes"]
    expected = of_all.groupby([completions[key] for key in TRIAL_KEYS]).sum(min_count=1)
    by_trial = {trial_key(keys): rows for keys, rows in populations.groupby(list(TRIAL_KEYS))}
    begins_and_ends = makespans[["first_join_seconds", "last_completion_seconds"]]
    spans = {trial_key(keys): rows for keys, rows in begins_and_ends.iterrows()}
    findings = []
    widest = 0.0
    for keys, waited in expected.items():
        trial = trial_key(keys)
        samples, span = by_trial.get(trial), spans.get(trial)
        # Where a client gave up nothing says how long it waited, and there is no makespan.
        if samples is None or span is None or pd.isna(waited) or span.isna().any():
            findings.append(Finding(trial, State.NOT_EXERCISED, "not sampled"))
            continue
        parts = [
            population_area(
                process["at_seconds"].to_numpy(dtype=np.float64),
                process["downloading"].to_numpy(dtype=np.float64),
                float(span["first_join_seconds"]),
                float(span["last_completion_seconds"]),
            )
            for _, process in samples.groupby("process")
        ]
        least, most = (sum(part[side] for part in parts) for side in (0, 1))
        open_share = (most - least) / (most + least) if most > 0 else 1.0
        if open_share > MOST_LEFT_OPEN:
            findings.append(Finding(trial, State.NOT_EXERCISED, "too few samples"))
            continue
        widest = max(widest, open_share)
        off = max(0.0, waited / most - 1, 1 - waited / least)
        detail = (
            f"completion times add up to {waited:.4g} client-seconds, sampled populations to "
            f"{least:.4g} to {most:.4g}"
        )
        findings.append(Finding(trial, State.OK if off <= tolerance else State.FAILED, detail, off))
    return summed(
        "Little's law",
        f"Sampled populations and completion times agree within {tolerance:.0%}, besides what "
        "happened between two samples.",
        findings,
        f"completion times are at most {max((one.size for one in findings), default=0):.1%} outside "
        f"of what samples say within ±{widest:.0%}",
    )


def population_area(
    at_seconds: FloatArray, downloading: FloatArray, start_seconds: float, end_seconds: float
) -> tuple[float, float]:
    """Integrate a sampled population from the first join to the last completion.

    Args:
      at_seconds: When it was sampled, ascending.
      downloading: What was found.
      start_seconds: The first join, before which there was nobody.
      end_seconds: The last completion, after which there is nobody.

    Returns:
      The least and the most client-seconds that the samples allow, if between two of them clients
      only came or only went.
    """
    inside = (at_seconds >= start_seconds) & (at_seconds <= end_seconds)
    times = np.concatenate(([start_seconds], at_seconds[inside], [end_seconds]))
    counts = np.concatenate(([0.0], downloading[inside], [0.0]))
    steps = np.diff(times)
    least = np.minimum(counts[:-1], counts[1:])
    most = np.maximum(counts[:-1], counts[1:])
    return float(steps @ least), float(steps @ most)


MOST_LEFT_OPEN = 0.3
"""Where samples leave more open than this, either way, they are too few to contradict anything."""


def not_busy(name: str, what: str, busy: pd.Series) -> Check:
    """Check that a process stayed below 80 % of its core.

    Args:
      name: Of the check.
      what: The process, for the text.
      busy: By trial, the share of a core it used; NaN where it was not sampled.
    """
    findings = []
    for keys, share in busy.items():
        if pd.isna(share):
            findings.append(Finding(trial_key(keys), State.NOT_EXERCISED, "not sampled"))
            continue
        detail = f"{what} used {share:.0%} of a core"
        state = State.OK if share < BUSY_FRACTION else State.FAILED
        findings.append(Finding(trial_key(keys), state, detail, float(share)))
    most = max((one.size for one in findings), default=0.0)
    return summed(
        name,
        f"{what[:1].upper()}{what[1:]} stays below {BUSY_FRACTION:.0%} of a core, so that it is "
        "not what was measured.",
        findings,
        f"at most {most:.0%} of a core",
    )


def link_rates(trials: pd.DataFrame) -> Check:
    """Check that busy links carried what they were configured for, within 1 %."""
    findings = []
    for keys, error in zip(trial_keys(trials), trials["link_rate_error_max"], strict=True):
        if pd.isna(error):
            findings.append(Finding(keys, State.NOT_EXERCISED, "no link was busy for 1 s"))
            continue
        state = State.OK if error <= LINK_RATE_TOLERANCE else State.FAILED
        detail = f"a link was {error:.2%} off its configured rate"
        findings.append(Finding(keys, state, detail, float(error)))
    most = max((one.size for one in findings), default=0.0)
    return summed(
        "Link rates",
        "Rates as receivers saw them, over busy windows of at least 1 s, are within "
        f"{LINK_RATE_TOLERANCE:.0%} of the configured ones, burst taken off.",
        findings,
        f"at most {most:.2%} off",
    )
