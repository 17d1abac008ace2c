"""The steps of transactions as a report shows them: a table, and one bar a variant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis.charts import Chart
from analysis.figure_style import MUTED, SERVER_COLOUR, key_above, new_figure, paper_note
from analysis.points import Point
from analysis.steps import STEPS, PointSteps
from analysis.tables import Rows, Table
from analysis.wording import UNKNOWN, number, percent, seconds

Named = tuple[str, PointSteps]
"""What a row or bar is called, and what it shows."""

#: A step's share of its architecture's colour, and a pattern for who sees no colours.
_FILLINGS = ((0.35, "...."), (1.0, ""), (0.55, "////"), (0.0, ""))
_BAR_INCHES = 0.27


def of_points(points: Sequence[Point]) -> list[Named]:
    """Name the points of a run that have steps."""
    return [
        (f"{one.architecture}, N = {one.clients:,}", one.steps)
        for one in points
        if one.steps is not None
    ]


def steps_table(named: Sequence[Named], *, least: bool = True) -> Table:
    """A row for each of several points or variants: its steps.

    Args:
      named: Them.
      least: Whether the least of each step stands beside its median; without, it fits a terminal.
    """
    caption = (
        "Median of each step, and the least of all repeats in brackets, to which whatever else a "
        "machine does only adds. Steps and total are measured apart; the miss is that of nine in ten "
        "transactions. In the page cache: how much of the file was there before, at most."
    )
    columns = ("", "transactions", *STEPS, "first byte", "total", "miss", "in page cache")
    rows: Rows = [
        (
            name,
            str(steps.count),
            *(_median(steps, step, least=least) for step in (*STEPS, "first_byte", "total")),
            percent(steps.sum_error, 2),
            UNKNOWN if steps.cached_fraction is None else percent(steps.cached_fraction),
        )
        for name, steps in named
    ]
    return Table(caption, columns, rows)


def _median(steps: PointSteps, name: str, *, least: bool) -> str:
    found = steps.spreads[name]
    return f"{seconds(found.p50)} ({seconds(found.least)})" if least else seconds(found.p50)


def steps_chart(named: Sequence[Named], note: str) -> Chart | None:
    """Draw the steps of each, one after the other; None where there are too few to have a median."""
    shown = [(name, medians) for name, steps in named if (medians := _medians(steps)) is not None]
    if not shown:
        return None
    rows: Rows = [
        (name, *(number(1000 * value) for value in (*medians, sum(medians)))) for name, medians in shown
    ]
    return Chart(
        "steps",
        "Where does a transaction's time go?",
        "A bar for each variant: the medians of its four steps, one after the other, and their sum.",
        "Medians in ms. "
        + "; ".join(
            f"{name}: " + ", ".join(f"{step} {cell}" for step, cell in zip(STEPS, cells, strict=False))
            for name, *cells in rows
        ),
        _bars(shown, note),
        Table("Medians of the steps, ms", ("", *STEPS, "sum"), rows),
    )


def _medians(steps: PointSteps) -> list[float] | None:
    found = [steps.spreads[name].p50 for name in STEPS]
    known = [one for one in found if one is not None]
    return known if len(known) == len(found) else None


def _bars(shown: Sequence[tuple[str, Sequence[float]]], note: str) -> Figure:
    figure, (axes,) = new_figure(height_inches=1.2 + _BAR_INCHES * len(shown), key_rows=1)
    looks: list[dict[str, Any]] = [
        {"facecolor": _shade(share), "hatch": hatch, "edgecolor": "white", "linewidth": 0.0}
        for share, hatch in _FILLINGS
    ]
    for place, (_, medians) in enumerate(shown):
        begin = 0.0
        for seconds_of_step, look in zip(medians, looks, strict=True):
            axes.barh(place, 1000 * seconds_of_step, left=begin, height=0.72, **look)
            begin += 1000 * seconds_of_step
        axes.annotate(
            f"{number(begin)} ms",
            (begin, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(shown)), [name for name, _ in shown])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.13)
    axes.set_xlabel("ms since the client asked")
    handles = [Patch(**look, label=step) for step, look in zip(STEPS, looks, strict=True)]
    key_above(figure, handles, len(STEPS))
    paper_note(figure, note)
    return figure


def _shade(share: float) -> str:
    """Mix the server's colour with white; of none of it, the grey of what is not the server's."""
    if not share:
        return MUTED
    red, green, blue = (1 - share * (1 - part) for part in mpl.colors.to_rgb(SERVER_COLOUR))
    return mpl.colors.to_hex((red, green, blue))
