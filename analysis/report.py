"""Writing a run's report: the only module of `analysis` that writes files."""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
from pathlib import Path

import jinja2
import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from analysis import charts, charts_of_nodes, summary_files
from analysis.charts import Chart, drawable
from analysis.figure_style import THEME_VARIABLES, styled, title
from analysis.load import RunData, load
from analysis.page import Page, compose
from analysis.points import Measures
from analysis.summary import Summary, summarise

TEMPLATES = Path(__file__).parent / "templates"
PNG_DOTS_PER_INCH = 160


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
        _replace(run.path / "report", building)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return summary


def _write(folder: Path, run: RunData, summary: Summary, measures: Measures) -> None:
    (folder / "figures").mkdir()
    drawn_charts: dict[str, Chart] = {}
    inline: dict[str, str] = {}
    with mpl.rc_context(styled()):
        for chart in make_charts(run, summary, measures):
            drawn_charts[chart.name] = chart
            title(chart.figure, chart.title)
            svg = svg_text(chart.figure, chart.name)
            (folder / "figures" / f"{chart.name}.svg").write_text(svg, encoding="utf-8")
            (folder / "figures" / f"{chart.name}.png").write_bytes(png_bytes(chart.figure))
            inline[chart.name] = inline_svg(svg, chart)
    page = compose(run, summary, drawn_charts)
    (folder / "report.html").write_text(set_html(page, inline), encoding="utf-8")
    (folder / "report.md").write_text(set_markdown(page), encoding="utf-8")
    (folder / "summary.json").write_text(summary_files.as_json(summary), encoding="utf-8")
    (folder / "summary.csv").write_text(summary_files.as_csv(summary), encoding="utf-8")


def make_charts(run: RunData, summary: Summary, measures: Measures) -> list[Chart]:
    """Draw every chart that the run has rows for."""
    drawn = drawable(run, summary, measures)
    if drawn.trials.empty:
        return []
    made = [
        charts.completion_chart(drawn),
        charts_of_nodes.burden_chart(drawn),
        charts.origin_chart(drawn),
        charts.goodput_chart(drawn),
        charts.efficiency_chart(drawn),
        charts_of_nodes.distribution_chart(drawn),
        charts_of_nodes.one_run_chart(drawn),
    ]
    return [chart for chart in made if chart is not None]


def set_html(page: Page, figures: dict[str, str]) -> str:
    """Set the page as one self-contained file.

    Args:
      page: What it says.
      figures: SVG to be put in the page, by the chart's name.
    """
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    template = _environment(autoescape=True).get_template("report.html.j2")
    drawings = {name: Markup(svg) for name, svg in figures.items()}
    return template.render(page=page, style=Markup(style), drawings=drawings)


def set_markdown(page: Page) -> str:
    """Set the page as Markdown, for a pull request; figures are files beside it."""
    text = _environment(autoescape=False).get_template("report.md.j2").render(page=page)
    return re.sub(r"\n{3,}", "\n\n", text)


def svg_text(figure: Figure, name: str) -> str:
    """Draw a figure as SVG: the same bytes whenever the figure is the same."""
    written = io.StringIO()
    # Names within a file derive from the salt: two figures in one page must not share them.
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()


def png_bytes(figure: Figure) -> bytes:
    """Draw a figure as PNG, laid out as it was when it was first drawn."""
    written = io.BytesIO()
    # Laying out takes as long as drawing; the SVG, drawn before, has the same proportions.
    figure.set_layout_engine("none")
    figure.savefig(written, format="png", dpi=PNG_DOTS_PER_INCH, metadata={"Software": None})
    return written.getvalue()


def inline_svg(svg: str, chart: Chart) -> str:
    """Make an SVG file part of a page: named for screen readers, in the page's own colours."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' xmlns(:xlink)?="[^"]*"', "", body).replace("xlink:href", "href")
    # Groups are never referred to, and their names repeat from figure to figure.
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    # The page is the paper.
    body = re.sub(r'(<path d="[^"]*" )style="fill: #ffffff"', r'\1style="fill: none"', body, count=1)
    for colour, variable in THEME_VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    body = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r"<svg \1>", body, count=1)
    label = str(Markup.escape(chart.alt))
    return body.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def _environment(*, autoescape: bool) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )


def _replace(place: Path, built: Path) -> None:
    if place.exists():
        old = Path(tempfile.mkdtemp(prefix=".old-report-", dir=place.parent))
        os.replace(place, old / "report")  # noqa: PTH105
        built.rename(place)
        shutil.rmtree(old, ignore_errors=True)
    else:
        built.rename(place)
