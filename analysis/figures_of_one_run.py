"""The figures that open one swarm run up: progress, who had which piece when, and from whom.

As in `figures`, numbers in, a `Figure` out, no file touched.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from analysis.figure_style import INK, LOOKS, MUTED, Form, new_figure, paper_note

FloatArray = NDArray[np.float64]

#: More lines than that are a smear, and megabytes of SVG.
MOST_CLIENTS = 48

SHADES = "cividis"
"""Of time: as distinct to the colour-blind, and in grey; dark is early."""


def one_run(
    held: pd.DataFrame, diversity: pd.DataFrame, pieces: int, note: str, *, form: Form = Form.WIDE
) -> Figure:
    """Draw what each client held when, and how many held the average and the rarest piece.

    Args:
      held: A row for each verified piece: `node_id`, `finished_seconds`, `held` by then.
      diversity: As `one_run.pieces_over_time` gives it.
      pieces: M.
      note: Small print.
      form: Layout.
    """
    figure, (progress, copies) = new_figure(2, height_inches=3.7, form=form)
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


def pieces_when(
    arrivals: FloatArray,
    clients: int,
    pieces: int,
    diversity: pd.DataFrame,
    note: str,
    *,
    form: Form = Form.WIDE,
) -> Figure:
    """Draw who had which piece when, and how evenly pieces were spread meanwhile.

    Args:
      arrivals: Seconds, a row for each client drawn, a column for each piece or group of pieces; NaN
        where it never came.
      clients: N, for the axis.
      pieces: M, for the axis.
      diversity: `finished_seconds` and `evenness`.
      note: Small print.
      form: Layout.
    """
    figure, (grid, even) = new_figure(2, height_inches=3.8, form=form, widths=(1.25, 1))
    image = grid.imshow(
        np.ma.masked_invalid(arrivals),
        cmap=SHADES,
        aspect="auto",
        interpolation="nearest",
        origin="lower",
        extent=(0.5, pieces + 0.5, 0.5, clients + 0.5),
    )
    bar = figure.colorbar(image, ax=grid, pad=0.02, aspect=28)
    bar.set_label("verified after so many seconds")
    bar.outline.set_visible(False)
    grid.grid(visible=False)
    for axis in (grid.xaxis, grid.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))
    grid.set_xlabel("piece")
    grid.set_ylabel("client")
    grid.set_title("Who got which piece when")
    even.plot(diversity["finished_seconds"], diversity["evenness"], color=LOOKS["swarm"].colour)
    even.set_xlim(left=0)
    even.set_ylim(0, 1.03)
    even.axhline(1.0, color=MUTED, linewidth=1.1, linestyle="--")
    even.set_xlabel("seconds since the run began")
    even.set_ylabel("normalised entropy of the copies")
    even.set_title("How even the pieces are spread")
    paper_note(figure, note)
    return figure


def sources(received: FloatArray, clients: int, note: str, *, form: Form = Form.WIDE) -> Figure:
    """Draw where each client's bytes came from.

    Args:
      received: Copies of the file; a row for each client drawn, a column for each source or group of
        sources, of which the first is the origin.
      clients: N, for the axes.
      note: Small print.
      form: Layout.
    """
    figure, (bars, grid) = new_figure(2, height_inches=3.9, form=form, widths=(1, 1.25))
    look = LOOKS["swarm"]
    origin, others = received[:, 0], received[:, 1:].sum(axis=1)
    edges = np.linspace(0.5, clients + 0.5, len(received) + 1)
    # Steps instead of bars: one path, however many clients.
    bars.stairs(origin + others, edges, baseline=0, fill=True, color=look.colour, alpha=0.45)
    bars.stairs(origin, edges, baseline=0, fill=True, color=look.colour)
    bars.set_xlim(0.5, clients + 0.5)
    most = float((origin + others).max())
    bars.set_ylim(0, most * 1.22)
    bars.set_ylabel("copies of the file received")
    bars.set_xlabel("client")
    bars.set_title("Origin dark, clients light")
    bars.grid(axis="x", visible=False)
    bars.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    average = float(origin.sum() / max(1e-12, (origin + others).sum()))
    bars.annotate(
        f"{average:.0%} came from the origin",
        (0.03, 0.97),
        xycoords="axes fraction",
        fontsize=9,
        va="top",
        color=look.colour,
        fontweight="bold",
    )
    _who_from_whom(figure, grid, received, clients)
    paper_note(figure, note)
    return figure


def _who_from_whom(figure: Figure, axes: Axes, received: FloatArray, clients: int) -> None:
    shown = np.where(received > 0, received, np.nan)
    image = axes.imshow(
        np.ma.masked_invalid(shown),
        cmap=SHADES,
        aspect="auto",
        interpolation="nearest",
        origin="lower",
        extent=(-0.5, clients + 0.5, 0.5, clients + 0.5),
    )
    bar = figure.colorbar(image, ax=axes, pad=0.02, aspect=28)
    bar.set_label("copies of the file")
    bar.outline.set_visible(False)
    axes.grid(visible=False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlabel("sent by (0 is the origin)")
    axes.set_ylabel("received by client")
    axes.set_title("Who got how much from whom")
