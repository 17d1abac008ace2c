"""What a run costs in computing: CPU by role, and whether a process was too busy to be trusted.

Peers bring computing power as well as bandwidth; the server arm concentrates it. CPU is counted by
process, so a role has its own figure only where it has processes of its own.
"""

from __future__ import annotations

import pandas as pd

from analysis.load import TRIAL_KEYS

_KEYS = list(TRIAL_KEYS)
GIGABYTE = 1e9

#: Names under which samples.parquet has the processes.
GENERATOR = "locust"
CLIENT_HOST = "clients"
ORIGIN_HOST = "origin"


def process_cpu_seconds(samples: pd.DataFrame) -> pd.DataFrame:
    """Give each process's CPU time in each trial, and the share of a core that was.

    Args:
      samples: Rows of samples.parquet; `cpu_seconds` counts up from the process's start.

    Returns:
      By trial and `process`: `cpu_seconds` used between first and last sample, `cpu_fraction` of
      one core, `memory_bytes` at most, `loop_lag_seconds` at most.
    """
    rows = samples[samples["scope"] == "process"]
    groups = rows.sort_values("at_seconds").groupby([*_KEYS, "process"], sort=True)
    used = groups["cpu_seconds"].last() - groups["cpu_seconds"].first()
    passed = groups["at_seconds"].last() - groups["at_seconds"].first()
    return pd.DataFrame(
        {
            "cpu_seconds": used,
            "cpu_fraction": used / passed.where(passed > 0),
            "memory_bytes": groups["memory_bytes"].max(),
            "loop_lag_seconds": groups["loop_lag_seconds"].max(),
        }
    )


def process_cpu_fractions(samples: pd.DataFrame) -> pd.DataFrame:
    """Give the busiest load generator's and node host's share of a core, by trial.

    Returns:
      By trial: `generator_cpu_fraction`, `node_host_cpu_fraction`; NaN where not sampled.
    """
    used = process_cpu_seconds(samples)["cpu_fraction"]
    return pd.DataFrame(
        {
            "generator_cpu_fraction": _busiest(used, GENERATOR),
            "node_host_cpu_fraction": _busiest(used, CLIENT_HOST),
        }
    )


def cpu_seconds_per_gigabyte(
    samples: pd.DataFrame, nodes: pd.DataFrame, file_bytes: int
) -> pd.DataFrame:
    """Give CPU seconds per gigabyte of verified payload, by role.

    Returns:
      By trial: `origin_cpu_seconds_per_gigabyte`, `client_cpu_seconds_per_gigabyte`; NaN where a
      process holds several roles, or was not sampled.
    """
    used = process_cpu_seconds(samples)["cpu_seconds"]
    clients = nodes[nodes["role"] == "client"].groupby(_KEYS, sort=True)
    gigabytes = clients["verified"].sum() * file_bytes / GIGABYTE
    gigabytes = gigabytes.where(gigabytes > 0)
    return pd.DataFrame(
        {
            "origin_cpu_seconds_per_gigabyte": _total(used, ORIGIN_HOST) / gigabytes,
            "client_cpu_seconds_per_gigabyte": _total(used, CLIENT_HOST) / gigabytes,
        }
    )


def _busiest(used: pd.Series, process: str) -> pd.Series:
    return used[used.index.get_level_values("process") == process].groupby(level=_KEYS).max()


def _total(used: pd.Series, process: str) -> pd.Series:
    return used[used.index.get_level_values("process") == process].groupby(level=_KEYS).sum()


def populations(samples: pd.DataFrame) -> pd.DataFrame:
    """Give how many clients were downloading at each sample."""
    raise NotImplementedError
