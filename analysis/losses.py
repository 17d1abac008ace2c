"""Where the time went that a trial needed beyond its fluid bound.

Over its makespan T a trial could have delivered R T bytes, R = N F / bound being the fastest rate that
its links allow; it delivered N F. The difference is split by when and why it was lost:

- start-up: until every client has something that it can pass on (in the server run: receives),
- tail: from the first client that is done until the last,
- in between, waste (received twice or failing its hash), protocol (bytes that are no payload), and the
  rest, in which lines that the bound counts on were idle.

Within a request bytes are taken to arrive evenly from its first byte to its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.findings import trial_keys
from analysis.load import TRIAL_KEYS
from analysis.requests import Requests
from analysis.transfers import Transfers, TrialKeys

FloatArray = NDArray[np.float64]

CAUSES = ("start_up", "protocol", "waste", "idle", "tail")
"""In the order in which they are shown."""

_KEYS = list(TRIAL_KEYS)
_NUMBERS = (
    "fluid_seconds",
    "makespan_seconds",
    "first_join_seconds",
    "last_completion_seconds",
    "first_done_seconds",
)


def losses(
    trials: pd.DataFrame,
    nodes: pd.DataFrame,
    transfers: Transfers,
    requests: Requests,
    file_bytes: int,
) -> pd.DataFrame:
    """Split what each trial lost against its fluid bound.

    Args:
      trials: By trial: `fluid_seconds`, `makespan_seconds`, `first_join_seconds`,
        `last_completion_seconds`, `first_done_seconds`. Clients join at once.
      nodes: Of these trials.
      transfers: Of these trials, at least.
      requests: The same, gathered.
      file_bytes: F.

    Returns:
      By trial, the share of the makespan that each of `CAUSES` cost; with the efficiency they add up
      to 1. Only trials that took at least as long as their bound, where they have one, have a row.
    """
    held_back = trials["makespan_seconds"] >= trials["fluid_seconds"]
    # Without limits nothing but the machine holds anybody back: there is no bound to lose against.
    known = _records(trials[held_back & (trials["fluid_seconds"] > 0)], _NUMBERS)
    moments = _moments(known, requests)
    arrived = useful_bytes_by(transfers, moments)
    counted = _counted(nodes)
    rows = []
    for trial, (begun, ending) in moments.items():
        row, extra = known[trial], counted[trial]
        delivered = float(trial[2]) * file_bytes
        rate = delivered / row["fluid_seconds"]
        start, end = row["first_join_seconds"], row["last_completion_seconds"]
        by_start_up, by_ending = arrived[trial]
        lost = max(0.0, rate * (end - start) - delivered)
        # Each in turn gets no more than is left, so that they add up exactly.
        start_up = _within(rate * (begun - start) - by_start_up, lost)
        tail = _within(rate * (end - ending) - (delivered - by_ending), lost - start_up)
        protocol = _within(extra["wire"] - extra["payload"], lost - start_up - tail)
        waste = _within(extra["waste"], lost - start_up - tail - protocol)
        idle = lost - start_up - tail - protocol - waste
        possible = rate * (end - start)
        rows.append((*trial, *(one / possible for one in (start_up, protocol, waste, idle, tail))))
    return pd.DataFrame(rows, columns=[*_KEYS, *CAUSES]).set_index(_KEYS)


def useful_bytes_by(
    transfers: Transfers, moments: Mapping[TrialKeys, tuple[float, float]]
) -> dict[TrialKeys, tuple[float, float]]:
    """Sum up the useful bytes that had arrived by two moments of each trial."""
    columns = ["first_byte_seconds", "finished_seconds", "payload_bytes", "outcome"]
    sums = {trial: (0.0, 0.0) for trial in moments}
    for trial, rows in transfers.by_trial(columns, only=moments.keys()):
        useful = rows[rows["outcome"] == "ok"]
        start, end, size = (useful[name].to_numpy(dtype=np.float64) for name in columns[:3])
        first, second = (float(arrived_share(start, end, at) @ size) for at in moments[trial])
        before = sums[trial]
        sums[trial] = before[0] + first, before[1] + second
    return sums


def arrived_share(start: FloatArray, end: FloatArray, at: float) -> FloatArray:
    """Say which share of each request had arrived at a moment; what takes no time arrives at once."""
    took = end - start
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip((at - start) / took, 0.0, 1.0)
    return np.where(took > 0, share, np.where(end <= at, 1.0, 0.0))


def _moments(
    trials: Mapping[TrialKeys, Mapping[str, float]], requests: Requests
) -> dict[TrialKeys, tuple[float, float]]:
    """Say when start-up ended and when the tail began, in seconds since each trial's start."""
    firsts = _records(requests.first_of_node.groupby(level=_KEYS).max())
    moments = {}
    for trial, row in trials.items():
        if trial not in firsts:
            continue
        begun = firsts[trial][f"first_{'done' if trial[1] == 'swarm' else 'byte'}_seconds"]
        ending = row["first_join_seconds"] + row["first_done_seconds"]
        moments[trial] = min(max(begun, row["first_join_seconds"]), ending), ending
    return moments


def _counted(nodes: pd.DataFrame) -> dict[TrialKeys, dict[str, float]]:
    """Give each trial's bytes sent on the wire, its payload, and its waste, the tracker's left out."""
    carrying = nodes[nodes["role"] != "tracker"]
    sums = carrying.groupby(_KEYS)[
        ["uploaded_wire_bytes", "uploaded_payload_bytes", "wasted_payload_bytes"]
    ].sum()
    return _records(sums.set_axis(["wire", "payload", "waste"], axis=1))


def _records(frame: pd.DataFrame, columns: Sequence[str] = ()) -> dict[TrialKeys, dict[str, float]]:
    """Turn a frame by trial into plain numbers by trial."""
    kept = (frame[list(columns)] if columns else frame).astype("float64")
    rows = {}
    for keys, row in zip(trial_keys(kept.reset_index()), kept.to_dict("records"), strict=True):
        rows[keys] = {str(name): float(value) for name, value in row.items()}
    return rows


def _within(value: float, most: float) -> float:
    return min(max(value, 0.0), max(most, 0.0))
