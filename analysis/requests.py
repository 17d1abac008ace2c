"""What the single requests of a run add up to, made in one pass over them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.load import TRIAL_KEYS
from analysis.transfers import Transfers, TrialKeys

PointKey = tuple[str, str, int]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Requests:
    """What is kept of all requests."""

    first_of_node: pd.DataFrame
    """By the trial's keys and `node_id`: `first_byte_seconds`, the first byte of a request that
    succeeded, and `first_done_seconds`, when the first such request was complete."""
    latencies: Mapping[PointKey, FloatArray]
    """Of all successful requests of a point, its repeats pooled; seconds."""
    late_starts: Mapping[PointKey, float]
    """By how much the latest request of a point began after it was meant to; seconds."""


def gather_requests(transfers: Transfers, trials: Collection[TrialKeys]) -> Requests:
    """Read all requests of some trials once."""
    firsts: dict[TrialKeys, list[pd.DataFrame]] = {}
    latencies: dict[PointKey, list[FloatArray]] = {}
    late: dict[PointKey, float] = {}
    columns = [
        "node_id",
        "scheduled_seconds",
        "started_seconds",
        "first_byte_seconds",
        "finished_seconds",
        "outcome",
    ]
    for trial, rows in transfers.by_trial(columns, only=trials):
        useful = rows[rows["outcome"] == "ok"]
        firsts.setdefault(trial, []).append(earliest(useful))
        latencies.setdefault(trial[:3], []).append(request_latencies(useful))
        waited = (useful["started_seconds"] - useful["scheduled_seconds"]).max()
        late[trial[:3]] = max(late.get(trial[:3], 0.0), float(waited) if len(useful) else 0.0)
    merged = {trial: pd.concat(parts).groupby(level=0).min() for trial, parts in sorted(firsts.items())}
    return Requests(
        _stacked(merged),
        # Popped, so that no point's latencies are there twice for longer than it takes.
        {point: np.concatenate(latencies.pop(point)) for point in sorted(latencies)},
        late,
    )


def earliest(useful: pd.DataFrame) -> pd.DataFrame:
    """Give each node's first byte and first complete request among rows of one trial."""
    by_node = useful.groupby("node_id")[["first_byte_seconds", "finished_seconds"]].min()
    return by_node.rename(columns={"finished_seconds": "first_done_seconds"})


def request_latencies(useful: pd.DataFrame) -> FloatArray:
    """Give each request's latency, from its *intended* start to its first byte.

    Counted from `scheduled_seconds`, so that time spent waiting for a busy load generator is not
    lost (coordinated omission).
    """
    waited = useful["first_byte_seconds"] - useful["scheduled_seconds"]
    return waited.to_numpy(dtype=np.float64)


def _stacked(by_trial: Mapping[TrialKeys, pd.DataFrame]) -> pd.DataFrame:
    names = [*TRIAL_KEYS, "node_id"]
    if not by_trial:
        index = pd.MultiIndex.from_tuples([], names=names)
        columns = ["first_byte_seconds", "first_done_seconds"]
        return pd.DataFrame(index=index, columns=columns, dtype="float64")
    return pd.concat(by_trial, names=names)
