"""Who got the file where somebody leaves, and what coming and going cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.points import Point
from analysis.summary import Summary
from analysis.tables import Table, point_name
from analysis.wording import UNKNOWN, number, percent, seconds, size
from testbed.sessions import UNINTERRUPTED

CAPTION = (
    "Pieces that were out when the origin left; clients that had the whole file in the end; how often "
    "a client came, each time to another address; what it received in vain for each time it came, in "
    "bytes and in pieces; and the longest that one waited, back again, until content reached it."
)
FIGURES = ("pieces out", "finished", "sessions", "waste", "in pieces", "rediscovery")


def is_about_leaving(summaries: Iterable[Summary]) -> bool:
    """Whether a scenario lets somebody come and go, in all of its variants."""
    return all(one.scenario.has_outages or one.scenario.sessions != UNINTERRUPTED for one in summaries)


def churn_tables(summary: Summary) -> list[Table]:
    """A row for each point of one run; no table where everybody stays."""
    if not is_about_leaving([summary]):
        return []
    rows = [(point_name(one), str(one.clients), *_figures(one)) for one in summary.main_points]
    return [Table(CAPTION, ("", "N", *FIGURES), rows)]


def leaving_table(named: Sequence[tuple[str, Point]]) -> Table:
    """A row for each point of an experiment, named by its variant, one architecture after the other."""
    rows = [
        (one.architecture, f"{one.clients:,}", name, *_figures(one))
        for name, one in sorted(named, key=lambda pair: (pair[1].clients, pair[1].architecture))
    ]
    return Table(CAPTION, ("", "N", "variant", *FIGURES), rows)


def say_leaving(named: Sequence[tuple[str, Point]]) -> str:
    """Say in a sentence for each architecture who got the file in which variant."""
    sentences = []
    for architecture in ("server", "swarm"):
        of_it = [(name, one) for name, one in named if one.architecture == architecture]
        shares: dict[str, list[str]] = {}
        for name, one in of_it:
            shares.setdefault(percent(one.finished_fraction), []).append(name)
        said = [f"{share} with {', '.join(map(repr, names))}" for share, names in shares.items()]
        if len(said) == 1:
            said = [f"{next(iter(shares))} in every variant"]
        if said:
            sentences.append(f"Of the {architecture}'s clients finished: {'; '.join(said)}.")
    return " ".join(sentences)


def _figures(point: Point) -> tuple[str, ...]:
    churn = point.churn
    return (
        percent(point.pieces_out_fraction),
        percent(point.finished_fraction),
        number(churn.sessions_per_client if churn else 1.0),
        size(churn.wasted_bytes_per_session) if churn else UNKNOWN,
        number(churn.wasted_pieces_per_session) if churn else UNKNOWN,
        seconds(churn.rediscovery_seconds) if churn else UNKNOWN,
    )
