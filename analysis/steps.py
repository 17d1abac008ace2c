"""The four steps of a transaction: request, service, response, and what the client does with it.

    request    the client sends, until the host has all of the request
    service    the host interprets it, finds and reads the file, and waits for an added delay
    response   the host sends, until the client has the last byte
    client     the client processes the content: SHA-256

A large file is read while it is sent: its disk's time is in the response.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.statistics import quantile

STEPS = ("request", "service", "response", "client")

#: What a transaction is measured by: its steps; and besides, both from when the client asked.
FIGURES = (*STEPS, "first_byte", "total")

PointKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class StepSpread:
    """One step, of all transactions of a point; seconds."""

    least: float
    p50: float | None
    p90: float | None


@dataclass(frozen=True, slots=True)
class PointSteps:
    """The transactions of one architecture at one N."""

    count: int
    spreads: Mapping[str, StepSpread]
    """By name, of `FIGURES`."""
    sum_error: float
    """By which part of the total the steps miss it, in all but a tenth of the transactions: between
    two readings a machine may give the core to somebody else."""
    cached_fraction: float | None
    """How much of the file the page cache held before a transaction, at most; None: nobody looked."""


def step_times(transactions: pd.DataFrame) -> pd.DataFrame:
    """Say how long each step of each transaction took.

    Args:
      transactions: As in transactions.parquet, with `placement`.

    Returns:
      The trial's keys, `FIGURES` in seconds, `sum_error` and `cached_fraction`.
    """
    rows = transactions
    times = rows[["placement", "architecture", "clients", "repeat", "cached_fraction"]].copy()
    readings = [
        rows[f"{name}_seconds"] for name in ("asked", "received", "found", "last_byte", "processed")
    ]
    for name, begin, end in zip(STEPS, readings[:-1], readings[1:], strict=True):
        times[name] = end - begin
    times["first_byte"] = rows["first_byte_seconds"] - rows["asked_seconds"]
    times["total"] = rows["total_seconds"]
    # Readings out of order would cancel each other; they were not of one transaction, or clock.
    added = sum(times[name].abs() for name in STEPS)
    missed = (added - times["total"]).abs()
    # In virtual time a transaction may take none.
    times["sum_error"] = missed.where(missed == 0, missed / times["total"])
    return times


def point_steps(times: pd.DataFrame) -> dict[PointKey, PointSteps]:
    """Sum up the transactions of each point.

    Args:
      times: As `step_times` gives them, without those of trials that failed.
    """
    found = {}
    groups: Any = times.groupby(["placement", "architecture", "clients"])
    for (placement, architecture, clients), rows in groups:
        cached = rows["cached_fraction"].max()
        found[str(placement), str(architecture), int(clients)] = PointSteps(
            count=len(rows),
            spreads={name: _spread(rows[name]) for name in FIGURES},
            sum_error=float(np.quantile(rows["sum_error"], 0.9)),
            cached_fraction=None if pd.isna(cached) else float(cached),
        )
    return found


def _spread(values: pd.Series[float]) -> StepSpread:
    kept: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    return StepSpread(float(kept.min()), quantile(kept, 0.5), quantile(kept, 0.9))
