"""Writing a run's report from its raw rows."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl

from analysis import (
    charts,
    charts_of_capacity,
    charts_of_load,
    charts_of_nodes,
    charts_of_one_run,
    charts_of_waiting,
    summary_files,
)
from analysis.charts import Chart, drawable
from analysis.figure_style import styled, title
from analysis.load import RunData, load
from analysis.page import compose
from analysis.points import Measures
from analysis.setting import inline_svg, png_bytes, set_html, set_markdown, svg_text
from analysis.summary import Summary, summarise


def write_report(run_path: Path) -> Summary:
    """Rebuild `report/` of a run from its raw rows, replacing it whole.

    Args:
      run_path: The run's folder.

    Returns:
      The run judged; its `exit_code` says what a command should end with.

    Raises:
      testbed.errors.SchemaError: the folder is no run, or its rows do not fit their columns.
      OSError: the report cannot be written.
    """
    run = load(run_path)
    summary, measures = summarise(run)
    # Built beside its place and moved there: a reader never sees half a report.
    building = Path(tempfile.mkdtemp(prefix=".report-", dir=run.path))
    try:
        building.chmod(0o755)
        _write(building, run, summary, measures)
        replace_report(run.path / "report", building)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return summary


def _write(folder: Path, run: RunData, summary: Summary, measures: Measures) -> None:
    with mpl.rc_context(styled()):
        drawn_charts = {chart.name: chart for chart in make_charts(run, summary, measures)}
        inline = write_figures(folder / "figures", drawn_charts.values())
    page = compose(run, summary, measures, drawn_charts)
    (folder / "report.html").write_text(set_html(page, inline), encoding="utf-8")
    (folder / "report.md").write_text(set_markdown(page), encoding="utf-8")
    (folder / "summary.json").write_text(summary_files.as_json(summary), encoding="utf-8")
    (folder / "summary.csv").write_text(summary_files.as_csv(summary), encoding="utf-8")


def make_charts(run: RunData, summary: Summary, measures: Measures) -> list[Chart]:
    """Draw every chart that the run has rows for."""
    drawn = drawable(run, summary, measures)
    if drawn.trials.empty:
        return []
    made: list[Chart | None]
    if summary.is_about_load:
        made = [
            charts_of_load.open_load_chart(drawn),
            charts_of_capacity.saturation_chart(drawn),
            charts_of_waiting.request_growth_chart(drawn),
            charts_of_waiting.request_distribution_chart(drawn),
        ]
        return [chart for chart in made if chart is not None]
    made = [
        charts.completion_chart(drawn),
        charts.typical_chart(drawn),
        charts_of_nodes.burden_chart(drawn),
        charts.origin_chart(drawn),
        charts.goodput_chart(drawn),
        charts_of_capacity.saturation_chart(drawn),
        charts_of_load.open_load_chart(drawn),
        charts_of_waiting.growth_chart(drawn),
        charts_of_waiting.distribution_chart(drawn),
        charts_of_waiting.request_growth_chart(drawn),
        charts_of_waiting.request_distribution_chart(drawn),
        *charts_of_one_run.one_run_charts(drawn),
        charts.efficiency_chart(drawn),
        charts_of_capacity.losses_chart(drawn),
    ]
    return [chart for chart in made if chart is not None]


def write_figures(folder: Path, drawn: Iterable[Chart]) -> dict[str, str]:
    """Write every chart as SVG and PNG; to be called under `figure_style.styled`.

    Returns:
      Each as SVG to be put in a page, by the chart's name.
    """
    folder.mkdir(exist_ok=True)
    inline = {}
    for chart in drawn:
        title(chart.figure, chart.title)
        svg = svg_text(chart.figure, chart.name)
        (folder / f"{chart.name}.svg").write_text(svg, encoding="utf-8")
        (folder / f"{chart.name}.png").write_bytes(png_bytes(chart.figure))
        inline[chart.name] = inline_svg(svg, chart)
        if chart.narrow is not None:
            name = f"{chart.name}-narrow"
            inline[name] = inline_svg(svg_text(chart.narrow, name), chart)
    return inline


def replace_report(place: Path, built: Path) -> None:
    """Put a report that was built beside its place there, in place of the old one."""
    if place.exists():
        old = Path(tempfile.mkdtemp(prefix=".old-report-", dir=place.parent))
        os.replace(place, old / "report")  # noqa: PTH105
        built.rename(place)
        shutil.rmtree(old, ignore_errors=True)
    else:
        built.rename(place)
