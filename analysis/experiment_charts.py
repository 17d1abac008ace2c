"""The figures of an experiment: one curve a variant, or one step a variant where N hardly varies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.charts import Chart
from analysis.charts_of_load import load_chart
from analysis.experiment import JudgedExperiment, JudgedVariant
from analysis.figure_style import (
    LOOKS,
    MUTED,
    clients_axis,
    new_figure,
    paper_note,
)
from analysis.points import Point
from analysis.steps_report import Named, of_points, steps_chart
from analysis.tables import Rows, Table
from analysis.tables_of_load import is_about_load
from analysis.wording import number, seconds

#: With fewer tested N a curve over N shows nothing: the variants become the axis.
FEWEST_FOR_CURVES = 3

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", ":", "-.")

Reading = Callable[[Point], float | None]


def experiment_charts(judged: JudgedExperiment) -> list[Chart]:
    """Draw how long it took, and how near to the bound, in every variant."""
    made = []
    for name, title, unit, write, read in (
        (
            "completion_time",
            "How long until every client has the file?",
            "last client done, s",
            seconds,
            _makespan,
        ),
        (
            "efficiency",
            "How near to the bound does each come?",
            "bound / last client done",
            number,
            _efficiency,
        ),
    ):
        chart = _chart(judged, name, title, unit, write, read)
        if chart is not None:
            made.append(chart)
    if is_about_load(judged):
        made = [] if (load := load_chart(judged)) is None else [load]
    steps = steps_chart(steps_of(judged), _small_print(judged))
    return made if steps is None else [*made, steps]


def steps_of(judged: JudgedExperiment) -> list[Named]:
    """Name the variants whose transactions were recorded; with their N, where there are several."""
    several = len(judged.clients) > 1 or len(judged.architectures) > 1
    return [
        (f"{variant.name}: {name}" if several else variant.name, steps)
        for variant in judged.variants
        for name, steps in of_points(variant.points)
    ]


def _small_print(judged: JudgedExperiment) -> str:
    worlds = dict.fromkeys(one.summary.world for one in judged.variants)
    return f"{judged.experiment.scenario}, {' and '.join(worlds)} world"


def _makespan(point: Point) -> float | None:
    return point.makespan.median if point.makespan else None


def _efficiency(point: Point) -> float | None:
    return point.efficiency


def _chart(
    judged: JudgedExperiment,
    name: str,
    title: str,
    unit: str,
    write: Callable[[float | None], str],
    read: Reading,
) -> Chart | None:
    rows: Rows = [
        (variant.name, point.architecture, str(point.clients), write(read(point)))
        for variant in judged.variants
        for point in variant.points
    ]
    if not rows:
        return None
    if len(judged.clients) >= FEWEST_FOR_CURVES:
        figure = _curves(judged, unit, read)
        caption = "A line for each variant, over the number of clients; one panel an architecture."
    else:
        figure = _steps(judged, unit, read)
        caption = "The variants in their order; one panel a number of clients."
    caption += " Medians over the repeats; hollow where a check failed."
    paper_note(figure, _small_print(judged))
    return Chart(
        name,
        title,
        caption,
        f"{title} " + "; ".join(f"{a} {b} at N = {c}: {d}" for a, b, c, d in rows),
        figure,
        Table(title, ("variant", "", "N", unit), rows),
    )


def _curves(judged: JudgedExperiment, unit: str, read: Reading) -> Figure:
    figure, panels = new_figure(len(judged.architectures), height_inches=4.4)
    for axes, architecture in zip(panels, judged.architectures, strict=True):
        shades = _shades(LOOKS[architecture].colour, len(judged.variants))
        for place, variant in enumerate(judged.variants):
            _curve(axes, variant, architecture, read, shades[place], place)
        axes.set_title(architecture, color=LOOKS[architecture].colour, fontweight="bold")
        axes.set_ylabel(unit)
        clients_axis(axes, judged.clients, len(panels))
        if axes.get_lines():
            axes.set_ylim(0, 1.08 * axes.dataLim.y1)
        axes.legend(fontsize=8, loc="best", handlelength=3)
    return figure


def _curve(
    axes: Axes, variant: JudgedVariant, architecture: str, read: Reading, shade: str, place: int
) -> None:
    points = [(one, read(one)) for one in variant.points if one.architecture == architecture]
    known = [(one.clients, value, one.valid) for one, value in points if value is not None]
    if not known:
        return
    axes.plot(
        [clients for clients, _, _ in known],
        [value for _, value, _ in known],
        color=shade,
        linestyle=DASHES[place % len(DASHES)],
        marker=MARKERS[place % len(MARKERS)],
        markerfacecolor=shade if all(valid for _, _, valid in known) else "none",
        label=variant.name,
    )


def _steps(judged: JudgedExperiment, unit: str, read: Reading) -> Figure:
    names = [one.name for one in judged.variants]
    long = max(map(len, names)) * len(names) * len(judged.clients) > 60
    figure, panels = new_figure(len(judged.clients), height_inches=4.6 if long else 3.9)
    for axes, clients in zip(panels, judged.clients, strict=True):
        values = []
        for architecture in judged.architectures:
            look = LOOKS[architecture]
            found = [
                (place, value, point.valid)
                for place, variant in enumerate(judged.variants)
                if (point := variant.point(architecture, clients)) is not None
                and (value := read(point)) is not None
            ]
            values += [value for _, value, _ in found]
            axes.plot(
                [place for place, _, _ in found],
                [value for _, value, _ in found],
                color=look.colour,
                marker=look.marker,
                markerfacecolor=look.colour if all(valid for *_, valid in found) else "none",
                label=look.name,
            )
        axes.set_title(f"N = {clients:,}", color=MUTED)
        axes.set_ylabel(unit)
        _height(axes, values)
        axes.set_xlim(-0.4, len(names) - 0.6)
        axes.set_xticks(
            range(len(names)),
            names,
            rotation=35 if long else 0,
            ha="right" if long else "center",
        )
        axes.legend(fontsize=8)
    return figure


def _height(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic height where the architectures are far apart, so that both can be read."""
    positive = [value for value in values if value > 0]
    if positive and max(positive) / min(positive) > 12:
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, 1.12 * max(positive, default=1.0))


def _shades(colour: str, count: int) -> list[str]:
    """Give so many shades of an architecture's colour, from its own to a light one."""
    red, green, blue = mpl.colors.to_rgb(colour)
    shades = []
    for place in range(count):
        light = 0.0 if count == 1 else 0.6 * place / (count - 1)
        mixed = (red + (1 - red) * light, green + (1 - green) * light, blue + (1 - blue) * light)
        shades.append(mpl.colors.to_hex(mixed))
    return shades
