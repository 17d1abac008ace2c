"""The tables about roles: who dialled and served, what it cost in CPU, and where processes were."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.summary import Summary
from analysis.tables import Table, by_architecture, point_name, with_range
from analysis.wording import UNKNOWN, number, percent, seconds, size


def roles_table(initiative: pd.DataFrame, clients: int) -> Table:
    """Who dialled and who served, at one N, as `metrics.initiative` counted it.

    Args:
      initiative: Of one placement, by architecture, clients and role.
      clients: N.
    """
    table = Table(
        f"Per node at N = {clients}, mean over nodes and repeats.",
        (
            "",
            "nodes",
            "dialled",
            "accepted",
            "requests made",
            "requests served",
            "payload up",
            "payload down",
        ),
    )
    for row in initiative.reset_index().to_dict("records"):
        if row["clients"] != clients:
            continue
        table.rows.append(
            (
                f"{row['architecture']} {row['role']}",
                f"{row['nodes']:.0f}",
                number(row["connections_dialled"]),
                number(row["connections_accepted"]),
                number(row["requests_made"]),
                number(row["requests_served"]),
                size(row["uploaded_payload_bytes"]),
                size(row["downloaded_payload_bytes"]),
            )
        )
    return table


def computation_table(summary: Summary) -> Table:
    """What a delivered gigabyte costs in CPU, by role, and how busy the load generator was."""
    table = Table(
        "CPU seconds per gigabyte (10⁹ B) of verified payload, by role; and the busiest repeat's "
        "share of a core. The load generator is Locust, the node host runs all clients.",
        ("", "N", "origin", "clients", "load generator", "node host"),
    )
    for points in by_architecture(summary.main_points):
        for point in points:
            cpu = point.cpu_seconds_per_gigabyte
            table.rows.append(
                (
                    point_name(point),
                    str(point.clients),
                    number(cpu["origin"]),
                    number(cpu["client"]),
                    percent(point.generator_cpu_fraction),
                    percent(point.node_host_cpu_fraction),
                )
            )
    return table


def lag_table(samples: pd.DataFrame, late_starts: Mapping[tuple[str, str, int], float]) -> Table:
    """How late processes were: their loops, and requests against their intended start.

    Args:
      samples: Rows of samples.parquet.
      late_starts: As `requests.gather_requests` finds them, by point.
    """
    table = Table(
        "Lag, the latest in any trial. Latencies count from the intended start, so they contain it.",
        ("", "origin's loop", "clients' loop", "load generator", "start of a request"),
    )
    lag = samples[samples["scope"] == "process"].groupby(["architecture", "role"])["loop_lag_seconds"]
    found = lag.max().reset_index().itertuples(index=False, name=None)
    latest = {(str(architecture), str(role)): float(late) for architecture, role, late in found}
    for architecture in sorted({key[0] for key in latest}):
        late = [value for key, value in late_starts.items() if key[1] == architecture]
        loops = [latest.get((architecture, role)) for role in ("origin", "client", "generator")]
        table.rows.append((architecture, *map(seconds, loops), seconds(max(late, default=None))))
    return table


def placement_table(summary: Summary) -> Table:
    """The makespan where the same roles run in other processes."""
    placements = summary.placements
    table = Table(
        "Time until the last client has the file, by where the processes are.",
        ("", "N", *placements),
    )
    found = {one.key: one for one in summary.points}
    for architecture, clients in sorted({key[1:] for key in found}):
        cells = [
            with_range(found[key].makespan) if key in found else UNKNOWN
            for key in ((placement, architecture, clients) for placement in placements)
        ]
        table.rows.append((architecture, str(clients), *cells))
    return table


def ledger_table(initiative: pd.DataFrame) -> Table:
    """Payload by role in each placement: it must not depend on where a process runs.

    Args:
      initiative: As `metrics.initiative` counts it, by placement, architecture, clients and role.
    """
    table = Table(
        "Payload by role, all nodes of a trial together, mean over the repeats.",
        ("", "N", "placement", "sent", "received"),
    )
    for row in initiative.reset_index().to_dict("records"):
        if row["role"] == "tracker":
            continue
        sent, received = (
            f"{row[f'{way}_payload_bytes'] * row['nodes']:,.0f} B" for way in ("uploaded", "downloaded")
        )
        role = f"{row['architecture']} {row['role']}"
        table.rows.append((role, str(row["clients"]), row["placement"], sent, received))
    return table
