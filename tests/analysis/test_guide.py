"""docs/reading-a-report.md explains the report as it is."""

import re
from pathlib import Path

import pytest

from tests.analysis.test_report import CHARTS

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "reading-a-report.md").read_text(encoding="utf-8")
# Beside the run lies an experiment, which has no run.json.
(RUN,) = (ROOT / "results" / "published" / "flash_crowd").glob("*/run.json")
PUBLISHED = RUN.parent / "report" / "report.md"


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)", GUIDE))))
def test_a_link_leads_somewhere(link):
    assert (ROOT / "docs" / link).exists()


@pytest.mark.parametrize("chart", sorted(CHARTS | {"saturation"}))
def test_every_chart_is_explained_with_its_picture(chart):
    assert f"images/report-{chart}.png" in GUIDE


def test_the_verdict_is_the_committed_runs():
    verdict = next(line for line in PUBLISHED.read_text().splitlines() if line.startswith("**"))
    assert verdict in " ".join(GUIDE.split())
