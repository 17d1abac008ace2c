"""The figure of a comparison of two runs: each point's ratio with its interval, one row a point."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analysis.changes import LEAST_CHANGE, Verdict
from analysis.figure_style import BAND, INK, LOOKS, MUTED, paper_note, titled_figure
from analysis.run_pair import PointPair

ROW_INCHES = 0.27
LEAST_REACH = 2 * LEAST_CHANGE
"""How far the axis reaches at least, so that nothing looks like a change because all is alike."""


def changes(pairs: Sequence[PointPair], note: str) -> Figure:
    """Draw every point's change in per cent, its interval, and the band within which none is called.

    Args:
      pairs: Top to bottom.
      note: Small print.
    """
    figure = titled_figure(1.35 + ROW_INCHES * len(pairs))
    axes = figure.add_subplot()
    axes.axvspan(_percent(1 / (1 + LEAST_CHANGE)), _percent(1 + LEAST_CHANGE), color=BAND, zorder=0)
    axes.axvline(0, color=MUTED, linewidth=1.1, linestyle="--", zorder=1)
    reach = LEAST_REACH * 100
    for row, one in enumerate(pairs):
        change, look = one.change, LOOKS[one.base.architecture]
        middle = _percent(change.ratio)
        ends = [_percent(end) for end in (change.low, change.high) if math.isfinite(end)]
        reach = (
            max(reach, abs(middle), *(abs(end) for end in ends)) if ends else max(reach, abs(middle))
        )
        if ends:
            axes.plot(ends, [row, row], "-", color=look.colour, linewidth=1.6)
        changed = change.verdict is not Verdict.NO_CHANGE
        axes.plot(
            [middle],
            [row],
            look.marker,
            color=look.colour,
            markersize=8 if changed else 6,
            markerfacecolor=look.colour if changed else "white",
            zorder=3,
        )
        axes.annotate(
            change.verdict.value if changed else "",
            (1.0, row),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            fontweight="bold",
            color=INK,
            annotation_clip=False,
        )
    axes.set_yticks(
        range(len(pairs)), [f"{one.base.architecture}, N = {one.base.clients:,}" for one in pairs]
    )
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.set_xlim(-reach * 1.1, reach * 1.1)
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g} %" if value else "0"))
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("change of the time of the last client")
    axes.set_title("← NEW is faster", loc="left", fontsize=9)
    axes.set_title("NEW is slower →", loc="right", fontsize=9)
    paper_note(figure, note)
    return figure


def _percent(ratio: float) -> float:
    return 100 * (ratio - 1)
