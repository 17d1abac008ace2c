"""The figures of capacity: where a server saturates, and where the rest of the speed went.

As in `figures`, frames in, a `Figure` out, no file touched.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from analysis.closed_load import Knee
from analysis.figure_style import (
    INK,
    LOOKS,
    MUTED,
    Form,
    clients_axis,
    key_above,
    new_figure,
    panels_beside,
    paper_note,
)
from analysis.losses import CAUSES
from analysis.theory.scalability import ScalabilityFit, throughput

MEBIBYTE = 1024 * 1024
ROW_INCHES, AROUND_ROWS_INCHES, MOST_INCHES = 0.36, 1.5, 4.0
"""Of bars below each other: a single one need not fill the page."""

#: How each loss is filled, and named: the pattern tells them apart in grey as well.
FILLS: Mapping[str, tuple[str, str]] = {
    "start_up": ("", "start-up"),
    "protocol": ("..", "protocol"),
    "waste": ("xx", "waste"),
    "idle": ("//", "idle uplinks"),
    "tail": ("--", "tail"),
}


def saturation(
    trials: pd.DataFrame,
    found: ScalabilityFit,
    note: str,
    of_what: str = "wire bytes",
    knee: Knee | None = None,
    *,
    form: Form = Form.WIDE,
) -> Figure:
    """Draw the server's throughput against N with the scalability law fitted to it.

    Args:
      trials: The server's: `clients`, `valid`, `throughput_bytes_per_second`.
      found: The fit, in bytes per second.
      note: Small print.
      of_what: What is counted.
      knee: Drawn where the plateau meets one client's throughput times N, if there is one.
      form: Layout.
    """
    figure, (axes,) = new_figure(height_inches=3.6, form=form)
    look = LOOKS["server"]
    known = trials[trials["throughput_bytes_per_second"].notna()]
    rates = known["throughput_bytes_per_second"] / MEBIBYTE
    for valid, rows in known.groupby("valid"):
        axes.plot(
            rows["clients"],
            rates[rows.index],
            look.marker,
            color=look.colour,
            markerfacecolor=look.colour if valid else "none",
            markersize=5.5,
            zorder=4,
        )
    tested = [int(one) for one in known["clients"]]
    users = np.geomspace(min(tested), max(tested), 120)
    law = np.asarray(throughput(users, found.gain.value, found.contention.value, found.coherency.value))
    axes.plot(users, law / MEBIBYTE, "-", color=INK, linewidth=1.6)
    axes.plot(users, users * found.gain.value / MEBIBYTE, ":", color=MUTED, linewidth=1.4)
    clients_axis(axes, tested, panels_beside(axes))
    axes.set_ylim(0, max(float(rates.max()), float(law.max()) / MEBIBYTE) * 1.25)
    axes.set_ylabel(f"{of_what} of all clients (MiB/s)")
    if knee is not None:
        height = knee.plateau_bytes_per_second / MEBIBYTE
        axes.axhline(height, color=look.colour, linestyle="--", linewidth=1.0)
        axes.plot([knee.users] * 2, [0, height], color=look.colour, linestyle="--", linewidth=1.0)
        axes.annotate(
            f"knee {knee.users:.1f}",
            (knee.users, 0),
            xytext=(5, 6),
            textcoords="offset points",
            color=look.colour,
            fontweight="bold",
            fontsize=9,
        )
    axes.legend(
        handles=[
            *axes.plot([], [], look.marker, color=look.colour, label="server, each repeat"),
            *axes.plot([], [], "-", color=INK, linewidth=1.6, label="law, fitted"),
            *axes.plot([], [], ":", color=MUTED, linewidth=1.4, label="if nothing were shared"),
        ],
        loc="lower left",
        bbox_to_anchor=(-0.01, 0.99),
        ncols=3 if form is Form.WIDE else 1,
        fontsize=9,
        handlelength=2.0,
    )
    paper_note(figure, note)
    return figure


def where_the_rest_went(lost: pd.DataFrame, note: str, *, form: Form = Form.WIDE) -> Figure:
    """Draw how much of its time each architecture lost at each N, and to what.

    Args:
      lost: By `architecture` and `clients`: the share of the makespan that each cause cost.
      note: Small print.
      form: Layout.
    """
    architectures = sorted(set(lost.index.get_level_values("architecture")))
    rows = lost.index.get_level_values("clients").nunique()
    figure, panels = new_figure(
        max(1, len(architectures)),
        height_inches=min(MOST_INCHES, AROUND_ROWS_INCHES + ROW_INCHES * rows),
        form=form,
        key_rows=1 if form is Form.WIDE else 2,
    )
    most = max(0.01, float(lost[list(CAUSES)].sum(axis=1).max()))
    for axes, architecture in zip(panels, architectures, strict=False):
        _bars(axes, lost.loc[architecture], architecture)
        axes.set_xlim(0, most * 1.12)
        axes.set_title(architecture)
        axes.set_xlabel("of the time until the last client is done")
        axes.set_ylabel("clients, N")
    colour = LOOKS["swarm" if "swarm" in architectures else architectures[0]].colour
    handles = [
        Patch(facecolor=_face(cause, colour), edgecolor=colour, hatch=hatch, label=name)
        for cause, (hatch, name) in FILLS.items()
    ]
    key_above(figure, handles, 5 if form is Form.WIDE else 3)
    paper_note(figure, note)
    return figure


def _bars(axes: Axes, rows: pd.DataFrame, architecture: str) -> None:
    colour = LOOKS[architecture].colour
    places = np.arange(len(rows))
    left = np.zeros(len(rows))
    for cause, (hatch, _) in FILLS.items():
        width = rows[cause].to_numpy(dtype=np.float64)
        axes.barh(
            places,
            width,
            0.68,
            left=left,
            facecolor=_face(cause, colour),
            edgecolor=colour,
            hatch=hatch,
            linewidth=0.8,
        )
        left += width
    for place, total in zip(places, left, strict=True):
        axes.annotate(
            f"{total:.1%}",
            (total, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=INK,
        )
    axes.set_yticks(places, [f"{clients:,}" for clients in rows.index])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.locator_params(axis="x", nbins=5)


def _face(cause: str, colour: str) -> str:
    """Fill one solid; the others show their pattern on the paper."""
    return colour if cause == "start_up" else "none"
