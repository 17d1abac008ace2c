"""The charts of waiting, each with its question, its words and its numbers."""

from __future__ import annotations

import pandas as pd

from analysis import figures_of_waiting
from analysis.charts import Chart, Drawn
from analysis.figure_style import in_both_forms
from analysis.figures_of_waiting import QUANTILES
from analysis.points import Point, Quantiles
from analysis.statistics import quantile
from analysis.tables import Rows, Table
from analysis.wording import UNKNOWN, seconds

SHARES = (0.5, 0.9, 0.99)
NEEDED = "A quantile that too few clients or requests were measured for is left out."


def growth_chart(drawn: Drawn) -> Chart | None:
    """Answer: does waiting grow with N? None where one N was measured only."""
    points = [one for one in drawn.summary.main_points if one.makespan is not None]
    if len({one.clients for one in points}) < 2:
        return None
    first = _frame(points, [one.first_byte for one in points])
    whole = _frame(points, [one.completion for one in points])
    figure, narrow = in_both_forms(figures_of_waiting.waiting_growth, first, whole, drawn.note())
    rows: Rows = [
        (
            point.architecture,
            str(point.clients),
            *(seconds(value) for value in _values(point.first_byte)),
            *(seconds(value) for value in _values(point.completion)),
        )
        for point in points
    ]
    said = "; ".join(
        f"{one.architecture} at {one.clients}: half of the clients have the first byte within "
        f"{seconds(one.first_byte.p50)} and the file within {seconds(one.completion.p50)}"
        for one in points
        if one.clients == drawn.largest
    )
    return Chart(
        "waiting_growth",
        "Does waiting grow with the number of clients?",
        "Quantiles over the clients of all repeats: half, nine of ten, 99 of 100 have waited no longer "
        "since they joined. These mean the same in both architectures. " + NEEDED,
        f"Quantiles of the time to the first byte and to the whole file. {said}.",
        figure,
        Table(
            "Quantiles over clients",
            ("", "N", "first byte p50", "p90", "p99", "whole file p50", "p90", "p99"),
            rows,
        ),
        narrow,
    )


def distribution_chart(drawn: Drawn) -> Chart:
    """Answer: how long does one client wait?"""
    completions = drawn.at_largest(drawn.measures.completions)
    first_bytes = drawn.at_largest(drawn.measures.first_bytes)
    rows: Rows = []
    for architecture in sorted(completions["architecture"].unique()):
        for name, frame, column in (
            ("first useful byte", first_bytes, "first_byte_seconds"),
            ("whole file", completions, "completion_seconds"),
        ):
            known = frame[frame["architecture"] == architecture].dropna(subset=column)
            values = known[column].astype("float64")
            counts = known["nodes"].to_numpy() if "nodes" in known else None
            found = [quantile(values.to_numpy(), share, counts) for share in SHARES]
            cells = [UNKNOWN if one is None else seconds(one) for one in found]
            rows.append(
                (f"{architecture}, {name}", seconds(values.min()), *cells, seconds(values.max()))
            )
    pooled = "all repeats pooled" if drawn.summary.scenario.repeats > 1 else "one repeat"
    note = drawn.note(f"N = {drawn.largest}", pooled)
    draw = figures_of_waiting.completion_distribution
    figure, narrow = in_both_forms(draw, completions, first_bytes, note)
    said = "; ".join(f"{row[0]}: from {row[1]} to {row[-1]}" for row in rows)
    return Chart(
        "waiting",
        f"How long does one client wait at N = {drawn.largest}?",
        "Share of clients that have the first byte (of content that was verified) and the whole "
        "file by then.",
        f"Cumulative distributions at N = {drawn.largest}. {said}.",
        figure,
        Table("Distribution over clients", ("", "least", "p50", "p90", "p99", "most"), rows),
        narrow,
    )


def request_growth_chart(drawn: Drawn) -> Chart | None:
    """Answer: how long until a request is answered? None without requests at more than one N."""
    points = [one for one in drawn.summary.main_points if one.request_latency.p50 is not None]
    if len({one.clients for one in points}) < 2:
        return None
    frame = _frame(points, [one.request_latency for one in points])
    figure, narrow = in_both_forms(figures_of_waiting.request_growth, frame, drawn.note())
    rows: Rows = [
        (
            point.architecture,
            str(point.clients),
            *(seconds(value) for value in _values(point.request_latency)),
        )
        for point in points
    ]
    last = {point.architecture: point for point in points}
    said = "; ".join(
        f"{name} at {one.clients}: median {seconds(one.request_latency.p50)}"
        for name, one in sorted(last.items())
    )
    return Chart(
        "request_latency",
        "How long until a request is answered?",
        "From the intended start of a request to the first byte of its answer, so that time spent "
        "waiting for a busy generator is not lost. A request is the whole file in one architecture and "
        "a piece in the other: the panels must not be compared. " + NEEDED,
        f"Quantiles of request latency. {said}.",
        figure,
        Table("Quantiles over requests", ("", "N", *QUANTILES), rows),
        narrow,
    )


def request_distribution_chart(drawn: Drawn) -> Chart | None:
    """Answer: are some requests much slower than others? None without any request at this N."""
    main = drawn.summary.placements[0]
    found = {
        architecture: values
        for (placement, architecture, clients), values in drawn.measures.requests.latencies.items()
        if placement == main and clients == drawn.largest and len(values)
    }
    if not found:
        return None
    note = drawn.note(f"N = {drawn.largest}", "all repeats pooled")
    figure, narrow = in_both_forms(figures_of_waiting.request_distribution, found, note)
    rows: Rows = []
    for architecture, values in sorted(found.items()):
        quantiles = [quantile(values, share) for share in SHARES]
        rows.append(
            (
                architecture,
                f"{len(values):,}",
                seconds(float(values.min())),
                *(UNKNOWN if one is None else seconds(one) for one in quantiles),
                seconds(float(values.max())),
            )
        )
    said = "; ".join(f"{row[0]}: from {row[2]} to {row[-1]}" for row in rows)
    return Chart(
        "request_distribution",
        f"Are some requests much slower than others at N = {drawn.largest}?",
        "Share of requests whose answer had begun by then, from the intended start of each. Again each "
        "architecture by itself.",
        f"Cumulative distributions of request latency. {said}.",
        figure,
        Table(
            "Distribution over requests",
            ("", "requests", "least", "p50", "p90", "p99", "most"),
            rows,
        ),
        narrow,
    )


def _values(found: Quantiles) -> tuple[float | None, float | None, float | None]:
    return found.p50, found.p90, found.p99


def _frame(points: list[Point], found: list[Quantiles]) -> pd.DataFrame:
    rows = [
        (point.architecture, point.clients, *_values(one))
        for point, one in zip(points, found, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["architecture", "clients", *QUANTILES])
    return frame.astype(dict.fromkeys(QUANTILES, "float64"))
