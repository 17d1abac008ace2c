"""How every figure looks: one colour, marker and name for each architecture, everywhere.

The pair of colours (Okabe and Ito's vermilion and blue) differs for every kind of colour vision and
in grey; the marker, the line and the label say the same again. No figure is drawn through pyplot:
there is no global state, no window and no file here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
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
NARROW_INCHES = 3.9
"""At this width a phone shows text at its own size."""
TITLE_INCHES = 0.34
"""Above a wide figure, for its title: cut off where the page says it."""
TITLE_ID = "title"
KEY_ROW_INCHES = 0.25
"""Of a key above all panels."""
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


class Form(Enum):
    """For which width a figure is laid out."""

    WIDE = "wide"
    """A page, a slide, a pull request: panels side by side."""
    NARROW = "narrow"
    """A phone: panels below each other."""


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


def new_figure(
    panels: int = 1,
    *,
    height_inches: float = 3.9,
    form: Form = Form.WIDE,
    widths: Sequence[float] | None = None,
    key_rows: int = 0,
) -> tuple[Figure, list[Axes]]:
    """Make a figure with panels, side by side or below each other.

    Args:
      panels: How many.
      height_inches: Of the wide form; in the narrow one each panel is lower.
      form: Decides on size and order.
      widths: Of the panels side by side, relative to each other.
      key_rows: Rows of a key above all panels, for `key_above`.
    """
    if form is Form.WIDE:
        figure = titled_figure(height_inches, key_rows)
        axes = figure.subplots(1, panels, squeeze=False, width_ratios=widths)
        return figure, list(axes[0])
    height = 0.35 + min(height_inches, 3.6) * 0.88 * panels + KEY_ROW_INCHES * key_rows
    room = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - KEY_ROW_INCHES * key_rows / height))
    figure = Figure(figsize=(NARROW_INCHES, height), layout=room)
    return figure, list(figure.subplots(panels, 1, squeeze=False)[:, 0])


def titled_figure(height_inches: float, key_rows: int = 0) -> Figure:
    """Make a wide figure with room for its title above so much height, and no panels yet."""
    whole = height_inches + TITLE_INCHES
    panels = height_inches - KEY_ROW_INCHES * key_rows
    room = ConstrainedLayoutEngine(rect=(0, 0, 1, panels / whole))
    return Figure(figsize=(WIDTH_INCHES, whole), layout=room)


def key_above(figure: Figure, handles: Sequence[Artist], columns: int) -> None:
    """Explain lines and fillings above all panels, below the title, in the room kept for it."""
    width, height = figure.get_size_inches()
    room = TITLE_INCHES if width >= WIDTH_INCHES else 0.0
    figure.legend(
        handles=list(handles),
        loc="upper left",
        bbox_to_anchor=(0.0, 1 - room / float(height)),
        borderaxespad=0.0,
        ncols=columns,
        fontsize=9,
        handlelength=1.9,
        columnspacing=1.2,
    )


def in_both_forms(draw: Callable[..., Figure], *arguments: Any) -> tuple[Figure, Figure]:
    """Draw a figure for a page and for a phone.

    Args:
      draw: One of the figures' functions: takes `form` by name.
      arguments: Whatever else it takes.
    """
    return draw(*arguments, form=Form.WIDE), draw(*arguments, form=Form.NARROW)


def title(figure: Figure, question: str) -> None:
    """Write the question that the figure answers above it, where `setting` looks for it."""
    text = figure.text(
        0.008,
        1 - (TITLE_INCHES - 0.07) / float(figure.get_figheight()),
        question,
        ha="left",
        va="bottom",
        fontsize=12,
        fontweight="bold",
        gid=TITLE_ID,
    )
    text.set_in_layout(False)


def panels_beside(axes: Axes) -> int:
    """Say how many panels as wide as these axes would stand side by side on a page."""
    place, figure = axes.get_subplotspec(), axes.get_figure(root=True)
    columns = place.get_gridspec().ncols if place else 1
    width = float(figure.get_figwidth()) if figure else WIDTH_INCHES
    return max(columns, round(WIDTH_INCHES / width))


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
