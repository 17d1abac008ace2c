"""Writing a comparison of two runs: a page, Markdown, a figure and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl

from analysis.figure_style import styled
from analysis.pair_page import as_dict, compose
from analysis.report import write_figures
from analysis.run_pair import RunPair
from analysis.setting import set_html, set_markdown


def write_comparison(pair: RunPair, folder: Path) -> Path:
    """Write `comparison.html`, `.md` and `.json`, and `figures/changes.svg` and `.png`.

    Args:
      pair: Both runs, compared.
      folder: Made if need be; files of these names in it are replaced, others stay.

    Returns:
      The page.

    Raises:
      OSError: they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(styled()):
        page, chart = compose(pair)
        inline = write_figures(folder / "figures", [chart])
    page_path = folder / "comparison.html"
    page_path.write_text(set_html(page, inline), encoding="utf-8")
    (folder / "comparison.md").write_text(set_markdown(page), encoding="utf-8")
    (folder / "comparison.json").write_text(as_json(pair), encoding="utf-8")
    return page_path


def as_json(pair: RunPair) -> str:
    """Write comparison.json; what is not known is `null`."""
    return json.dumps(as_dict(pair), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
