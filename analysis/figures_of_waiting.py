"""The figures of waiting: quantiles against N, and how they are distributed at one N.

As in `figures`, numbers in, a `Figure` out, no file touched. What both architectures share (first
useful byte, whole file) has common axes; single requests are a file in one and a piece in the other,
so each architecture has axes of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter
from numpy.typing import NDArray

from analysis.figure_style import (
    LOOKS,
    MUTED,
    Form,
    clients_axis,
    key_above,
    new_figure,
    panels_beside,
    paper_note,
)

FloatArray = NDArray[np.float64]

QUANTILES: Mapping[str, Literal["-", "--", ":"]] = {"p50": "-", "p90": "--", "p99": ":"}
MOST_RATIO_FOR_FINE_TICKS = 1000.0
MOST_STEPS = 400
"""Of a distribution: more are not seen, and are megabytes of SVG."""


def waiting_growth(
    first_byte: pd.DataFrame, completion: pd.DataFrame, note: str, *, form: Form = Form.WIDE
) -> Figure:
    """Draw quantiles over clients against N.

    Args:
      first_byte: Seconds; a row for each point: `architecture`, `clients`, `p50`, `p90`, `p99`, NaN
        where there are too few clients to have one. All NaN in a world without requests: no panel.
      completion: The same of the whole file.
      note: Small print.
      form: Layout.
    """
    known = bool(first_byte["p50"].notna().any())
    count = 2 if known else 1
    figure, panels = new_figure(count, height_inches=3.9, form=form, key_rows=_rows(form))
    whole = panels[-1]
    if known:
        first = panels[0]
        _quantiles(first, first_byte, 1000.0)
        first.set_ylabel("milliseconds since joining")
        first.set_title("First useful byte")
    _quantiles(whole, completion, 1.0)
    whole.set_ylabel("seconds since joining")
    whole.set_title("Whole file, verified")
    _key(figure, sorted(set(first_byte["architecture"])), form)
    paper_note(figure, note)
    return figure


def request_growth(latencies: pd.DataFrame, note: str, *, form: Form = Form.WIDE) -> Figure:
    """Draw quantiles of request latency against N, each architecture on axes of its own.

    Args:
      latencies: Seconds; as in `waiting_growth`.
      note: Small print.
      form: Layout.
    """
    architectures = sorted(set(latencies["architecture"]))
    figure, panels = new_figure(
        max(1, len(architectures)), height_inches=3.9, form=form, key_rows=_rows(form)
    )
    for axes, architecture in zip(panels, architectures, strict=False):
        _quantiles(axes, latencies[latencies["architecture"] == architecture], 1000.0)
        axes.set_ylabel("milliseconds since its intended start")
        axes.set_title(_asked(architecture))
    _key(figure, architectures, form)
    paper_note(figure, note)
    return figure


def completion_distribution(
    completions: pd.DataFrame, first_bytes: pd.DataFrame, note: str, *, form: Form = Form.WIDE
) -> Figure:
    """Draw which share of clients had the first byte, and the whole file, by when.

    Args:
      completions: Of one N: `architecture`, `completion_seconds`, and for how many clients
        (`nodes`) the row stands.
      first_bytes: The same clients: `architecture`, `first_byte_seconds`; all NaN: no panel.
      note: Small print.
      form: Layout.
    """
    known = bool(first_bytes["first_byte_seconds"].notna().any())
    figure, panels = new_figure(2 if known else 1, height_inches=3.8, form=form, key_rows=1)
    whole = panels[-1]
    if known:
        first = panels[0]
        _distribution(first, first_bytes, "first_byte_seconds", scale=1000.0)
        first.set_xlabel("milliseconds since joining")
        first.set_title("First useful byte")
    _distribution(whole, completions, "completion_seconds")
    whole.set_xlabel("seconds since joining")
    whole.set_title("Whole file, verified")
    for axes in panels:
        _share_axis(axes, "of the clients")
    handles, _ = whole.get_legend_handles_labels()
    key_above(figure, handles, 2)
    paper_note(figure, note)
    return figure


def request_distribution(
    latencies: Mapping[str, FloatArray], note: str, *, form: Form = Form.WIDE
) -> Figure:
    """Draw which share of requests was answered by when, each architecture on axes of its own.

    Args:
      latencies: Seconds, of all requests at one N, by architecture.
      note: Small print.
      form: Layout.
    """
    figure, panels = new_figure(max(1, len(latencies)), height_inches=3.5, form=form)
    for axes, (architecture, values) in zip(panels, sorted(latencies.items()), strict=False):
        ordered, shares = thinned(values * 1000.0)
        _steps(axes, architecture, ordered, shares)
        axes.set_xlabel("milliseconds since its intended start")
        _share_axis(axes, "of the requests")
        axes.set_title(_asked(architecture))
    paper_note(figure, note)
    return figure


def thinned(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give a distribution in few steps: values, ascending, and the share of all up to each."""
    count = len(values)
    if count <= MOST_STEPS:
        return np.sort(values), np.arange(1, count + 1) / count
    ranks = np.unique(np.linspace(0, count - 1, MOST_STEPS).astype(np.int64))
    # Ten million latencies: only the ranks that are drawn are put in order.
    return np.partition(values, ranks)[ranks], (ranks + 1) / count


def _asked(architecture: str) -> str:
    return f"{architecture}: {'the whole file' if architecture == 'server' else 'one piece'}"


def _quantiles(axes: Axes, points: pd.DataFrame, scale: float) -> None:
    heights = []
    for architecture, rows in points.groupby("architecture", sort=True):
        look = LOOKS[str(architecture)]
        for name, line in QUANTILES.items():
            known = rows[rows[name].notna()]
            heights += list(known[name] * scale)
            axes.plot(
                known["clients"],
                known[name] * scale,
                line,
                marker=look.marker,
                markersize=4.5,
                color=look.colour,
                linewidth=1.7 if line == "-" else 1.4,
            )
    clients_axis(axes, [int(one) for one in points["clients"]], panels_beside(axes))
    if heights and min(heights) > 0 and max(heights) > 5 * min(heights):
        axes.set_yscale("log")
        wide = max(heights) > MOST_RATIO_FOR_FINE_TICKS * min(heights)
        axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    else:
        axes.set_ylim(bottom=0)


def _key(figure: Figure, architectures: Sequence[str], form: Form) -> None:
    handles = [
        Line2D([], [], color=LOOKS[one].colour, marker=LOOKS[one].marker, markersize=5, label=one)
        for one in architectures
    ]
    handles += [
        Line2D([], [], color=MUTED, linestyle=line, linewidth=1.6, label=name)
        for name, line in QUANTILES.items()
    ]
    key_above(figure, handles, len(handles) if form is Form.WIDE else 3)


def _rows(form: Form) -> int:
    return 1 if form is Form.WIDE else 2


def _distribution(axes: Axes, frame: pd.DataFrame, column: str, *, scale: float = 1.0) -> None:
    for architecture, rows in frame.groupby("architecture", sort=True):
        counted = rows.assign(count=rows.get("nodes", 1))
        known = counted.dropna(subset=column).sort_values(column)
        values = known[column].to_numpy(dtype=np.float64) * scale
        if len(values) == 0:
            continue
        # Clients that never finished keep the curve below 100 %.
        shares = known["count"].cumsum().to_numpy(dtype=np.float64) / counted["count"].sum()
        if len(values) > MOST_STEPS:
            kept = np.unique(np.linspace(0, len(values) - 1, MOST_STEPS).astype(np.int64))
            values, shares = values[kept], shares[kept]
        _steps(axes, str(architecture), values, shares)


def _steps(axes: Axes, architecture: str, values: FloatArray, shares: FloatArray) -> None:
    look = LOOKS[architecture]
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


def _share_axis(axes: Axes, name: str) -> None:
    """To be called when all curves are drawn: it ends the automatic choice of limits."""
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylabel(name)
