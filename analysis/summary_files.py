"""The summary for programs: summary.json in CONTRACT.md's shape, and the same as a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from analysis.churn import Churn
from analysis.files_report import is_about_files
from analysis.limits import origins_of
from analysis.points import Point, Quantiles, Sharing
from analysis.statistics import Spread
from analysis.steps import FIGURES, PointSteps
from analysis.summary import Summary
from testbed.replacement import FILE_STATES
from testbed.sessions import UNINTERRUPTED

#: Enough for any use of a measured number, and no `0.30000000000000004`.
SIGNIFICANT_DIGITS = 6


OPEN_LOAD_FIGURES = (
    "load",
    "requests",
    "mean_seconds",
    "ideal_seconds",
    "late_seconds",
    "intended_seconds",
    "intended_ratio",
    "formula_seconds",
)


def as_json(summary: Summary) -> str:
    """Write summary.json; what is not known is `null`."""
    return json.dumps(as_dict(summary), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_dict(summary: Summary) -> dict[str, Any]:
    """Give summary.json's content."""
    found = summary.crossover
    several = len(summary.placements) > 1
    with_relay = summary.has_relay
    with_files = is_about_files(summary.points)
    with_steps = any(one.steps for one in summary.points)
    by_chance = origins_of(summary.scenario) > 1
    with_churn = summary.scenario.has_outages or summary.scenario.sessions != UNINTERRUPTED
    return {
        "scenario": summary.scenario.name,
        "world": summary.world,
        "verdict": summary.verdict,
        "crossover": found and {"above": found.above, "at_most": found.at_most},
        "points": [
            _point(one, with_placement=several)
            | ({"through_copies": _short(one.through_copies)} if with_relay else {})
            | (_steps(one.steps) if with_steps else {})
            | ({"files": {state: one.files.get(state) for state in FILE_STATES}} if with_files else {})
            | (_churn(one) if with_churn else {})
            | (_load(one) if summary.is_about_load else {})
            | ({"makespan_mean_seconds": _short(one.makespan_mean_seconds)} if by_chance else {})
            for one in summary.points
        ],
    }


def as_csv(summary: Summary) -> str:
    """Write summary.csv: a row for each point, nested names joined by a dot."""
    rows = [_flat(one) for one in as_dict(summary)["points"]]
    written = io.StringIO()
    if rows:
        writer = csv.DictWriter(written, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return written.getvalue()


def _point(point: Point, *, with_placement: bool) -> dict[str, Any]:
    placement = {"placement": point.placement} if with_placement else {}
    return placement | {
        "architecture": point.architecture,
        "clients": point.clients,
        "repeats": point.repeats,
        "valid": point.valid,
        "warnings": list(point.warnings),
        "makespan_seconds": _spread(point.makespan),
        "bound_seconds": _short(point.bound_seconds),
        "efficiency": _short(point.efficiency),
        "tightness": _short(point.tightness),
        "goodput_bytes_per_second": _short(point.goodput_bytes_per_second),
        "completion_seconds": {"mean": _short(point.completion.mean)} | _quantiles(point.completion),
        "first_byte_seconds": _quantiles(point.first_byte),
        "cpu_seconds_per_gigabyte": {
            role: _short(value) for role, value in point.cpu_seconds_per_gigabyte.items()
        },
        "request_latency_seconds": _quantiles(point.request_latency),
        "origin_copies": _short(point.origin_copies),
        "offload": _short(point.offload),
        **_sharing(point.everyone),
        "peers_only": _sharing(point.peers_only),
        "wasted_fraction": _short(point.wasted_fraction),
        "generator_cpu_fraction": _short(point.generator_cpu_fraction),
    }


def _churn(point: Point) -> dict[str, float | None]:
    figures = {name: getattr(point.churn, name, None) for name in Churn.__dataclass_fields__}
    finished = {
        name: getattr(point, name)
        for name in ("finished_fraction", "pieces_out_fraction", "left_behind_fraction")
    }
    return {name: _short(value) for name, value in (finished | figures).items()}


def _steps(steps: PointSteps | None) -> dict[str, Any]:
    figures = ("least", "p50", "p90")
    spreads = {
        f"{name}_seconds": {
            one: None if steps is None else _short(getattr(steps.spreads[name], one)) for one in figures
        }
        for name in FIGURES
    }
    return {
        "step": spreads,
        "transactions": 0 if steps is None else steps.count,
        "sum_error": None if steps is None else _short(steps.sum_error),
        "cached_fraction": None if steps is None else _short(steps.cached_fraction),
    }


def _load(point: Point) -> dict[str, Any]:
    """What a server under load did; of an open load and a closed one, the other is empty."""
    found, closed, knee = point.open_load, point.closed_load, point.knee
    return {
        "open_load": {
            name: None if found is None else _short(getattr(found, name)) for name in OPEN_LOAD_FIGURES
        },
        "processor_sharing_ratio": None if found is None else _short(found.ratio),
        "downloads": None if closed is None else closed.downloads,
        "served_bytes_per_second": None if closed is None else _short(closed.bytes_per_second),
        "knee": None if knee is None else _short(knee.users),
    }


def _spread(spread: Spread | None) -> dict[str, Any]:
    if spread is None:
        return {"median": None, "low": None, "high": None, "interval": "no repeat was complete"}
    return {
        "median": _short(spread.median),
        "low": _short(spread.low),
        "high": _short(spread.high),
        "interval": spread.interval,
    }


def _quantiles(found: Quantiles) -> dict[str, float | None]:
    return {"p50": _short(found.p50), "p90": _short(found.p90), "p99": _short(found.p99)}


def _sharing(sharing: Sharing) -> dict[str, float | None]:
    return {
        "burden_mean": _short(sharing.burden_mean),
        "burden_max": _short(sharing.burden_max),
        "gini": _short(sharing.gini),
        "jain": _short(sharing.jain),
    }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = "; ".join(value) if isinstance(value, list) else value
    return flat
