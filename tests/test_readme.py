"""What the README says was found is what the committed run says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def links() -> list[str]:
    return [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]


@pytest.mark.parametrize("link", links())
def test_a_link_leads_somewhere(link):
    assert (ROOT / link).exists()


def test_the_figures_are_those_of_the_committed_run():
    figure = next(link for link in links() if link.endswith("completion_time.svg"))
    run = (ROOT / figure).parent.parent.parent
    summary = json.loads((run / "report" / "summary.json").read_text(encoding="utf-8"))
    assert summary["verdict"] in README
    assert json.loads((run / "run.json").read_text(encoding="utf-8"))["status"] == "complete"
    for point in summary["points"]:
        time = point["makespan_seconds"]
        said = f"{time['median']:.2f} s ({time['low']:.2f}-{time['high']:.2f})"
        row = next(line for line in README.splitlines() if line.startswith(f"| {point['clients']} |"))
        assert said in row
        assert f"{point['efficiency']:.1%}" in row


def test_the_commands_of_the_readme_are_targets_of_make():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"make ([a-z]+)", README)):
        assert f"\n{target}:" in makefile


def test_every_scenario_is_an_experiment_that_the_docs_name():
    text = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\]\(\.\./scenarios/(\w+)\.toml\)", text))
    assert named == {path.stem for path in (ROOT / "scenarios").glob("*.toml")}
