"""The bounds that apply to each trial, from the links its nodes had.

Two are drawn and divided by the makespan: the *fluid bound* (efficiency, comparable with published
figures) and the highest of all bounds that apply (tightness). A third decides whether a trial can
be true at all: the highest bound after the exact allowance for what the links' bursts permit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.load import TRIAL_KEYS
from analysis.theory.allocation import unequal_server_seconds, unequal_swarm_seconds
from analysis.theory.bounds import store_and_forward_seconds

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What theory allows one trial, in seconds."""

    fluid_seconds: float
    best_seconds: float
    """Highest bound that applies, store-and-forward included."""
    least_possible_seconds: float
    """The same, bursts allowed for: below it a makespan was measured wrongly."""


def bounds(
    architecture: str,
    *,
    file_bytes: int,
    piece_bytes: int | None,
    burst_seconds: float,
    origin_uplink: float,
    client_uplinks: FloatArray,
    client_downlinks: FloatArray,
) -> Bounds:
    """Compute the bounds of one trial.

    Args:
      architecture: `server` or `swarm`.
      file_bytes: F.
      piece_bytes: p, for the swarm's store-and-forward bound; None leaves it out.
      burst_seconds: By how much each link may be ahead of its rate.
      origin_uplink: us, bytes per second, may be infinite.
      client_uplinks: u of each client.
      client_downlinks: d of each client.
    """

    def highest(burst: float) -> tuple[float, float]:
        if architecture == "server":
            fluid = unequal_server_seconds(file_bytes, origin_uplink, client_downlinks, burst)
            return float(fluid), float(fluid)
        fluid = unequal_swarm_seconds(
            file_bytes, origin_uplink, client_uplinks, client_downlinks, burst
        )
        return float(fluid), max(float(fluid), stored(burst))

    def stored(burst: float) -> float:
        # A last piece that is shorter would spread sooner: the whole pieces alone are a file too,
        # and its bound holds for the longer one.
        whole = file_bytes // piece_bytes if piece_bytes else 0
        equal = np.ptp(client_uplinks) == 0 if np.isfinite(client_uplinks).all() else False
        if not whole or not piece_bytes or not equal:
            return 0.0
        return store_and_forward_seconds(
            float(whole * piece_bytes),
            origin_uplink,
            float(client_uplinks[0]),
            len(client_uplinks),
            whole,
            burst,
        )

    fluid, best = highest(0.0)
    _, least = highest(burst_seconds)
    return Bounds(fluid_seconds=fluid, best_seconds=best, least_possible_seconds=least)


def trial_bounds(
    nodes: pd.DataFrame, *, file_bytes: int, piece_bytes: int | None, burst_seconds: float
) -> pd.DataFrame:
    """Compute the bounds of every trial from the links of its nodes.

    Returns:
      By trial: `fluid_seconds`, `best_seconds`, `least_possible_seconds`.
    """
    rows = []
    for keys, trial in nodes.groupby(list(TRIAL_KEYS), sort=True):
        clients = trial[trial["role"] == "client"]
        origins = trial.loc[trial["role"] == "origin", "uplink_bytes_per_second"]
        if clients.empty or origins.empty:
            continue
        identity = dict(zip(TRIAL_KEYS, keys, strict=True))
        found = bounds(
            str(identity["architecture"]),
            file_bytes=file_bytes,
            piece_bytes=piece_bytes,
            burst_seconds=burst_seconds,
            origin_uplink=float(origins.sum()),
            client_uplinks=clients["uplink_bytes_per_second"].to_numpy(dtype=np.float64),
            client_downlinks=clients["downlink_bytes_per_second"].to_numpy(dtype=np.float64),
        )
        rows.append(
            identity
            | {
                "fluid_seconds": found.fluid_seconds,
                "best_seconds": found.best_seconds,
                "least_possible_seconds": found.least_possible_seconds,
            }
        )
    columns = ["fluid_seconds", "best_seconds", "least_possible_seconds"]
    return pd.DataFrame(rows, columns=[*TRIAL_KEYS, *columns]).set_index(list(TRIAL_KEYS))
