"""What a run costs in computing: processor time by role, per gigabyte delivered.

Peers bring computing power as well as bandwidth; a server concentrates it. Processor time is counted
by process, so a role has a figure of its own only where its nodes share no process with another's
(the tracker apart: it does next to nothing and lives with the origin).
"""

from __future__ import annotations

import pandas as pd

from analysis.load import TRIAL_KEYS
from analysis.metrics import verified_bytes

_KEYS = list(TRIAL_KEYS)
GIGABYTE = 1e9


def process_cpu_seconds(samples: pd.DataFrame) -> pd.Series:
    """Give the processor time of each process, as last sampled in its trial.

    Args:
      samples: Rows of samples.parquet; processes live for one trial, so theirs count from zero.

    Returns:
      By trial and `process`; the load generator is -1.
    """
    rows = samples[(samples["scope"] == "process") & samples["cpu_seconds"].notna()]
    return rows.groupby([*_KEYS, "process"], sort=True)["cpu_seconds"].max()


def process_roles(nodes: pd.DataFrame) -> pd.Series:
    """Say whose processor time a process's is: `origin`, `client`, or `mixed`.

    Returns:
      By trial and `process`.
    """
    known = nodes[nodes["role"] != "tracker"].groupby([*_KEYS, "process"], sort=True)["role"]
    return known.first().where(known.nunique() == 1, "mixed")


def cpu_seconds_per_gigabyte(
    samples: pd.DataFrame, nodes: pd.DataFrame, file_bytes: int
) -> pd.DataFrame:
    """Give processor seconds per gigabyte of verified payload, by role.

    Returns:
      By trial: `origin_cpu_seconds_per_gigabyte`, `client_cpu_seconds_per_gigabyte`; NaN where a
      role shares a process with the other, or was not sampled.
    """
    roles = process_roles(nodes).rename("role")
    used = process_cpu_seconds(samples).to_frame().join(roles, how="right").reset_index()
    gigabytes = verified_bytes(nodes, file_bytes) / GIGABYTE
    mixed = used[used["role"] == "mixed"].groupby(_KEYS).size()
    columns = {}
    for role in ("origin", "client"):
        of_role = used[used["role"] == role].groupby(_KEYS, sort=True)["cpu_seconds"]
        # A process that was not sampled leaves the sum unknown, not smaller.
        total = of_role.sum().where(of_role.count() == of_role.size())
        per_gigabyte = total / gigabytes.where(gigabytes > 0)
        columns[f"{role}_cpu_seconds_per_gigabyte"] = per_gigabyte[
            ~per_gigabyte.index.isin(mixed.index)
        ]
    return pd.DataFrame(columns).reindex(gigabytes.index)


def populations(samples: pd.DataFrame) -> pd.DataFrame:
    """Give the clients that were downloading at each sample, by the process they live in.

    Returns:
      The trial's keys, `process`, `at_seconds`, `downloading`.
    """
    rows = samples[(samples["scope"] == "process") & (samples["process"] >= 0)]
    kept = rows[[*_KEYS, "process", "at_seconds", "downloading"]]
    return kept.sort_values("at_seconds").reset_index(drop=True)
