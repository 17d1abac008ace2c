"""The figures that open one N up: burden of each node, distributions, and one swarm run over time.

As in `figures`, frames in, a `Figure` out, no file touched.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from analysis.burden import lorenz
from analysis.figure_style import INK, LOOKS, MUTED, new_figure, paper_note

#: More lines than that are a smear, and megabytes of SVG.
MOST_CLIENTS = 48


def upload_burden(burdens: pd.DataFrame, note: str) -> Figure:
    """Draw what each node uploaded, most burdened first, and how unequal that is.

    Args:
      burdens: Of one N: `architecture`, `repeat`, `node_id`, `role`, `burden`. A node's bar is its
        median over the repeats.
      note: Small print.
    """
    figure, (bars, curve) = new_figure(2, height_inches=3.9)
    by_node = burdens.groupby(["architecture", "role", "node_id"], sort=True)["burden"].median()
    architectures = sorted({str(one) for one in burdens["architecture"]})
    width = 0.8 / max(1, len(architectures))
    lowest = _lowest_shown(by_node)
    for place, architecture in enumerate(architectures):
        look = LOOKS[architecture]
        rows = by_node[architecture].reset_index().sort_values("burden", ascending=False)
        heights = rows["burden"].to_numpy(dtype=np.float64)
        at = 1 + np.arange(len(heights)) + (place - (len(architectures) - 1) / 2) * width
        bars.bar(at, np.maximum(heights, 0), width, color=look.colour)
        origin = rows["role"].to_numpy() == "origin"
        for x, height in zip(at[origin], heights[origin], strict=True):
            bars.annotate(
                f"{look.name}'s origin: {height:.3g}",
                (x, height),
                xytext=(6, 1),
                textcoords="offset points",
                color=look.colour,
                fontsize=9,
                fontweight="bold",
                va="top",
            )
        nodes, carried = lorenz(heights)
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
    bars.set_yscale("symlog", linthresh=lowest, linscale=0.4)
    bars.yaxis.set_major_locator(FixedLocator(_burden_ticks(lowest, float(by_node.max()))))
    bars.yaxis.set_minor_locator(NullLocator())
    bars.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bars.set_ylim(0, float(by_node.max()) * 1.4)
    bars.grid(axis="x", visible=False)
    bars.set_xlabel("nodes, most burdened first")
    bars.set_ylabel("copies of the file uploaded")
    bars.set_title("Upload burden of each node")
    _lorenz_axes(curve, by_node, architectures)
    paper_note(figure, note)
    return figure


def completion_distribution(completions: pd.DataFrame, first_bytes: pd.DataFrame, note: str) -> Figure:
    """Draw which share of clients had the first byte, and the whole file, by when.

    Args:
      completions: Of one N: `architecture`, `completion_seconds`, a row for each client.
      first_bytes: The same clients: `architecture`, `first_byte_seconds`.
      note: Small print.
    """
    figure, (first, whole) = new_figure(2, height_inches=3.7)
    _distribution(first, first_bytes, "first_byte_seconds", scale=1000.0)
    first.set_xlabel("milliseconds since joining")
    first.set_ylabel("of the clients")
    first.set_title("First useful byte")
    _distribution(whole, completions, "completion_seconds")
    whole.set_xlabel("seconds since joining")
    whole.set_title("Whole file, verified")
    handles, labels = whole.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=9)
    paper_note(figure, note)
    return figure


def one_run(held: pd.DataFrame, diversity: pd.DataFrame, pieces: int, note: str) -> Figure:
    """Open one swarm trial up: what each client held when, and how common the pieces were.

    Args:
      held: A row for each verified piece: `node_id`, `finished_seconds`, `held` by then.
      diversity: As `metrics.pieces_over_time` gives it.
      pieces: M.
      note: Small print.
    """
    figure, (progress, copies) = new_figure(2, height_inches=3.7)
    colour = LOOKS["swarm"].colour
    drawn = sorted(held["node_id"].unique())
    if len(drawn) > MOST_CLIENTS:
        drawn = drawn[:: -(-len(drawn) // MOST_CLIENTS)]
    for _, one in held[held["node_id"].isin(drawn)].groupby("node_id", sort=True):
        progress.step(
            one["finished_seconds"],
            one["held"] / pieces,
            where="post",
            color=colour,
            linewidth=0.9,
            alpha=0.55,
        )
    progress.yaxis.set_major_formatter(PercentFormatter(1.0))
    progress.set_ylim(0, 1.03)
    progress.set_ylabel("of the file, verified")
    progress.set_title("Each client's progress")
    times = diversity["finished_seconds"]
    copies.plot(times, diversity["mean_copies"], "-", color=colour, label="average piece")
    copies.step(
        times,
        diversity["least_copies"],
        "--",
        where="post",
        color=INK,
        linewidth=1.4,
        label="rarest piece",
    )
    copies.set_ylim(bottom=0)
    copies.set_ylabel("clients that hold it")
    copies.set_title("How many clients have a piece")
    copies.legend(loc="upper left", fontsize=9)
    for axes in (progress, copies):
        axes.set_xlim(left=0)
        axes.set_xlabel("seconds since the run began")
    paper_note(figure, note)
    return figure


def _distribution(axes: Axes, frame: pd.DataFrame, column: str, *, scale: float = 1.0) -> None:
    for architecture, rows in frame.groupby("architecture", sort=True):
        look = LOOKS[str(architecture)]
        values = np.sort(rows[column].dropna().to_numpy(dtype=np.float64)) * scale
        if len(values) == 0:
            continue
        # Clients that never finished keep the curve below 100 %.
        shares = np.arange(1, len(values) + 1) / len(rows)
        axes.step(
            np.concatenate((values[:1], values)),
            np.concatenate(([0.0], shares)),
            where="post",
            color=look.colour,
            marker=look.marker,
            markevery=max(1, len(values) // 6),
            markersize=5,
            label=look.name,
        )
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


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
