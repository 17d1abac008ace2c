"""How every figure looks: one colour, marker and name for each architecture, everywhere.

The pair of colours (Okabe and Ito's vermilion and blue) differs for every kind of colour vision and
in grey; the marker, the line and the label say the same again. No figure is drawn through pyplot:
there is no global state, no window and no file here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

SERVER_COLOUR = "#d55e00"
SWARM_COLOUR = "#0072b2"
INK = "#1f2328"
MUTED = "#59636e"
GRID = "#d8dee4"
BAND = "#e6e0f0"
#: Which of a figure's colours the page replaces by its own, so that figures follow light and dark.
THEME_VARIABLES: Mapping[str, str] = {
    SERVER_COLOUR: "--server",
    SWARM_COLOUR: "--swarm",
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    BAND: "--band",
}
WIDTH_INCHES = 7.0
LABEL_DISTANCE_POINTS = 12.0

_SETTINGS: Mapping[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 2.0,
    "lines.markersize": 6.0,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "axes.facecolor": "none",
    "svg.fonttype": "none",
    # Without it an element's name is random, and the same rows would give another file each time.
    "svg.hashsalt": "figure",
    "figure.dpi": 100.0,
}


@dataclass(frozen=True, slots=True)
class Look:
    """How one architecture is drawn."""

    name: str
    colour: str
    marker: str


LOOKS: Mapping[str, Look] = {
    "server": Look("server", SERVER_COLOUR, "s"),
    "swarm": Look("swarm", SWARM_COLOUR, "o"),
}


def styled() -> mpl.RcParams:
    """Give the settings of matplotlib under which all figures are made and written.

    For `matplotlib.rc_context`, which keeps them out of the caller's own figures.
    """
    settings = mpl.rcParams.copy()
    settings.update(_SETTINGS)
    return settings


def new_figure(panels: int = 1, *, height_inches: float = 3.9) -> tuple[Figure, list[Axes]]:
    """Make a figure with panels side by side."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)
    return figure, list(axes[0])


def title(figure: Figure, question: str) -> None:
    """Write the question that the figure answers above it."""
    figure.suptitle(question, x=0.008, ha="left", fontsize=12, fontweight="bold")


def clients_axis(axes: Axes, clients: Sequence[int], panels: int) -> None:
    """Give the axes an x axis of tested N, logarithmic with base 2, with room for end labels.

    Args:
      axes: One of so many `panels` of its figure, on which it depends how many ticks fit.
      clients: Every tested N, in any order.
      panels: Side by side.
    """
    tested = sorted(set(clients))
    if not tested:
        return
    low, high = tested[0], tested[-1]
    if high > low:
        axes.set_xscale("log", base=2)
        axes.set_xlim(low / 1.18, high * (high / low) ** 0.22)
    else:
        axes.set_xlim(low - 1, low + 1)
    shown = _apart(tested, (high / low) ** (0.05 * panels))
    axes.xaxis.set_major_locator(FixedLocator([float(one) for one in shown]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("clients that want the file, N")


def label_ends(
    axes: Axes, ends: Mapping[str, tuple[float, float]], write: Callable[[float], str]
) -> None:
    """Write each curve's name and last value beside its last point, in its colour.

    Call it once the limits are set: labels of curves that end close together are moved apart.

    Args:
      axes: Where.
      ends: The last point of each architecture's curve, in data units.
      write: How to write its height.
    """
    lifts = _lifts({name: y for name, (_, y) in ends.items()}, axes)
    for name, (x, y) in ends.items():
        axes.annotate(
            f"{name} {write(y)}",
            (x, y),
            xytext=(8, lifts[name]),
            textcoords="offset points",
            color=LOOKS[name].colour,
            fontweight="bold",
            fontsize=9,
            va="center",
            annotation_clip=False,
        )


def paper_note(figure: Figure, note: str) -> None:
    """Name the world, the repeats and so on in small print below the figure."""
    figure.supxlabel(note, fontsize=8, color=MUTED, x=0.99, ha="right")


def _lifts(ends: Mapping[str, float], axes: Axes) -> dict[str, float]:
    """Say by how many points to lift each label so that none overlaps the next."""
    figure = axes.get_figure(root=True)
    points_per_pixel = 72 / figure.dpi if figure else 1.0
    right = axes.get_xlim()[1]
    heights = {
        name: float(axes.transData.transform((right, end))[1]) * points_per_pixel
        for name, end in ends.items()
    }
    moved = dict(heights)
    ordered = sorted(heights, key=lambda name: heights[name])
    for below, above in pairwise(ordered):
        short = LABEL_DISTANCE_POINTS - (moved[above] - moved[below])
        if short > 0:
            moved[below] -= short / 2
            moved[above] += short / 2
    return {name: moved[name] - heights[name] for name in heights}


def _apart(tested: Sequence[int], least_ratio: float) -> list[int]:
    """Leave out ticks that would run into their neighbour, never the last."""
    kept: list[int] = []
    for one in reversed(tested):
        if not kept or kept[-1] / one >= least_ratio:
            kept.append(one)
    return kept[::-1]
