"""Setting a page as HTML and Markdown, and its figures as SVG and PNG: strings and bytes, no file."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

import jinja2
import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from analysis.charts import Chart
from analysis.figure_style import THEME_VARIABLES, TITLE_ID, TITLE_INCHES
from analysis.page import Page

TEMPLATES = Path(__file__).parent / "templates"
PNG_DOTS_PER_INCH = 160


def set_html(page: Page, figures: Mapping[str, str]) -> str:
    """Set the page as one self-contained file.

    Args:
      page: What it says.
      figures: SVG to be put in the page, by the chart's name.
    """
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    template = _environment(autoescape=True).get_template("report.html.j2")
    drawings = {name: Markup(svg) for name, svg in figures.items()}
    script = Markup((TEMPLATES / "cost.js").read_text(encoding="utf-8"))
    return template.render(page=page, style=Markup(style), script=script, drawings=drawings)


def set_markdown(page: Page) -> str:
    """Set the page as Markdown, for a pull request; figures are files beside it."""
    text = _environment(autoescape=False).get_template("report.md.j2").render(page=page)
    return re.sub(r"\n{3,}", "\n\n", text)


def svg_text(figure: Figure, name: str) -> str:
    """Draw a figure as SVG: the same bytes whenever the figure is the same."""
    written = io.StringIO()
    _lay_out(figure)
    # Names within a file derive from the salt: two figures in one page must not share them.
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()


def png_bytes(figure: Figure) -> bytes:
    """Draw a figure as PNG, laid out as it was when it was first drawn."""
    written = io.BytesIO()
    _lay_out(figure)
    figure.savefig(written, format="png", dpi=PNG_DOTS_PER_INCH, metadata={"Software": None})
    return written.getvalue()


def inline_svg(svg: str, chart: Chart) -> str:
    """Make an SVG file part of a page: named for screen readers, in the page's own colours."""
    body = svg[svg.index("<svg") :]
    body = _without_title(body)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' xmlns(:xlink)?="[^"]*"', "", body).replace("xlink:href", "href")
    # Groups are never referred to, and their names repeat from figure to figure.
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    # The page is the paper.
    body = re.sub(r'(<path d="[^"]*" )style="fill: #ffffff"', r'\1style="fill: none"', body, count=1)
    # What is white elsewhere, such as the inside of a hollow point, is the paper's colour.
    body = body.replace("#ffffff", "var(--paper)")
    for colour, variable in THEME_VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    body = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r"<svg \1>", body, count=1)
    label = str(Markup.escape(chart.alt))
    return body.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def _lay_out(figure: Figure) -> None:
    """Lay a figure out, once: it takes as long as drawing, and with an engine all is drawn twice."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def _without_title(body: str) -> str:
    """Take the title out of a figure, and the room for it: the page has it as a heading."""
    if f'<g id="{TITLE_ID}">' not in body:
        return body
    body = re.sub(rf'<g id="{TITLE_ID}">.*?</g>', "", body, count=1, flags=re.DOTALL)
    cut = TITLE_INCHES * 72

    def lower(found: re.Match[str]) -> str:
        width, height = float(found[1]), float(found[2])
        return f'viewBox="0 {cut:g} {width:g} {height - cut:g}"'

    return re.sub(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', lower, body, count=1)


def _environment(*, autoescape: bool) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
