"""The figures of a server under open load: one run's requests, and mean times over the load.

As in `figures`, numbers in, a `Figure` out, no file touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from analysis.figure_style import INK, LOOKS, MUTED, Form, new_figure, paper_note
from analysis.theory.processor_sharing import mean_response_seconds

FloatArray = NDArray[np.float64]

MILLISECONDS = 1000.0
MOST_STEPS = 2000
"""Of a distribution: more than a page has pixels for."""


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """One load: what is drawn of it."""

    name: str
    load: float
    service_seconds: float
    """E[S]: what a mean request takes alone."""
    mean_seconds: float
    ideal_seconds: float
    valid: bool
    usual_sizes: bool
    """Whether everybody wants the whole file."""


def distributions(
    measured: FloatArray, ideal: FloatArray, note: str, *, form: Form = Form.WIDE
) -> Figure:
    """Draw which share of the requests took no longer, measured and under exact sharing.

    Args:
      measured: Seconds of each request.
      ideal: Likewise, under exact processor sharing.
      note: Small print.
      form: Layout.
    """
    figure, (axes,) = new_figure(height_inches=3.6, form=form)
    for values, style, colour, width, name in (
        (ideal, "-", INK, 1.4, "exact processor sharing"),
        (measured, "-", LOOKS["server"].colour, 2.0, "measured"),
    ):
        shares = np.linspace(0, 1, min(len(values), MOST_STEPS))
        axes.plot(
            np.quantile(values, shares) * MILLISECONDS,
            shares,
            style,
            color=colour,
            linewidth=width,
            label=name,
        )
        axes.axvline(float(values.mean()) * MILLISECONDS, color=colour, linestyle=":", linewidth=1.2)
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("from the intended start to the last byte (ms); dotted: the mean")
    axes.set_ylabel("of the requests")
    axes.legend(loc="lower right", fontsize=9)
    paper_note(figure, note)
    return figure


def means_over_load(points: Sequence[LoadPoint], note: str) -> Figure:
    """Draw mean times against the load, with the formula's curve.

    Args:
      points: At least one.
      note: Small print.
    """
    figure, (axes,) = new_figure(height_inches=4.2)
    look = LOOKS["server"]
    service = points[0].service_seconds
    loads = np.linspace(0, max(0.9, *(one.load for one in points)) + 0.02, 200)
    loads = loads[loads < 1]
    curve = np.asarray(mean_response_seconds(service, loads)) * MILLISECONDS
    axes.plot(loads, curve, "-", color=MUTED, linewidth=1.4, label="formula E[S]/(1 - rho)")
    for one in points:
        axes.plot(
            one.load,
            one.ideal_seconds * MILLISECONDS,
            "_",
            color=INK,
            markersize=20,
            markeredgewidth=1.8,
        )
        axes.plot(
            one.load,
            one.mean_seconds * MILLISECONDS,
            look.marker if one.usual_sizes else "D",
            color=look.colour,
            markerfacecolor=look.colour if one.valid else "none",
        )
    handles = [
        *axes.plot([], [], "_", color=INK, markersize=14, markeredgewidth=1.8, label="exact sharing"),
        *axes.plot([], [], look.marker, color=look.colour, linestyle="", label="measured"),
    ]
    if not all(one.usual_sizes for one in points):
        handles += axes.plot(
            [], [], "D", color=look.colour, linestyle="", label="measured, other sizes"
        )
    axes.legend(handles=[axes.get_lines()[0], *handles], loc="upper left", fontsize=9)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.15 * max(max(one.mean_seconds, one.ideal_seconds) for one in points) * 1000)
    axes.set_xlabel("load rho: share of the uplink that arrivals ask for")
    axes.set_ylabel("mean time of a request (ms)")
    paper_note(figure, note)
    return figure
