"""What a report says and in which order; the templates only set it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pandas as pd

from analysis import files_report, steps_report, tables, tables_of_roles
from analysis.charts import Chart
from analysis.cost import Cost, origin_cost
from analysis.limits import origins_of
from analysis.load import RunData
from analysis.metrics import initiative
from analysis.points import Measures
from analysis.summary import Summary
from analysis.tables import Rows, Table
from analysis.tables_of_churn import churn_tables
from analysis.tables_of_load import closed_load_table
from analysis.wording import rate, size
from testbed.record import TABLES


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Something to copy, as it is."""

    kind: ClassVar[str] = "code"
    text: str


Block = Paragraph | Code | Table | Chart | Cost


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report."""

    anchor: str
    short: str
    """For the list of sections."""
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Banner:
    """Why a reader must be careful: stands above everything else."""

    title: str
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class ThresholdLine:
    """One threshold as it is shown."""

    mark: str
    kind: str
    word: str
    text: str
    detail: str


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report, before it is set."""

    name: str
    question: str
    banner: Banner | None
    verdict: str
    note: str
    facts: str
    thresholds: Sequence[ThresholdLine]
    sections: Sequence[Section] = field(default_factory=tuple)
    footer: str = ""


#: Sections about one file for everybody: left out where a server's load is what the run is about.
ABOUT_THE_FILE = ("time", "burden", "one-run", "efficiency")


def compose(run: RunData, summary: Summary, measures: Measures, charts: Mapping[str, Chart]) -> Page:
    """Put a report together.

    Args:
      run: The raw rows.
      summary: The run judged.
      measures: What it was judged by.
      charts: By name; those that are missing are left out.
    """
    counted = initiative(run.nodes)
    about_load = summary.is_about_load

    def drawn(*names: str) -> list[Block]:
        return [charts[name] for name in names if name in charts]

    sections = [
        Section(
            "time",
            "Time",
            "Completion time",
            [
                *drawn("completion_time"),
                tables.answer_table(summary),
                *drawn("typical_client"),
                tables.point_table(summary),
                *churn_tables(summary),
            ],
        ),
        Section(
            "burden",
            "Burden and cost",
            "Upload burden, and what the origin sends",
            [
                *drawn("upload_burden"),
                tables.relay_table(summary),
                tables.burden_table(summary),
                *drawn("origin_traffic"),
                *_cost(summary),
            ],
        ),
        Section(
            "throughput",
            "Throughput",
            "Throughput",
            [*drawn("goodput", "saturation"), closed_load_table(summary)],
        ),
        Section(
            "latency",
            "Latency",
            "Latency",
            [
                *drawn("open_load", "waiting_growth", "waiting"),
                *([] if about_load else [tables.waiting_table(summary)]),
                *drawn("request_latency", "request_distribution"),
            ],
        ),
        Section("files", "Files", "What the clients have on their disks", _files(summary)),
        Section(
            "steps",
            "Steps",
            "The four steps of a transaction",
            [steps_report.steps_table(steps_report.of_points(summary.main_points))],
        ),
        Section(
            "one-run",
            "One run",
            "One run, opened up",
            drawn("one_run", "pieces_when", "sources"),
        ),
        Section(
            "efficiency",
            "Efficiency",
            "Efficiency, and where the rest went",
            drawn("efficiency", "losses"),
        ),
        Section("roles", "Roles", "Who dialled, and who served?", _roles(summary, counted)),
        *_placement(summary, counted),
        Section(
            "validity",
            "Validity",
            "Can this run be believed?",
            [
                tables.check_table(summary),
                *_warnings(summary),
                tables_of_roles.lag_table(run.samples, measures.requests.late_starts),
            ],
        ),
        Section("repeat", "Repeat it", "How to repeat it", _how_to_repeat(run, summary)),
    ]
    return Page(
        name=summary.scenario.name,
        question=summary.scenario.question
        or "Server or swarm: which is faster, and from how many clients?",
        banner=_banner(summary),
        verdict=summary.verdict,
        note=summary.note,
        facts=_facts(summary),
        thresholds=[
            ThresholdLine(
                one.mark,
                {True: "met", False: "missed", None: "open"}[one.met],
                {True: "met", False: "missed", None: "not measured"}[one.met],
                one.text,
                one.detail,
            )
            for one in summary.thresholds
        ],
        sections=[
            one
            for one in map(_without_empty_tables, sections)
            if one.blocks and not (about_load and one.anchor in ABOUT_THE_FILE)
        ],
        footer=(
            "Everything here is computed from the raw rows of this run's folder; "
            f"python -m analysis report rebuilds it. Times are seconds of the {summary.world} "
            "world; a GB is 10⁹ bytes, a MiB 2²⁰. Wire bytes are application bytes, protocol "
            "included, TCP/IP not."
        ),
    )


def _without_empty_tables(section: Section) -> Section:
    return replace(section, blocks=[one for one in section.blocks if _has_rows(one)])


def _has_rows(block: Block) -> bool:
    return not isinstance(block, Table) or bool(block.rows)


def _banner(summary: Summary) -> Banner | None:
    titles = {
        "invalid": "This run is not valid: do not use its numbers.",
        "failed": "This run failed: not every trial has a result.",
        "partial": "This run is partial: it was stopped before its end.",
    }
    title = titles.get(summary.status)
    return Banner(title, summary.reasons) if title else None


def _facts(summary: Summary) -> str:
    links = summary.scenario.links
    rates = {
        "origin uplink us": links.origin_uplink_bytes_per_second,
        "client uplink u": links.client_uplink_bytes_per_second,
        "client downlink d": links.client_downlink_bytes_per_second,
    }
    pieces = f" in pieces of {size(summary.piece_bytes)}" if summary.piece_bytes else ""
    lines = ", ".join(f"{name} {rate(value)}" for name, value in rates.items())
    origins = origins_of(summary.scenario)
    if origins > 1:
        lines += f"; {origins} servers, each with such an uplink, and one origin in the swarm"
    trials = f"{summary.trial_count} trials"
    return f"File {size(summary.file_bytes)}{pieces}; {lines}; {summary.world} world; {trials}."


def _files(summary: Summary) -> list[Block]:
    points = summary.main_points
    if not files_report.is_about_files(points):
        return []
    return [files_report.files_table([("", one) for one in points])]


def _cost(summary: Summary) -> list[Block]:
    cost = origin_cost(summary.main_points, summary.file_bytes)
    return [cost] if any(one.server_copies or one.swarm_copies for one in cost.rows) else []


def _roles(summary: Summary, counted: pd.DataFrame) -> list[Block]:
    main = summary.placements[0]
    if not summary.main_points:
        return []
    clients = max(one.clients for one in summary.main_points)
    return [
        Paragraph(
            "In the client-server architecture clients only dial and ask, and the server only "
            "accepts and serves. In the swarm every client does both."
        ),
        tables_of_roles.roles_table(counted.loc[[main]].droplevel("placement"), clients),
        tables_of_roles.computation_table(summary),
    ]


def _placement(summary: Summary, counted: pd.DataFrame) -> list[Section]:
    if len(summary.placements) < 2:
        return []
    blocks: list[Block] = [
        Paragraph(
            "Clients and servers are processes, not hosts: the same roles, placed in other "
            "processes, must give the same outcome."
        ),
        tables_of_roles.placement_table(summary),
        tables_of_roles.ledger_table(counted),
    ]
    return [Section("placement", "Placement", "Does it matter where the processes are?", blocks)]


def _warnings(summary: Summary) -> list[Block]:
    rows: Rows = [
        (f"{one.architecture} at N = {one.clients}", warning)
        for one in summary.points
        for warning in one.warnings
    ]
    if not rows:
        return []
    return [Table("Points that are not valid, and why", ("point", "warning"), rows, words=True)]


def _how_to_repeat(run: RunData, summary: Summary) -> list[Block]:
    manifest = run.manifest
    facts: Rows = [
        ("seed", str(summary.scenario.seed)),
        ("started", str(manifest.get("started", "—"))),
        ("finished", str(manifest.get("finished", "—"))),
        ("status", summary.status),
        ("method version", str(manifest.get("method_version", "—"))),
        (
            "raw files",
            ", ".join(("run.json", *(f"{table}.parquet" for table in TABLES))),
        ),
        *((name.replace("_", " "), _text(value)) for name, value in _environment(manifest)),
    ]
    command = manifest.get("command", "")
    text = command if isinstance(command, str) else shlex.join(str(one) for one in command)
    return [
        Code(text),
        Table("What this run was made with", ("", ""), facts, words=True),
        Paragraph("The scenario as it was resolved:"),
        Code(json.dumps(manifest.get("scenario", {}), indent=1, ensure_ascii=False, default=str)),
    ]


def _environment(manifest: Any) -> list[tuple[str, Any]]:
    return list(dict(manifest.get("environment", {})).items())


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return str(value)
