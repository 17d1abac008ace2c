"""The figure of burdens: what each node of one N uploaded, and how unequal that is.

As in `figures`, frames in, a `Figure` out, no file touched.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    MaxNLocator,
    NullLocator,
    PercentFormatter,
)
from numpy.typing import NDArray

from analysis.burden import gini, jain, lorenz
from analysis.figure_style import LOOKS, MUTED, Form, new_figure, paper_note
from analysis.wording import number, short_number

MOST_BARS = 120


def upload_burden(burdens: pd.DataFrame, note: str, *, form: Form = Form.WIDE) -> Figure:
    """Draw what each node uploaded, most burdened first, and how unequal that is.

    Args:
      burdens: Of one N: `architecture`, `repeat`, `node_id`, `role`, `nodes`, `burden`. A node's bar
        is its median over the repeats; where a row stands for many nodes, they share a bar.
      note: Small print.
      form: Layout.
    """
    figure, (bars, curve) = new_figure(2, height_inches=3.9, form=form)
    grouped = burdens.groupby(["architecture", "role", "node_id"], sort=True)
    by_node, counts = grouped["burden"].median(), grouped["nodes"].first()
    architectures = sorted({str(one) for one in burdens["architecture"]})
    width = 0.8 / max(1, len(architectures))
    lowest = _lowest_shown(by_node)
    for place, architecture in enumerate(architectures):
        look = LOOKS[architecture]
        rows = by_node[architecture].to_frame().assign(nodes=counts[architecture]).reset_index()
        rows = rows.sort_values("burden", ascending=False)
        heights = rows["burden"].to_numpy(dtype=np.float64)
        at = 1 + np.arange(len(heights)) + (place - (len(architectures) - 1) / 2) * width
        if len(heights) <= MOST_BARS:
            bars.bar(at, np.maximum(heights, 0), width, color=look.colour)
        else:
            # One path instead of thousands, for a crowd in which no bar can be seen by itself.
            edges = np.append(at - width / 2, at[-1] + width / 2)
            bars.stairs(np.maximum(heights, 0), edges, fill=True, color=look.colour)
        origin = rows["role"].to_numpy() == "origin"
        several = f"{origin.sum()} origins" if origin.sum() > 1 else "origin"
        # The rightmost of them: the bars of the others are as high or higher, and left of its label.
        for x, height in zip(at[origin][-1:], heights[origin][-1:], strict=True):
            bars.annotate(
                f"{look.name}'s {several}: {_from_to(heights[origin])}",
                (x + width / 2, height),
                xytext=(4, 1),
                textcoords="offset points",
                color=look.colour,
                fontsize=9,
                fontweight="bold",
                va="top",
            )
        of_each = rows["nodes"].to_numpy(dtype=np.float64)
        nodes, carried = lorenz(heights, of_each)
        marks = max(1, len(nodes) // 8)
        curve.plot(
            nodes,
            carried,
            "-",
            marker=look.marker,
            markevery=marks,
            color=look.colour,
            markersize=5,
        )
        curve.annotate(
            f"{look.name}: {_inequality(burdens[burdens['architecture'] == architecture])}",
            (0.03, 0.98 - 0.08 * place),
            xycoords="axes fraction",
            va="top",
            color=look.colour,
            fontsize=9,
            fontweight="bold",
        )
    bars.set_yscale("symlog", linthresh=lowest, linscale=0.4)
    bars.yaxis.set_major_locator(FixedLocator(_burden_ticks(lowest, float(by_node.max()))))
    bars.yaxis.set_minor_locator(NullLocator())
    bars.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    bars.set_ylim(0, float(by_node.max()) * 1.4)
    bars.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    bars.grid(axis="x", visible=False)
    together = "groups of equal " if (counts > 1).any() else ""
    bars.set_xlabel(f"{together}nodes, most burdened first")
    bars.set_ylabel("copies of the file uploaded")
    bars.set_title("Upload burden of each node")
    _lorenz_axes(curve, by_node, architectures)
    paper_note(figure, note)
    return figure


def _from_to(heights: NDArray[np.float64]) -> str:
    """Write the burdens of some nodes, from the least to the greatest where they differ."""
    ends = dict.fromkeys(short_number(float(one)) for one in (heights.min(), heights.max()))
    return " to ".join(ends)


def _lorenz_axes(axes: Axes, by_node: pd.Series, architectures: list[str]) -> None:
    axes.plot([0, 1], [0, 1], "--", color=MUTED, linewidth=1.1)
    axes.annotate("all equal", (0.4, 0.42), fontsize=9, color=MUTED, ha="right")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("of the nodes, least burdened first")
    axes.set_ylabel("of all bytes uploaded")
    axes.set_title("Who carries which share")


def _inequality(burdens: pd.DataFrame) -> str:
    """Write the median over the repeats of both indices, as the table under the figure has it."""
    repeats = [
        (rows["burden"].to_numpy(dtype=np.float64), rows["nodes"].to_numpy(dtype=np.float64))
        for _, rows in burdens.groupby("repeat")
    ]
    said = []
    for name, index in (("Gini", gini), ("Jain", jain)):
        values = [found for one in repeats if (found := index(*one)) is not None]
        if values:
            said.append(f"{name} {number(float(np.median(values)))}")
    return ", ".join(said)


def _lowest_shown(by_node: pd.Series) -> float:
    """Say from where on the burden's axis is logarithmic: below the smallest one above nothing."""
    some = by_node[by_node > 0.01]
    return float(some.min()) / 2 if len(some) else 1.0


def _burden_ticks(lowest: float, highest: float) -> list[float]:
    """Give 0 and round numbers from the break upwards, at most seven."""
    decades = range(-3, 7)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        kept = [tick for tick in ticks if lowest < tick <= highest * 1.2]
        if len(kept) <= 6:
            break
    return [0.0, *kept]
