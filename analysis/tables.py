"""The tables of a report, as strings: the same for the page, for Markdown and for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from analysis.points import Point, Quantiles
from analysis.statistics import LEAST_SAMPLES, Spread, local_slopes
from analysis.summary import Summary
from analysis.wording import UNKNOWN, low_to_high, number, percent, rate, seconds

Rows = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of text; the first cell of a row is its heading."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[str, ...]
    rows: Rows = field(default_factory=list)
    words: bool = False
    """Sentences instead of numbers: set flush left."""


def answer_table(summary: Summary, *, ranges: bool = True) -> Table:
    """Both architectures side by side, a row for each N: what the verdict rests on.

    Args:
      summary: The run judged.
      ranges: Whether times carry their range; without, the table fits 80 columns.
    """
    points = {(one.architecture, one.clients): one for one in summary.main_points}
    shown = {one.clients: one for one in summary.comparisons}
    table = Table(
        "Time until the last client has the file, median and range over the repeats, and how much "
        "of the speed that theory allows that is.",
        ("N", "server", "of bound", "swarm", "of bound", "server ÷ swarm", "the swarm is"),
    )
    for clients in sorted({clients for _, clients in points}):
        cells = [str(clients)]
        for architecture in ("server", "swarm"):
            point = points.get((architecture, clients))
            cells += [
                with_range(point.makespan, ranges=ranges) if point else UNKNOWN,
                _share_of_bound(point),
            ]
        comparison = shown.get(clients)
        if comparison is None:
            cells += [UNKNOWN, "not compared"]
        else:
            ratio = comparison.ratio
            cells += [
                f"{number(ratio.median)} ({low_to_high(ratio.low, ratio.high, 3)})"
                if ratio.repeats > 1
                else number(ratio.median),
                comparison.outcome.value,
            ]
        table.rows.append(tuple(cells))
    return table


def point_table(summary: Summary) -> Table:
    """Every point with its times, rates and bounds."""
    table = Table(
        "One row for each architecture and N; medians over the repeats. Slope is d ln T / d ln N "
        "from the N before: 1 means time grows as the number of clients.",
        (
            "",
            "N",
            "repeats",
            "first done",
            "last done",
            "fluid bound",
            "efficiency",
            "tightness",
            "slope",
            "goodput",
            "wire rate",
            "uplinks used",
            "wasted",
        ),
    )
    for points in by_architecture(summary.main_points):
        slopes = local_slopes(
            [one.clients for one in points],
            [one.makespan.median if one.makespan else float("nan") for one in points],
        )
        for point, slope in zip(points, slopes, strict=True):
            table.rows.append(
                (
                    point_name(point),
                    str(point.clients),
                    str(point.repeats),
                    seconds(point.first_done_seconds),
                    with_range(point.makespan),
                    seconds(point.bound_seconds),
                    number(point.efficiency),
                    number(point.tightness),
                    UNKNOWN if slope is None else f"{slope:.2f}",
                    rate(point.goodput_bytes_per_second),
                    rate(point.throughput_bytes_per_second),
                    percent(point.uplink_utilisation),
                    percent(point.wasted_fraction, 1),
                )
            )
    return table


def burden_table(summary: Summary) -> Table:
    """Who uploads how much, with and without the origin."""
    table = Table(
        "Upload burden in copies of the file. Gini: 0 all equal, towards 1 one node carries all. "
        "Jain: 1 all equal. The tracker moves no payload and is not counted.",
        (
            "",
            "N",
            "origin sends",
            "offload",
            "mean",
            "most",
            "Gini",
            "Jain",
            "clients: mean",
            "most",
            "Gini",
            "Jain",
        ),
    )
    for points in by_architecture(summary.main_points):
        for point in points:
            everyone, peers = point.everyone, point.peers_only
            table.rows.append(
                (
                    point_name(point),
                    str(point.clients),
                    number(point.origin_copies),
                    percent(point.offload),
                    number(everyone.burden_mean),
                    number(everyone.burden_max),
                    number(everyone.gini),
                    number(everyone.jain),
                    number(peers.burden_mean),
                    number(peers.burden_max),
                    number(peers.gini),
                    number(peers.jain),
                )
            )
    return table


def relay_table(summary: Summary) -> Table:
    """What passed through a third party; without rows where the server's clients need none."""
    table = Table(
        "Copies of the file that passed through a third party, in or out: the host to which the "
        "origin uploads, or the tracker.",
        ("", "N", "through it", "origin sends"),
    )
    for points in by_architecture(summary.main_points) if summary.has_relay else ():
        for one in points:
            copies = number(one.through_copies), number(one.origin_copies)
            table.rows.append((point_name(one), str(one.clients), *copies))
    return table


def waiting_table(summary: Summary) -> Table:
    """What a client waits for: the same in both architectures, so comparable."""
    table = Table(
        "Since joining, all clients of all repeats pooled. "
        f"{UNKNOWN}: too few clients for that quantile ({_least()}).",
        (
            "",
            "N",
            "first byte p50",
            "p90",
            "p99",
            "complete mean",
            "p50",
            "p90",
            "p99",
        ),
    )
    for points in by_architecture(summary.main_points):
        for point in points:
            table.rows.append(
                (
                    point_name(point),
                    str(point.clients),
                    *_quantiles(point.first_byte),
                    seconds(point.completion.mean),
                    *_quantiles(point.completion),
                )
            )
    return table


def check_table(summary: Summary) -> Table:
    """Every check with what it found."""
    table = Table(
        "Checks made in every run. A failed one makes the run invalid.",
        ("check", "result", "found", "what it means"),
        words=True,
    )
    marks = {"ok": "✓ ok", "failed": "✗ failed", "not exercised": "— not exercised"}
    table.rows.extend(
        (one.name, marks[one.state.value], one.detail, one.meaning) for one in summary.checks
    )
    return table


def by_architecture(points: Sequence[Point]) -> list[list[Point]]:
    """Give the points of each architecture, in the order of N."""
    names = sorted({one.architecture for one in points})
    return [[one for one in points if one.architecture == name] for name in names]


def point_name(point: Point) -> str:
    """Name a point's architecture, and say if it is not valid."""
    return point.architecture if point.valid else f"{point.architecture} (not valid)"


def with_range(spread: Spread | None, *, ranges: bool = True) -> str:
    """Write the median of repeats and their range."""
    if spread is None:
        return "not completed"
    if spread.repeats == 1 or not ranges:
        return seconds(spread.median)
    return f"{seconds(spread.median)} ({low_to_high(spread.low, spread.high, 3)})"


def _share_of_bound(point: Point | None) -> str:
    return percent(point.efficiency) if point else UNKNOWN


def _quantiles(found: Quantiles) -> tuple[str, str, str]:
    return seconds(found.p50), seconds(found.p90), seconds(found.p99)


def _least() -> str:
    return ", ".join(
        f"p{100 * share:g} needs {least}" for share, least in LEAST_SAMPLES.items() if share < 0.999
    )
