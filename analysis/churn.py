"""Clients that come and go: how often, what each time cost, and how soon content came again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.load import TRIAL_KEYS, RunData
from analysis.transfers import TrialKeys
from testbed.cast import ORIGIN
from testbed.outages import NEVER

_KEYS = list(TRIAL_KEYS)


@dataclass(frozen=True, slots=True)
class Churn:
    """Of one architecture at one N: medians over the repeats, but the longest of all rediscoveries."""

    sessions_per_client: float
    """How often a client came, on average."""
    wasted_bytes_per_session: float
    """Payload received in vain, by all clients, over all their sessions."""
    wasted_pieces_per_session: float | None
    """The same in pieces; None where there are none."""
    rediscovery_seconds: float | None
    """The longest that a client which came back waited for content; None if none ever got any."""


def churn(nodes: pd.DataFrame, piece_bytes: int | None) -> pd.DataFrame:
    """Say how often clients came, and what their sessions cost.

    Args:
      nodes: The rows of all nodes.
      piece_bytes: Of a swarm.

    Returns:
      By trial: `sessions_per_client`, `wasted_bytes_per_session`, `wasted_pieces_per_session` (swarm
      only) and `rediscovery_seconds`. All NaN in a trial whose clients came once each.
    """
    clients = nodes[nodes["role"] == "client"]
    # Where a row stands for many nodes nobody comes twice.
    by_trial = clients.groupby(_KEYS, sort=True)
    sessions = by_trial["sessions"].sum()
    sessions = sessions.where(by_trial["sessions"].max() > 1)
    frame = pd.DataFrame(
        {
            "sessions_per_client": sessions / by_trial.size(),
            "wasted_bytes_per_session": by_trial["wasted_payload_bytes"].sum() / sessions,
            "rediscovery_seconds": by_trial["rediscovery_seconds"].max(),
        }
    )
    pieces = frame["wasted_bytes_per_session"] / (piece_bytes or np.nan)
    of_swarm = frame.index.get_level_values("architecture") == "swarm"
    frame["wasted_pieces_per_session"] = pieces.where(of_swarm)
    return frame


def left_behind(run: RunData, trials: Collection[TrialKeys], finished: pd.Series) -> pd.DataFrame:
    """Say, where the origin of a swarm left, what was out by then, and who went without nevertheless.

    Args:
      run: The raw rows.
      trials: Which to look at.
      finished: By trial, the share of the clients that had the whole file in the end.

    Returns:
      By trial: `pieces_out_fraction`, the share of the pieces that clients have from the origin, and
      `left_behind_fraction`, the share of the clients that have no file though all were out. Both NaN
      where no origin left.
    """
    out: dict[TrialKeys, set[int]] = {}
    if run.scenario.origin_leaves != NEVER and run.piece_bytes:
        columns = ["source_id", "unit", "index", "outcome"]
        for trial, rows in run.transfers.by_trial(columns, only=trials):
            whole = (
                (rows["unit"] == "piece") & (rows["outcome"] == "ok") & (rows["source_id"] == ORIGIN)
            )
            out.setdefault(trial, set()).update(rows.loc[whole, "index"].unique())
    pieces = -(-run.file_bytes // run.piece_bytes) if run.piece_bytes else 0
    shares = {trial: len(seen) / pieces for trial, seen in out.items() if trial[1] == "swarm"}
    frame = pd.DataFrame(index=finished.index)
    frame["pieces_out_fraction"] = [shares.get(trial, np.nan) for trial in finished.index]
    all_out = frame["pieces_out_fraction"] == 1.0
    without = (1.0 - finished).where(all_out, 0.0)
    frame["left_behind_fraction"] = without.where(frame["pieces_out_fraction"].notna())
    return frame


def read_churn(trials: pd.DataFrame) -> Churn | None:
    """Put the trials of one point together; None if all clients came once."""
    sessions = trials["sessions_per_client"].median()
    if pd.isna(sessions):
        return None
    pieces = trials["wasted_pieces_per_session"].median()
    longest = trials["rediscovery_seconds"].max()
    return Churn(
        sessions_per_client=float(sessions),
        wasted_bytes_per_session=float(trials["wasted_bytes_per_session"].median()),
        wasted_pieces_per_session=None if pd.isna(pieces) else float(pieces),
        rediscovery_seconds=None if pd.isna(longest) else float(longest),
    )
