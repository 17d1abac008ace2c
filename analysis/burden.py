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
Values = Sequence[float] | FloatArray


def gini(burdens: Values, counts: Values | None = None) -> float | None:
    """Compute the Gini coefficient: half the mean difference of two nodes, over the mean.

    Args:
      burdens: Of each node.
      counts: How many nodes each burden stands for; one, if not given.

    Returns:
      In [0, (n-1)/n]; None when there are no nodes or nobody carries anything.
    """
    ordered, of_each = _ordered(burdens, counts)
    total = of_each @ ordered
    if total == 0:
        return None
    count = of_each.sum()
    # Sum over all pairs of |difference|, in one pass over the sorted values.
    weights = of_each * (2 * np.cumsum(of_each) - of_each - count)
    # Rounding can leave -1e-17 where all are equal.
    return max(0.0, float(weights @ ordered / (count * total)))


def jain(burdens: Values, counts: Values | None = None) -> float | None:
    """Compute Jain's fairness index, (sum b)^2 / (n sum b^2); arguments as for `gini`.

    Returns:
      In [1/n, 1]; None when there are no nodes or nobody carries anything.
    """
    ordered, of_each = _ordered(burdens, counts)
    if of_each @ ordered == 0:
        return None
    # Scaled first: squares of very small burdens would vanish.
    scaled = ordered / ordered[-1]
    squares = of_each @ scaled**2
    return min(1.0, float((of_each @ scaled) ** 2 / (of_each.sum() * squares)))


def lorenz(burdens: Values, counts: Values | None = None) -> tuple[FloatArray, FloatArray]:
    """Trace the Lorenz curve: which share of nodes, idlest first, carries which share.

    Arguments as for `gini`.

    Returns:
      Share of nodes and share of bytes, each from 0 to 1 and n + 1 long; the shares of bytes are
      the diagonal when nobody carries anything.
    """
    ordered, of_each = _ordered(burdens, counts)
    nodes = np.concatenate(([0.0], np.cumsum(of_each))) / max(1.0, of_each.sum())
    total = of_each @ ordered
    if total == 0:
        return nodes, nodes.copy()
    carried = np.concatenate(([0.0], np.cumsum(of_each * ordered))) / total
    carried[-1] = 1.0
    return nodes, carried


def node_burdens(nodes: pd.DataFrame, file_bytes: int) -> pd.DataFrame:
    """Give the burden of every origin and client of every trial.

    Args:
      nodes: Rows of nodes.parquet.
      file_bytes: F.

    Returns:
      The trial's keys, `node_id`, `role`, `nodes` (how many the row stands for), and `burden`, of
      each of them, in copies of the file.
    """
    carrying = nodes[nodes["role"] != "tracker"]
    kept = carrying[[*TRIAL_KEYS, "node_id", "role", "nodes"]].copy()
    kept["burden"] = carrying["uploaded_payload_bytes"] / carrying["nodes"] / file_bytes
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
        counts = trial["nodes"].to_numpy(dtype=np.float64)
        is_client = (trial["role"] == "client").to_numpy()
        row = dict(zip(TRIAL_KEYS, keys, strict=True))
        is_origin = (trial["role"] == "origin").to_numpy()
        row["origin_copies"] = float(everyone[is_origin] @ counts[is_origin])
        row |= _shares(everyone, counts, "")
        row |= _shares(everyone[is_client], counts[is_client], "peers_")
        rows.append(row)
    nobody = np.zeros(0)
    columns = ["origin_copies", *_shares(nobody, nobody, ""), *_shares(nobody, nobody, "peers_")]
    return pd.DataFrame(rows, columns=[*TRIAL_KEYS, *columns]).set_index(list(TRIAL_KEYS))


def _shares(burdens: FloatArray, counts: FloatArray, prefix: str) -> dict[str, float]:
    some = len(burdens) > 0
    return {
        f"{prefix}burden_mean": float(np.average(burdens, weights=counts)) if some else float("nan"),
        f"{prefix}burden_max": float(burdens.max()) if some else float("nan"),
        f"{prefix}gini": _or_nan(gini(burdens, counts)),
        f"{prefix}jain": _or_nan(jain(burdens, counts)),
    }


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _ordered(burdens: Values, counts: Values | None) -> tuple[FloatArray, FloatArray]:
    """Sort burdens, idlest first; give with each how many nodes have it."""
    values = np.asarray(burdens, dtype=np.float64)
    of_each = np.ones(len(values)) if counts is None else np.asarray(counts, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    if len(ordered) and not ordered[0] >= 0:
        raise ValueError(f"a burden must not be negative, not {ordered[0]!r}")
    return ordered, of_each[order]
