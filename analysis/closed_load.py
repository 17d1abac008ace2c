"""A server under closed load: so many clients, each of which begins anew when it is done.

**X(N)** is the sum of the clients' own rates, each between its first and its last completion while all
were at it: whole downloads over the time from one end to another. So nothing hangs on where a window
happens to cut downloads in two, and each client's first, with its cold start, is left out.

**The knee** is the number of clients at which the server saturates: the plateau of X over what one
client has by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.load import RunData
from analysis.statistics import quantile
from analysis.transfers import TrialKeys
from analysis.wording import number, rate

FloatArray = NDArray[np.float64]

#: What is within this share of the highest throughput is of the plateau.
PLATEAU_SHARE = 0.95

#: A single N may be the highest by chance, or as far as the sweep went.
LEAST_PLATEAU_LEVELS = 2


@dataclass(frozen=True, slots=True)
class Served:
    """The downloads of one trial."""

    bytes_per_second: float
    """X(N), of payload; NaN if a client has no two completions in time."""
    download_seconds: FloatArray
    """Of each, from its intended start, which is the end of the client's one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLoad:
    """The downloads of one N, the repeats pooled; X is their median."""

    downloads: int
    bytes_per_second: float | None
    mean_seconds: float
    p50: float | None
    p90: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Knee:
    """Where a server saturates."""

    users: float
    plateau_bytes_per_second: float
    one_user_bytes_per_second: float


def gather_served(run: RunData, trials: Collection[TrialKeys]) -> dict[TrialKeys, Served]:
    """Read the downloads of some trials; nothing where clients download once."""
    load = run.scenario.repetition
    if not load.is_closed:
        return {}
    columns = ["node_id", "scheduled_seconds", "finished_seconds", "payload_bytes", "outcome"]
    parts: dict[TrialKeys, list[pd.DataFrame]] = {}
    for trial, rows in run.transfers.by_trial(columns, only=trials):
        parts.setdefault(trial, []).append(rows[rows["outcome"] == "ok"])
    served = {}
    for trial, found in sorted(parts.items()):
        rows = pd.concat(found)
        took = rows["finished_seconds"] - rows["scheduled_seconds"]
        until = float(rows["scheduled_seconds"].min()) + load.again_seconds
        rate = throughput(rows, trial[2], until)
        served[trial] = Served(rate, took.to_numpy(dtype=np.float64))
    return served


def throughput(downloads: pd.DataFrame, clients: int, until_seconds: float) -> float:
    """Compute X: the sum of the clients' rates between their first and last completion in time.

    Args:
      downloads: A row each: `node_id`, `finished_seconds`, `payload_bytes`.
      clients: N; each must have two completions.
      until_seconds: From then on clients stop, and the rest have more of the uplink each.

    Returns:
      Payload bytes per second; NaN if it cannot be said.
    """
    in_time = downloads[downloads["finished_seconds"] <= until_seconds]
    in_order = in_time.sort_values("finished_seconds").groupby("node_id")
    ends = in_order["finished_seconds"]
    spans = ends.max() - ends.min()
    after_first = in_order["payload_bytes"].sum() - in_order["payload_bytes"].first()
    counted = spans > 0
    if int(counted.sum()) < clients:
        return float("nan")
    return float((after_first[counted] / spans[counted]).sum())


def pool(served: Sequence[Served]) -> ClosedLoad | None:
    """Sum up the repeats of one N; None if there are none."""
    if not served:
        return None
    seconds = np.concatenate([one.download_seconds for one in served])
    rates = [one.bytes_per_second for one in served if not np.isnan(one.bytes_per_second)]
    p50, p90, p99 = (quantile(seconds, share) for share in (0.5, 0.9, 0.99))
    return ClosedLoad(
        downloads=len(seconds),
        bytes_per_second=float(np.median(rates)) if rates else None,
        mean_seconds=float(seconds.mean()),
        p50=p50,
        p90=p90,
        p99=p99,
    )


def find_knee(rates: Mapping[int, float | None]) -> Knee | None:
    """Divide the plateau by what one client has.

    Args:
      rates: X by N.

    Returns:
      None without N = 1, or where no two N are on the plateau, so that none is shown.
    """
    known = {clients: rate for clients, rate in rates.items() if rate}
    if 1 not in known:
        return None
    highest = max(known.values())
    plateau = [rate for rate in known.values() if rate >= PLATEAU_SHARE * highest]
    if len(plateau) < LEAST_PLATEAU_LEVELS:
        return None
    level = float(np.mean(plateau))
    return Knee(level / known[1], level, known[1])


def describe(found: Mapping[int, ClosedLoad], knee: Knee | None) -> str:
    """Say in a sentence where a server saturates; nothing where no throughput is known.

    Args:
      found: By N.
      knee: If there is one.
    """
    if knee is not None:
        return (
            f"The server saturates at {number(knee.users)} clients: one by itself has "
            f"{rate(knee.one_user_bytes_per_second)}, and all together have "
            f"{rate(knee.plateau_bytes_per_second)} at most, however many there are."
        )
    known = {clients: one.bytes_per_second for clients, one in found.items() if one.bytes_per_second}
    if not known:
        return ""
    last = max(known)
    return f"No saturation was seen: at {last:,} clients all together have {rate(known[last])}."
