"""The curves over N: completion time, origin traffic, goodput, efficiency.

Each function turns frames into a `Figure` and touches no file. Every repeat is a point, under the
line of the medians; a hollow point failed a check; what theory allows is dashed in the same colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, PercentFormatter

from analysis.figure_style import (
    BAND,
    INK,
    LOOKS,
    MUTED,
    Form,
    clients_axis,
    label_ends,
    new_figure,
    panels_beside,
    paper_note,
)
from analysis.statistics import Crossover
from analysis.thresholds import split
from analysis.wording import short_number
from testbed.thresholds import Threshold

MEBIBYTE = 1024 * 1024
LEAST_RATIO_FOR_LOGARITHMS = 5.0
"""Below it powers of two would be too few ticks to read a time from."""

Line = Literal["-", "--", ":", "-."]

Place = Literal["upper left", "lower left"] | tuple[float, float]
"""Of a legend: matplotlib's name, or the lower left corner in fractions of the axes."""


def completion_time(
    trials: pd.DataFrame, found: Crossover | None, note: str, *, form: Form = Form.WIDE
) -> Figure:
    """Draw the makespan against N, both bounds, and where the swarm begins to win.

    Args:
      trials: A row for each trial: `architecture`, `clients`, `valid`, `makespan_seconds`,
        `best_seconds`.
      found: The crossover, drawn as a band.
      note: The world and the repeats, in small print.
      form: Layout.
    """
    figure, (axes,) = new_figure(height_inches=4.1, form=form)
    ends = _curves(axes, trials, "makespan_seconds")
    _medians(axes, trials, "best_seconds", "--")
    _time_axis(axes, trials["makespan_seconds"].max(), trials["best_seconds"].min())
    axes.set_ylabel("seconds until the last client is done")
    if found is not None:
        _mark_crossover(axes, found, int(trials["clients"].min()), in_words=form is Form.WIDE)
    _key_above(axes, [("-", "median of the repeats"), ("--", "lower bound")])
    label_ends(axes, ends, lambda value: f"{short_number(value)} s")
    paper_note(figure, note)
    return figure


def typical_client(trials: pd.DataFrame, note: str, *, form: Form = Form.WIDE) -> Figure:
    """Draw the mean and the median client's completion time against N, with the last one's.

    Args:
      trials: `architecture`, `clients`, `valid`, `makespan_seconds`, `mean_completion_seconds`,
        `median_completion_seconds`.
      note: Small print.
      form: Layout.
    """
    figure, panels = new_figure(2, height_inches=3.7, form=form)
    columns = ("mean_completion_seconds", "median_completion_seconds")
    highest = max(trials["makespan_seconds"].max(), *(trials[column].max() for column in columns))
    lowest = min(trials[column].min() for column in columns)
    for axes, column, name in zip(panels, columns, ("mean", "median"), strict=True):
        ends = _curves(axes, trials, column)
        _medians(axes, trials, "makespan_seconds", ":")
        _time_axis(axes, highest, lowest)
        axes.set_ylim(top=highest * 1.08)
        axes.set_title(f"The {name} client")
        axes.set_ylabel("seconds since joining")
        label_ends(axes, ends, lambda value: f"{short_number(value)} s")
    _line_key(panels[0], [(":", "last client")], "upper left")
    paper_note(figure, note)
    return figure


def origin_traffic(
    trials: pd.DataFrame, ideal: pd.DataFrame, note: str, *, form: Form = Form.WIDE
) -> Figure:
    """Draw how many copies the origin sends, and which share comes from peers, against N.

    Args:
      trials: `architecture`, `clients`, `valid`, `origin_copies`, `offload`.
      ideal: By `clients`: `proportional_offload`, the swarm's where all uplinks are always busy,
        and `most_offload`.
      note: Small print.
      form: Layout.
    """
    figure, (copies, share) = new_figure(2, height_inches=3.7, form=form)
    ends = _curves(copies, trials, "origin_copies")
    copies.set_yscale("log", base=2)
    copies.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    copies.set_ylabel("copies of the file")
    copies.set_title("The origin sends …")
    label_ends(copies, ends, short_number)

    ends = _curves(share, trials, "offload")
    colour = LOOKS["swarm"].colour
    share.plot(ideal.index, ideal["proportional_offload"], "--", color=colour, linewidth=1.3)
    share.plot(ideal.index, ideal["most_offload"], "-.", color=MUTED, linewidth=1.1)
    share.set_ylim(-0.05, 1.05)
    share.yaxis.set_major_formatter(PercentFormatter(1.0))
    share.set_ylabel("of all payload received")
    share.set_title("… and other clients send")
    # Low at the right, where a swarm's share has risen past it.
    _line_key(share, [("--", "all uplinks busy"), ("-.", "most possible")], (0.33, 0.12))
    label_ends(share, ends, lambda value: f"{value:.0%}")
    paper_note(figure, note)
    return figure


def goodput(trials: pd.DataFrame, note: str, *, form: Form = Form.WIDE) -> Figure:
    """Draw verified bytes per second against N, with the most that theory allows, and utilisation.

    Args:
      trials: `architecture`, `clients`, `valid`, `goodput_bytes_per_second`,
        `possible_bytes_per_second`, `uplink_utilisation`.
      note: Small print.
      form: Layout.
    """
    figure, (rate, used) = new_figure(2, height_inches=3.7, form=form)
    ends = _curves(rate, trials, "goodput_bytes_per_second", scale=1 / MEBIBYTE)
    _medians(rate, trials, "possible_bytes_per_second", "--", scale=1 / MEBIBYTE)
    rate.set_ylim(bottom=0)
    rate.set_ylabel("verified payload of all clients (MiB/s)")
    rate.set_title("What arrives in a second")
    _line_key(rate, [("--", "most possible")], "upper left")
    label_ends(rate, ends, short_number)

    ends = _curves(used, trials, "uplink_utilisation")
    used.set_ylim(0, 1.05)
    used.yaxis.set_major_formatter(PercentFormatter(1.0))
    used.set_ylabel("of what all uplinks could send")
    used.set_title("How busy the uplinks are")
    label_ends(used, ends, lambda value: f"{value:.0%}")
    paper_note(figure, note)
    return figure


def efficiency(
    trials: pd.DataFrame, thresholds: Sequence[Threshold], note: str, *, form: Form = Form.WIDE
) -> Figure:
    """Draw which share of the possible speed each architecture reaches, with its thresholds.

    Args:
      trials: `architecture`, `clients`, `valid`, `efficiency`.
      thresholds: Those about efficiency are drawn from their first N on.
      note: Small print.
      form: Layout.
    """
    figure, (axes,) = new_figure(height_inches=3.8, form=form)
    ends = _curves(axes, trials, "efficiency")
    lowest = float(trials["efficiency"].min())
    tested = sorted(int(one) for one in trials["clients"].unique())
    drawn = False
    for threshold in thresholds:
        last = threshold.to_clients or tested[-1]
        spoken_of = [one for one in tested if threshold.from_clients <= one <= last]
        architecture, metric = split(threshold)
        if metric != "efficiency" or threshold.at_least is None or not spoken_of:
            continue
        lowest = min(lowest, threshold.at_least)
        colour = LOOKS[architecture].colour
        sides = [spoken_of[0] / 1.08, spoken_of[-1] * 1.08]
        axes.plot(sides, [threshold.at_least] * 2, "-.", color=colour, linewidth=1.3)
        drawn = True
    axes.plot([tested[0], tested[-1]], [1.0, 1.0], "--", color=MUTED, linewidth=1.1)
    if math.isfinite(lowest):
        axes.set_ylim(max(0.0, math.floor(lowest * 10 - 0.3) / 10), 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylabel("fluid bound ÷ time of the last client")
    keys: list[tuple[Line, str]] = [("--", "theory's limit")]
    _key_above(axes, [*keys, ("-.", "threshold")] if drawn else keys)
    label_ends(axes, ends, lambda value: f"{value:.0%}")
    paper_note(figure, note)
    return figure


def _time_axis(axes: Axes, longest: float, shortest: float) -> None:
    # In virtual time a small file may take none.
    if shortest > 0 and longest > LEAST_RATIO_FOR_LOGARITHMS * shortest:
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    else:
        axes.set_ylim(0, longest * 1.08)


def _curves(
    axes: Axes, trials: pd.DataFrame, column: str, *, scale: float = 1.0
) -> dict[str, tuple[float, float]]:
    """Draw one column: a point for each repeat, a line for their medians.

    Returns:
      The last point of each architecture's line.
    """
    ends: dict[str, tuple[float, float]] = {}
    for architecture, rows in trials.groupby("architecture", sort=True):
        look = LOOKS[str(architecture)]
        known = rows[rows[column].notna()]
        if known.empty:
            continue
        median = known.groupby("clients")[column].median() * scale
        axes.plot(median.index, median, "-", color=look.colour, zorder=3)
        for valid, some in known.groupby("valid"):
            axes.plot(
                some["clients"],
                some[column] * scale,
                look.marker,
                color=look.colour,
                markersize=5,
                markerfacecolor=look.colour if valid else "none",
                zorder=4,
            )
        ends[look.name] = (float(median.index[-1]), float(median.iloc[-1]))
    clients_axis(axes, [int(one) for one in trials["clients"]], panels_beside(axes))
    return ends


def _medians(axes: Axes, trials: pd.DataFrame, column: str, line: str, *, scale: float = 1.0) -> None:
    for architecture, rows in trials.groupby("architecture", sort=True):
        median = rows.groupby("clients")[column].median() * scale
        colour = LOOKS[str(architecture)].colour
        if len(median) == 1:
            # A single point has no line: a short level one stands for it.
            middle = float(median.index[0])
            median = pd.Series([median.iloc[0]] * 2, index=[middle - 0.2, middle - 0.03])
        axes.plot(median.index, median, line, color=colour, linewidth=1.4, zorder=2)


def _line_key(axes: Axes, lines: Sequence[tuple[Line, str]], where: Place) -> None:
    """Explain the kinds of line once, in no architecture's colour."""
    axes.legend(handles=_samples(lines), loc=where, fontsize=9, handlelength=2.4)


def _key_above(axes: Axes, lines: Sequence[tuple[Line, str]]) -> None:
    """Explain the kinds of line in a row above the axes, where no curve can pass."""
    axes.legend(
        handles=_samples(lines),
        loc="lower left",
        bbox_to_anchor=(-0.01, 0.99),
        ncols=max(1, len(lines) // panels_beside(axes)),
        fontsize=9,
        handlelength=2.4,
    )


def _samples(lines: Sequence[tuple[Line, str]]) -> list[Line2D]:
    return [
        Line2D([], [], color=MUTED, linestyle=line, linewidth=1.6, label=text) for line, text in lines
    ]


def _mark_crossover(axes: Axes, found: Crossover, smallest: int, *, in_words: bool) -> None:
    """Shade between the largest N without a shown win and the smallest with wins from there on."""
    if found.above is None:
        return
    axes.axvspan(found.above, found.at_most, color=BAND, zorder=0, linewidth=0)
    if not in_words:
        return
    # Left of the band, where the curves are low; with no room there, inside at its top.
    left = found.above > smallest
    axes.annotate(
        f"the swarm begins to win\nabove {found.above}, at most {found.at_most} clients",
        (found.above, 0.7 if left else 0.96),
        xycoords=("data", "axes fraction"),
        xytext=(-6 if left else 6, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top",
        fontsize=9,
        color=INK,
    )
