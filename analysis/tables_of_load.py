"""The tables of a server under load: closed, up to saturation; open, against processor sharing."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.experiment import JudgedExperiment
from analysis.points import Point
from analysis.summary import Summary
from analysis.tables import Rows, Table
from analysis.wording import number, percent, rate, seconds


def closed_load_table(summary: Summary) -> Table:
    """A row for each N of a closed load; without rows where it is none."""
    table = Table(
        "Clients that begin anew as soon as they are done. X is the sum of their rates, payload only; "
        "the time of a download counts from the end of the client's one before.",
        ("N", "downloads", "X", "÷ one client's", "mean time", "p50", "p90", "p99", "generator"),
    )
    points = [one for one in summary.main_points if one.closed_load is not None]
    first = next((one.closed_load for one in points if one.clients == 1), None)
    alone = first.bytes_per_second if first else None
    for point in points:
        found = point.closed_load
        assert found is not None
        speedup = found.bytes_per_second / alone if found.bytes_per_second and alone else None
        table.rows.append(
            (
                f"{point.clients:,}",
                f"{found.downloads:,}",
                rate(found.bytes_per_second),
                number(speedup),
                seconds(found.mean_seconds),
                *(seconds(one) for one in (found.p50, found.p90, found.p99)),
                percent(point.generator_cpu_fraction),
            )
        )
    return table


def open_load_table(summary: Summary) -> Table:
    """A row for each N of a server under open load."""
    return _open_table("N", [(f"{one.clients:,}", one) for one in summary.main_points])


def loads_table(judged: JudgedExperiment) -> Table:
    """A row for each variant, and N, of a server under open load."""
    return _open_table(
        "variant", [(one.name, point) for one in judged.variants for point in one.points]
    )


def _open_table(heading: str, named: Sequence[tuple[str, Point]]) -> Table:
    rows: Rows = [
        (
            name,
            f"{found.requests:,}",
            number(found.load, 2),
            seconds(found.mean_seconds),
            seconds(found.ideal_seconds),
            number(found.ratio),
            seconds(found.late_seconds),
            number(found.intended_ratio),
            seconds(found.formula_seconds),
        )
        for name, point in named
        if (found := point.open_load) is not None
    ]
    columns = (heading, "requests", "rho", "measured", "exact", "ratio", "late", "as due", "formula")
    caption = (
        "Mean time of a request under open load: measured, under exact processor sharing of the "
        "recorded arrivals, their ratio, and how much of both is delay before a request was made. As "
        "due: the ratio to exact sharing of the arrivals as they were meant, where only the measured "
        "time has that delay. The formula is E[S]/(1 - rho)."
    )
    return Table(caption, columns, rows)


def is_about_load(judged: JudgedExperiment) -> bool:
    """Whether every run of an experiment is of a server under open load."""
    points = [point for variant in judged.variants for point in variant.points]
    return bool(points) and all(point.open_load is not None for point in points)


def say_loads(judged: JudgedExperiment) -> str:
    """Say in a sentence how near to processor sharing the variants are; there is one, at least."""
    ratios = [
        point.open_load.ratio
        for variant in judged.variants
        for point in variant.points
        if point.open_load is not None
    ]
    return (
        f"In {len(ratios)} runs, requests took {min(ratios):.3f} to {max(ratios):.3f} times as long on "
        "average as exact processor sharing of the recorded arrivals takes."
    )
