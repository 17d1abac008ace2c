"""The terms of THEORY.md, one function each: rows in, a frame by trial or by node out.

A row may stand for several equal nodes (`nodes`, in the flow world): its times and rates are those of
each, its bytes and counts those of all together.

Every time in a row counts from its trial's start. A trial has a makespan only if all its clients
verified the whole file; what is derived from a makespan is NaN otherwise, never a guess.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.load import TRIAL_KEYS
from testbed.replacement import FILE_STATES

_KEYS = list(TRIAL_KEYS)


def completions(nodes: pd.DataFrame) -> pd.DataFrame:
    """Give every client's completion time: joined until its whole file was verified.

    Returns:
      The trial's keys, `node_id`, `nodes` (how many the row stands for), `joined_seconds`,
      `finished_seconds` and `completion_seconds`; NaN for a client that never had a verified file.
    """
    clients = nodes[nodes["role"] == "client"]
    kept = clients[[*_KEYS, "node_id", "nodes", "joined_seconds", "finished_seconds"]].copy()
    kept["finished_seconds"] = kept["finished_seconds"].where(clients["verified"].astype(bool))
    kept["completion_seconds"] = kept["finished_seconds"] - kept["joined_seconds"]
    return kept.reset_index(drop=True)


def makespans(nodes: pd.DataFrame) -> pd.DataFrame:
    """Give each trial's makespan: first join until last completion.

    Returns:
      By trial: `makespan_seconds`, `first_done_seconds` (from the first join),
      `mean_completion_seconds`, `median_completion_seconds`, `first_join_seconds` and
      `last_completion_seconds`; all NaN when a client did not finish. And `finished_fraction`, the
      share of the clients that did.
    """
    done = completions(nodes)
    done["waited_seconds"] = done["completion_seconds"] * done["nodes"]
    by_trial = done.groupby(_KEYS, sort=True)
    frame = pd.DataFrame(
        {
            "first_join_seconds": by_trial["joined_seconds"].min(),
            "last_completion_seconds": by_trial["finished_seconds"].max(),
            "first_done_seconds": by_trial["finished_seconds"].min(),
            "mean_completion_seconds": by_trial["waited_seconds"].sum() / by_trial["nodes"].sum(),
            "median_completion_seconds": _medians(done),
        }
    )
    frame["first_done_seconds"] -= frame["first_join_seconds"]
    frame["makespan_seconds"] = frame["last_completion_seconds"] - frame["first_join_seconds"]
    whole = by_trial["finished_seconds"].count() == by_trial.size()
    frame = frame.where(whole)
    done["finished_nodes"] = done["nodes"].where(done["finished_seconds"].notna(), 0)
    frame["finished_fraction"] = by_trial["finished_nodes"].sum() / by_trial["nodes"].sum()
    return frame


def _medians(done: pd.DataFrame) -> pd.Series:
    """Give each trial's median client, where rows may stand for several."""
    if (done["nodes"] == 1).all():
        return done.groupby(_KEYS, sort=True)["completion_seconds"].median()
    repeated = done.sort_values("completion_seconds")
    counts = repeated.groupby(_KEYS)["nodes"]
    middle = counts.cumsum() >= counts.transform("sum") / 2
    return repeated[middle].groupby(_KEYS, sort=True)["completion_seconds"].first()


def first_bytes(nodes: pd.DataFrame, first_of_node: pd.DataFrame) -> pd.DataFrame:
    """Give, for each client, joined until the first byte that was of use.

    Of use is a byte of a request whose content was verified: the one measure of responsiveness that
    means the same in both architectures, where a request is a file here and a piece there.

    Returns:
      The trial's keys, `node_id`, `first_byte_seconds`; NaN if no request of the client succeeded.
    """
    earliest = first_of_node["first_byte_seconds"]
    clients = nodes.loc[nodes["role"] == "client", [*_KEYS, "node_id", "joined_seconds"]]
    joined = clients.join(earliest, on=[*_KEYS, "node_id"])
    joined["first_byte_seconds"] -= joined["joined_seconds"]
    return joined.drop(columns="joined_seconds").reset_index(drop=True)


def rates(nodes: pd.DataFrame, file_bytes: int) -> pd.DataFrame:
    """Give what a trial moved per second, and how well it used the uplinks.

    Goodput is verified payload without duplicates over the makespan, throughput all wire bytes
    received over it. Utilisation is all bytes up over what the uplinks of those online could have
    sent until the last completion; unlimited uplinks have none.

    Returns:
      By trial: `goodput_bytes_per_second`, `throughput_bytes_per_second`, `uplink_utilisation`.
    """
    span = makespans(nodes)
    clients = nodes[nodes["role"] == "client"].groupby(_KEYS, sort=True)
    received = clients["downloaded_wire_bytes"].sum()
    verified = verified_bytes(nodes, file_bytes)
    seconds = span["makespan_seconds"]

    carrying = nodes[nodes["role"] != "tracker"].join(span, on=_KEYS)
    online_from = carrying[["joined_seconds", "first_join_seconds"]].max(axis=1)
    online_until = carrying[["left_seconds", "last_completion_seconds"]].min(axis=1)
    online = (online_until - online_from - carrying["away_seconds"]).clip(lower=0.0)
    lines = carrying["uplink_bytes_per_second"].replace(np.inf, np.nan) * carrying["nodes"]
    possible = lines * online
    totals = carrying.assign(possible=possible).groupby(_KEYS, sort=True)
    could_send = totals["possible"].sum(min_count=1).where(totals["possible"].count() == totals.size())
    return pd.DataFrame(
        {
            "goodput_bytes_per_second": verified / seconds,
            "throughput_bytes_per_second": received / seconds,
            "uplink_utilisation": totals["uploaded_wire_bytes"].sum() / could_send,
        }
    )


def verified_bytes(nodes: pd.DataFrame, file_bytes: int) -> pd.Series:
    """Give the payload that clients had verified in the end, without duplicates, by trial."""
    if "wanted_bytes" not in nodes:
        return verified_clients(nodes) * file_bytes
    clients = nodes[(nodes["role"] == "client")]
    wanted = clients["wanted_bytes"].where(clients["verified"].astype(bool), 0)
    return wanted.groupby([clients[key] for key in _KEYS], sort=True).sum()


def verified_clients(nodes: pd.DataFrame) -> pd.Series:
    """Count the clients that had a verified file in the end, by trial."""
    clients = nodes[nodes["role"] == "client"]
    counted = clients[_KEYS].assign(
        verified=clients["nodes"].where(clients["verified"].astype(bool), 0)
    )
    return counted.groupby(_KEYS, sort=True)["verified"].sum()


def offloads(nodes: pd.DataFrame) -> pd.Series:
    """Give the share of all payload received that did not come from the origin, by trial."""
    sent = nodes[nodes["role"] == "origin"].groupby(_KEYS, sort=True)["uploaded_payload_bytes"].sum()
    clients = nodes[nodes["role"] == "client"].groupby(_KEYS, sort=True)
    received = clients["downloaded_payload_bytes"].sum()
    return (1.0 - sent / received.where(received > 0)).rename("offload")


def waste(nodes: pd.DataFrame) -> pd.Series:
    """Give the share of payload received that was received twice or failed its hash, by trial."""
    clients = nodes[nodes["role"] == "client"].groupby(_KEYS, sort=True)
    received = clients["downloaded_payload_bytes"].sum()
    wasted = clients["wasted_payload_bytes"].sum()
    return (wasted / received.where(received > 0)).rename("wasted_fraction")


def through_copies(nodes: pd.DataFrame, file_bytes: int) -> pd.Series:
    """Say how many copies of the file passed through a third party, in or out, by trial.

    That is a relay, through which the origin's file goes to the clients, or a tracker. NaN where there
    is none.
    """
    third = nodes[nodes["role"].isin(["relay", "tracker"])]
    passed = third["uploaded_payload_bytes"] + third["downloaded_payload_bytes"]
    return passed.groupby([third[key] for key in _KEYS]).sum().div(file_bytes).rename("through_copies")


def client_files(nodes: pd.DataFrame) -> pd.DataFrame:
    """Count what lay on the clients' disks in the end, by trial.

    Returns:
      `whole_files` and so on, one column for each of `FILE_STATES`; NaN where nobody looked.
    """
    looked = nodes[(nodes["role"] == "client") & (nodes["file"] != "")]
    keys = [looked[key] for key in _KEYS]
    return pd.DataFrame(
        {
            f"{state}_files": (looked["file"] == state).groupby(keys, sort=True).sum().astype(float)
            for state in FILE_STATES
        }
    )


def initiative(nodes: pd.DataFrame) -> pd.DataFrame:
    """Say who dialled and who served: means per node of each role, over the repeats of a point.

    Clients of a server only dial and ask, the server only accepts and serves; peers do both.

    Returns:
      By placement, architecture, clients and role: `nodes` (in one trial), then per node
      `connections_dialled`, `connections_accepted`, `requests_made`, `requests_served`,
      `uploaded_payload_bytes`, `downloaded_payload_bytes`.
    """
    point = [key for key in _KEYS if key != "repeat"]
    counts = [
        "connections_dialled",
        "connections_accepted",
        "requests_made",
        "requests_served",
        "uploaded_payload_bytes",
        "downloaded_payload_bytes",
    ]
    groups = nodes.groupby([*point, "role"], sort=True)
    frame = groups[counts].sum().div(groups["nodes"].sum(), axis=0)
    per_trial = (
        nodes.groupby([*_KEYS, "role"], sort=True)["nodes"].sum().groupby([*point, "role"]).max()
    )
    frame.insert(0, "nodes", per_trial)
    return frame
