"""Who uploads how much: the burden of every node, and how evenly it is shared.

A burden is what a node uploaded in copies of the file. Origin and clients count; the tracker moves
no payload and does not. Gini is 0 when all carry the same and (n-1)/n when one of n carries
everything; Jain's index is 1 and 1/n. For one origin and N idle clients that makes N/(N+1) and
1/(N+1), whatever the file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.load import TRIAL_KEYS

FloatArray = NDArray[np.float64]


def gini(burdens: Sequence[float] | FloatArray) -> float | None:
    """Compute the Gini coefficient: half the mean difference of two nodes, over the mean.

    Returns:
      In [0, (n-1)/n]; None when there are no nodes or nobody carries anything.
    """
    ordered = _ordered(burdens)
    total = ordered.sum()
    if total == 0:
        return None
    count = len(ordered)
    # Sum over all pairs of |difference|, in one pass over the sorted values.
    weights = 2 * np.arange(1, count + 1) - count - 1
    # Rounding can leave -1e-17 where all are equal.
    return max(0.0, float(weights @ ordered / (count * total)))


def jain(burdens: Sequence[float] | FloatArray) -> float | None:
    """Compute Jain's fairness index, (sum b)^2 / (n sum b^2).

    Returns:
      In [1/n, 1]; None when there are no nodes or nobody carries anything.
    """
    ordered = _ordered(burdens)
    if ordered.sum() == 0:
        return None
    # Scaled first: squares of very small burdens would vanish.
    scaled = ordered / ordered[-1]
    return min(1.0, float(scaled.sum() ** 2 / (len(scaled) * (scaled @ scaled))))


def lorenz(burdens: Sequence[float] | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Trace the Lorenz curve: which share of nodes, idlest first, carries which share.

    Returns:
      Share of nodes and share of bytes, each from 0 to 1 and n + 1 long; the shares of bytes are
      the diagonal when nobody carries anything.
    """
    ordered = _ordered(burdens)
    nodes = np.linspace(0.0, 1.0, len(ordered) + 1)
    total = ordered.sum()
    if total == 0:
        return nodes, nodes.copy()
    carried = np.concatenate(([0.0], np.cumsum(ordered))) / total
    carried[-1] = 1.0
    return nodes, carried


def node_burdens(nodes: pd.DataFrame, file_bytes: int) -> pd.DataFrame:
    """Give the burden of every origin and client of every trial.

    Args:
      nodes: Rows of nodes.parquet.
      file_bytes: F.

    Returns:
      The trial's keys, `node_id`, `role`, `burden` in copies of the file.
    """
    carrying = nodes[nodes["role"] != "tracker"]
    kept = carrying[[*TRIAL_KEYS, "node_id", "role"]].copy()
    kept["burden"] = carrying["uploaded_payload_bytes"] / file_bytes
    return kept.reset_index(drop=True)


def trial_burdens(burdens: pd.DataFrame) -> pd.DataFrame:
    """Sum up the burdens of each trial, with and without the origin.

    Args:
      burdens: As `node_burdens` gives them.

    Returns:
      By trial: `origin_copies`, `burden_mean`, `burden_max`, `gini`, `jain`, and the same four
      with `peers_` before them, of the clients alone. NaN where one is not defined.
    """
    rows = []
    for keys, trial in burdens.groupby(list(TRIAL_KEYS), sort=True):
        everyone = trial["burden"].to_numpy(dtype=np.float64)
        is_client = (trial["role"] == "client").to_numpy()
        row = dict(zip(TRIAL_KEYS, keys, strict=True))
        row["origin_copies"] = float(everyone[~is_client].sum())
        row |= _shares(everyone, "") | _shares(everyone[is_client], "peers_")
        rows.append(row)
    columns = ["origin_copies", *_shares(np.zeros(0), ""), *_shares(np.zeros(0), "peers_")]
    return pd.DataFrame(rows, columns=[*TRIAL_KEYS, *columns]).set_index(list(TRIAL_KEYS))


def _shares(burdens: FloatArray, prefix: str) -> dict[str, float]:
    some = len(burdens) > 0
    return {
        f"{prefix}burden_mean": float(burdens.mean()) if some else float("nan"),
        f"{prefix}burden_max": float(burdens.max()) if some else float("nan"),
        f"{prefix}gini": _or_nan(gini(burdens)),
        f"{prefix}jain": _or_nan(jain(burdens)),
    }


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _ordered(burdens: Sequence[float] | FloatArray) -> FloatArray:
    ordered = np.sort(np.asarray(burdens, dtype=np.float64))
    if len(ordered) and not ordered[0] >= 0:
        raise ValueError(f"a burden must not be negative, not {ordered[0]!r}")
    return ordered
