"""Who got the file where somebody leaves, and what coming and going cost."""

from __future__ import annotations

from analysis.summary import Summary
from analysis.tables import Table, by_architecture, point_name
from analysis.wording import UNKNOWN, number, percent, seconds, size
from testbed.sessions import UNINTERRUPTED


def churn_tables(summary: Summary) -> list[Table]:
    """One table where the scenario lets somebody come and go; otherwise none."""
    scenario = summary.scenario
    if scenario.sessions == UNINTERRUPTED and not scenario.has_outages:
        return []
    table = Table(
        "Clients that had the whole file in the end; how often a client came, each time to another "
        "address; what it received in vain for each time it came; and the longest that one waited, "
        "back again, until content reached it.",
        ("", "N", "finished", "sessions a client", "wasted a session", "in pieces", "rediscovery"),
    )
    for points in by_architecture(summary.main_points):
        for point in points:
            churn = point.churn
            table.rows.append(
                (
                    point_name(point),
                    str(point.clients),
                    percent(point.finished_fraction, 1),
                    number(churn.sessions_per_client if churn else 1.0),
                    size(churn.wasted_bytes_per_session) if churn else UNKNOWN,
                    number(churn.wasted_pieces_per_session) if churn else UNKNOWN,
                    seconds(churn.rediscovery_seconds) if churn else UNKNOWN,
                )
            )
    return [table]
