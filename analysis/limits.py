"""The bounds that apply to each trial, from the links its nodes had.

Two are drawn and divided by the makespan: the *fluid bound* (efficiency, comparable with published
figures) and the highest of all bounds that apply (tightness). A third decides whether a trial can
be true at all: the highest bound after the exact allowance for what the links' bursts permit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.load import TRIAL_KEYS
from analysis.theory.balancing import fullest_origin_seconds
from analysis.theory.bounds import server_seconds, store_and_forward_seconds, swarm_seconds
from testbed.scenario import Scenario

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
    client_counts: FloatArray | None = None,
    origins: int = 1,
) -> Bounds:
    """Compute the bounds of one trial.

    Args:
      architecture: `server` or `swarm`.
      file_bytes: F.
      piece_bytes: p, for the swarm's store-and-forward bound; None leaves it out.
      burst_seconds: By how much each link may be ahead of its rate.
      origin_uplink: us of each origin, bytes per second, may be infinite.
      client_uplinks: u of each client, or of each class of clients.
      client_downlinks: d, likewise.
      client_counts: How many clients each of them stands for; one, if not given.
      origins: m, how many servers share the clients; a swarm has one origin.
    """
    counts = np.ones(len(client_uplinks)) if client_counts is None else client_counts
    clients = float(counts.sum())
    # Of unequal clients the bounds ask for no more than the sum of the uplinks and the slowest
    # downlink (`theory.allocation` shows that they can be attained): as many with the mean uplink.
    uplink = float(client_uplinks @ counts) / clients
    downlink = float(client_downlinks.min())

    def fluid_and_stored(burst: float) -> tuple[float, float]:
        if architecture == "server":
            return server_seconds(file_bytes, origin_uplink, downlink, clients, burst, origins), 0.0
        fluid = swarm_seconds(file_bytes, origin_uplink, uplink, downlink, clients, burst)
        return fluid, stored(burst)

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
            clients,
            whole,
            burst,
        )

    fluid, best = fluid_and_stored(0.0)
    if architecture == "server":
        # A client that its origin fails goes on at another one, so this is a bound that a true run may
        # break: it is shown, and nothing is called impossible for it.
        best = float(fullest_origin_seconds(file_bytes, origin_uplink, clients, origins))
    return Bounds(
        fluid_seconds=fluid,
        best_seconds=max(fluid, best),
        least_possible_seconds=max(fluid_and_stored(burst_seconds)),
    )


def origins_of(scenario: Scenario) -> int:
    """How many servers a run has; its swarm has one origin, whatever this says."""
    return int(scenario.tables.get("servers", {}).get("origins", 1))


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
        origins = trial[trial["role"] == "origin"]
        if clients.empty or origins.empty:
            continue
        file_bytes_each = file_bytes
        if "wanted_bytes" in clients:
            # The server's uplink has to carry their sum, whoever wants how much of it.
            file_bytes_each = math.floor(clients["wanted_bytes"].mean())
        identity = dict(zip(TRIAL_KEYS, keys, strict=True))
        found = bounds(
            str(identity["architecture"]),
            file_bytes=file_bytes_each,
            piece_bytes=piece_bytes,
            burst_seconds=burst_seconds,
            # All origins of a run have equal lines.
            origin_uplink=float(origins["uplink_bytes_per_second"].iloc[0]),
            origins=int(origins["nodes"].sum()),
            client_uplinks=clients["uplink_bytes_per_second"].to_numpy(dtype=np.float64),
            client_downlinks=clients["downlink_bytes_per_second"].to_numpy(dtype=np.float64),
            client_counts=clients["nodes"].to_numpy(dtype=np.float64),
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
