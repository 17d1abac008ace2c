"""Writing an experiment's report: each run's own, then one that sets the variants side by side."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from rich.console import Group, RenderableType
from rich.text import Text

from analysis.charts import Chart
from analysis.experiment import JudgedExperiment, judge_experiment
from analysis.experiment_charts import experiment_charts, steps_of
from analysis.figure_style import styled
from analysis.files_report import NamedPoint, files_table, is_about_files, say_files
from analysis.page import Banner, Block, Code, Page, Paragraph, Section, ThresholdLine
from analysis.report import replace_report, write_figures, write_report
from analysis.setting import set_html, set_markdown
from analysis.steps_report import steps_table
from analysis.summary import LOAD_NOTE
from analysis.tables import Rows, Table
from analysis.tables_of_churn import is_about_leaving, leaving_table, say_leaving
from analysis.tables_of_load import is_about_load, loads_table, say_loads
from analysis.terminal import path_line, table_grid
from analysis.thresholds import ThresholdResult
from analysis.wording import number, seconds
from testbed.experiments import load_experiment

#: Of an experiment on a terminal; of more, those that were met are counted. The report has them all.
MOST_CONDITIONS = 20


def write_experiment_report(folder: Path) -> JudgedExperiment:
    """Rebuild the reports of an experiment and of its runs from raw rows.

    Args:
      folder: The experiment's.

    Returns:
      The experiment judged; its `exit_code` says what a command should end with.

    Raises:
      testbed.errors.SchemaError: the folder is no experiment, or one of its runs cannot be read.
      OSError: a report cannot be written.
    """
    # results/latest is a link: what is printed should last longer than it.
    experiment = load_experiment(folder.resolve())
    summaries = {one.name: write_report(one.folder) for one in experiment.variants}
    judged = judge_experiment(experiment, summaries)
    building = Path(tempfile.mkdtemp(prefix=".report-", dir=experiment.folder))
    try:
        building.chmod(0o755)
        _write(building, judged)
        replace_report(experiment.folder / "report", building)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return judged


def _write(folder: Path, judged: JudgedExperiment) -> None:
    with mpl.rc_context(styled()):
        charts = experiment_charts(judged)
        inline = write_figures(folder / "figures", charts)
    page = compose_experiment(judged, charts)
    (folder / "report.html").write_text(set_html(page, inline), encoding="utf-8")
    (folder / "report.md").write_text(set_markdown(page), encoding="utf-8")
    (folder / "summary.json").write_text(judged.as_json(), encoding="utf-8")


def compose_experiment(judged: JudgedExperiment, charts: Sequence[Chart]) -> Page:
    """Put the report together.

    Args:
      judged: The experiment.
      charts: In the order in which they are shown.
    """
    experiment = judged.experiment
    folder = shlex.quote(f"results/{experiment.scenario}/{experiment.folder.name}")
    shown, counted = conditions_at_a_glance(judged)
    partial = experiment.status != "complete"
    bad = judged.reasons
    banner = None
    if partial or bad:
        head = "This experiment is partial: it was stopped before its end." if partial else ""
        banner = Banner(head or "Not every variant has a result to rely on.", bad)
    drawn: dict[str, list[Block]] = {chart.name: [chart] for chart in charts}
    sections = [
        Section("files", "Files", "What the clients have on their disks", _files(judged)),
        Section(
            "steps",
            "Steps",
            "The four steps of a transaction",
            [*drawn.get("steps", ()), *_steps(judged)],
        ),
        Section(
            "load",
            "Load",
            "Time of a request under open load",
            [*drawn.get("load", ()), *_loads(judged)],
        ),
        Section("leaving", "Leaving", "Who has the file when somebody leaves", _leaving(judged)),
        Section(
            "time",
            "Time",
            "Time until every client has the file",
            [
                *drawn.get("completion_time", ()),
                *([] if is_about_load(judged) else [side_by_side(judged)]),
            ],
        ),
        Section(
            "efficiency",
            "Efficiency",
            "How near to the bound",
            drawn.get("efficiency", ()),
        ),
        Section(
            "runs",
            "Runs",
            "Each variant by itself",
            [run_table(judged), *(one for one in (condition_table(judged),) if one.rows)],
        ),
        Section(
            "repeat",
            "Repeat",
            "How to repeat it",
            [
                Paragraph("The same command gives the same trials; the seed stands in each run.json."),
                Code(f"{experiment.command}\npython -m analysis report {folder}"),
            ],
        ),
    ]
    return Page(
        name=experiment.scenario,
        question=experiment.question,
        banner=banner,
        verdict=verdict(judged),
        note=_note(judged),
        facts=f"{len(judged.variants)} variants; first: {judged.first.name}.",
        thresholds=(
            *([ThresholdLine("✓", "met", "met", counted, "listed under Runs")] if counted else ()),
            *(_line(f"{name}: ", one) for name, one in shown),
        ),
        sections=[one for one in sections if one.blocks],
        footer=f"Experiment {experiment.folder.name}.",
    )


Condition = tuple[str, ThresholdResult]
"""The name of a variant, and a condition that it was held against."""


def all_conditions(judged: JudgedExperiment) -> list[Condition]:
    """Give every variant's conditions, those of its own run first."""
    return [
        (variant.name, one)
        for variant in judged.variants
        for one in (*variant.summary.thresholds, *variant.against_first)
    ]


def conditions_at_a_glance(judged: JudgedExperiment) -> tuple[list[Condition], str]:
    """Give the conditions to be listed first; where there are many, without those that were met.

    Returns:
      The conditions, and how many were left out, in words; or nothing.
    """
    conditions = all_conditions(judged)
    other = [(name, one) for name, one in conditions if one.met is not True]
    met = len(conditions) - len(other)
    if len(conditions) <= MOST_CONDITIONS or not met:
        return conditions, ""
    return other, f"{met} of {len(conditions)} conditions"


def condition_table(judged: JudgedExperiment) -> Table:
    """Every condition, where they are too many to be listed first."""
    table = Table("What must hold", ("variant", "", "condition", "found"), words=True)
    if conditions_at_a_glance(judged)[1]:
        table.rows.extend(
            (name, one.mark, one.text, one.detail) for name, one in all_conditions(judged)
        )
    return table


def _all_points(judged: JudgedExperiment) -> list[NamedPoint]:
    return [(variant.name, one) for variant in judged.variants for one in variant.points]


def _files(judged: JudgedExperiment) -> list[Block]:
    named = _all_points(judged)
    if not is_about_files([one for _, one in named]):
        return []
    return [files_table([(f"{name}: ", one) for name, one in named])]


def _steps(judged: JudgedExperiment) -> list[Block]:
    named = steps_of(judged)
    return [steps_table(named)] if named else []


def _leaving(judged: JudgedExperiment) -> list[Block]:
    if not is_about_leaving(one.summary for one in judged.variants):
        return []
    return [leaving_table(_all_points(judged))]


def _loads(judged: JudgedExperiment) -> list[Block]:
    return [loads_table(judged)] if is_about_load(judged) else []


def _note(judged: JudgedExperiment) -> str:
    if is_about_load(judged):
        return LOAD_NOTE
    if all(one.summary.world != "live" for one in judged.variants):
        return "Ratios are to the first variant at the same N."
    return (
        "Ratios are to the first variant at the same N. The variants ran one after the other: drift "
        "between runs not excluded."
    )


def verdict(judged: JudgedExperiment) -> str:
    """Say in a sentence what the variants do to the time at the largest N."""
    points = _all_points(judged)
    if is_about_leaving(one.summary for one in judged.variants):
        return say_leaving(points)
    if is_about_files([one for _, one in points]):
        return say_files(points)
    if named := steps_of(judged):
        totals = [(one.spreads["total"].p50 or 0.0, name) for name, one in named]
        ends = [f"{seconds(total)} ({name})" for total, name in (min(totals), max(totals))]
        return f"From asking to verified content, the median transaction takes {' to '.join(ends)}."
    if is_about_load(judged):
        return say_loads(judged)
    if len(judged.variants) == 1:
        return judged.variants[0].summary.verdict
    clients = max(judged.clients, default=0)
    parts = []
    for architecture in judged.architectures:
        ratios = [
            (one.name, ratio)
            for one in judged.variants[1:]
            if (ratio := judged.ratio(one, architecture, clients)) is not None
        ]
        if not ratios:
            continue
        listed = ", ".join(f"{number(ratio)} ({name})" for name, ratio in ratios)
        parts.append(f"{architecture}: {listed}")
    if not parts:
        return "No two variants have a result at the same N."
    return (
        f"Time until the last of {clients:,} clients has the file, as a multiple of that with "
        f"{judged.first.name!r}: {'; '.join(parts)}."
    )


def _line(prefix: str, one: ThresholdResult) -> ThresholdLine:
    kind = {True: "met", False: "missed", None: "unknown"}[one.met]
    word = {True: "met", False: "missed", None: "not measured"}[one.met]
    return ThresholdLine(one.mark, kind, word, prefix + one.text, one.detail)


def side_by_side(judged: JudgedExperiment) -> Table:
    """A row for each variant, architecture and N, with the ratio to the first variant."""
    rows: Rows = []
    for clients in judged.clients:
        for architecture in judged.architectures:
            for variant in judged.variants:
                point = variant.point(architecture, clients)
                if point is None:
                    continue
                ratio = judged.ratio(variant, architecture, clients)
                rows.append(
                    (
                        architecture,
                        f"{clients:,}",
                        variant.name,
                        seconds(point.makespan.median if point.makespan else None),
                        number(ratio),
                        seconds(point.bound_seconds),
                        number(point.efficiency),
                        number(point.origin_copies),
                    )
                )
    columns = ("", "N", "variant", "last done", "ratio", "fluid bound", "efficiency", "origin copies")
    return Table("Each variant against the first, at the same N", columns, rows)


def run_table(judged: JudgedExperiment) -> Table:
    """What each variant's own report answers, and where it is."""
    rows: Rows = [
        (
            one.name,
            one.summary.status,
            one.summary.verdict,
            str(one.summary.report_path.relative_to(judged.experiment.folder)),
        )
        for one in judged.variants
    ]
    return Table("What each run says", ("variant", "status", "verdict", "report"), rows, words=True)


def on_a_terminal(judged: JudgedExperiment) -> RenderableType:
    """Give what a person reads last."""
    named = steps_of(judged)
    table = loads_table(judged) if is_about_load(judged) else side_by_side(judged)
    table = steps_table(named, least=False) if named else table
    points = _all_points(judged)
    if is_about_leaving(one.summary for one in judged.variants):
        table = leaving_table(points)
    elif is_about_files([one for _, one in points]):
        table = files_table([(f"{name}: ", one) for name, one in points])
    parts: list[RenderableType] = [
        table_grid(table, leave_out={"fluid bound", "transactions", "miss", "in page cache", "waste"})
    ]
    shown, counted = conditions_at_a_glance(judged)
    if counted:
        parts.append(Text.assemble((" ✓ ", "green"), counted))
    for name, one in shown:
        colour = {True: "green", False: "red", None: "dim"}[one.met]
        line = (f" {one.mark} ", colour), f"{name}: {one.text} ", (one.detail, "dim")
        parts.append(Text.assemble(*line))
    parts += [Text(f" ✗ {reason}", style="bold red") for reason in judged.reasons]
    parts.append(Text(verdict(judged), style="bold"))
    parts.append(path_line("Report", judged.report_path))
    return Group(*parts)
