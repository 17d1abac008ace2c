"""The scenario's thresholds: simple conditions that pass or fail, for people and for scripts.

A threshold is named `<architecture>_<metric>`, for instance `swarm_efficiency`; the metrics are the
numbers of summary.json. It holds at every tested N from `from_clients` to `to_clients`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from analysis import wording
from analysis.churn import Churn
from analysis.points import Point
from analysis.steps import FIGURES
from testbed.replacement import FILE_STATES
from testbed.thresholds import Threshold

Reading = Callable[[Point], float | None]


def _of_churn(name: str, point: Point) -> float | None:
    """Read what there is only where clients come and go."""
    value: float | None = getattr(point.churn, name, None)
    return value


def _of_step(step: str, figure: str, point: Point) -> float | None:
    if point.steps is None:
        return None
    value: float | None = getattr(point.steps.spreads[step], figure)
    return value


def _of_files(state: str, point: Point) -> float | None:
    return point.files.get(state)


def _of_steps(name: str, point: Point) -> float | None:
    value: float | None = getattr(point.steps, name, None)
    return value


#: How to read each metric from a point. Nested names of summary.json are joined by `_`.
METRICS: Mapping[str, Reading] = {
    "makespan_seconds": lambda point: point.makespan.median if point.makespan else None,
    **{
        name: attrgetter(name)
        for name in (
            "makespan_mean_seconds",
            "efficiency",
            "tightness",
            "goodput_bytes_per_second",
            "origin_copies",
            "through_copies",
            "finished_fraction",
            "left_behind_fraction",
            "pieces_out_fraction",
            "offload",
            "wasted_fraction",
            "generator_cpu_fraction",
        )
    },
    **{
        f"{name}_seconds_{quantile}": attrgetter(f"{name}.{quantile}")
        for name in ("completion", "first_byte", "request_latency")
        for quantile in ("p50", "p90", "p99")
    },
    "completion_seconds_mean": attrgetter("completion.mean"),
    **{name: partial(_of_churn, name) for name in Churn.__dataclass_fields__},
    **{
        f"{prefix}{name}": attrgetter(f"{group}.{name}")
        for prefix, group in (("", "everyone"), ("peers_only_", "peers_only"))
        for name in ("burden_mean", "burden_max", "gini", "jain")
    },
    **{
        f"step_{step}_seconds_{figure}": partial(_of_step, step, figure)
        for step in FIGURES
        for figure in ("least", "p50", "p90")
    },
    **{f"{state}_files": partial(_of_files, state) for state in FILE_STATES},
    **{name: partial(_of_steps, name) for name in ("sum_error", "cached_fraction")},
    "processor_sharing_ratio": lambda point: point.open_load.ratio if point.open_load else None,
    "served_bytes_per_second": lambda point: (
        point.closed_load.bytes_per_second if point.closed_load else None
    ),
    "knee": lambda point: point.knee.users if point.knee else None,
    "cpu_seconds_per_gigabyte_origin": lambda point: point.cpu_seconds_per_gigabyte["origin"],
    "cpu_seconds_per_gigabyte_client": lambda point: point.cpu_seconds_per_gigabyte["client"],
}


@dataclass(frozen=True, slots=True)
class ThresholdResult:
    """Whether a threshold was met, and where it came closest to failing, or failed worst."""

    threshold: Threshold
    met: bool | None
    """None: nothing was measured that it speaks of."""
    detail: str
    compares: bool = False
    """Whether it is about two runs' figures: their ratio or, if it says so, their difference."""

    @property
    def mark(self) -> str:
        """A tick, a cross, or a dash for what was not measured."""
        return wording.UNKNOWN if self.met is None else "✓" if self.met else "✗"

    @property
    def text(self) -> str:
        """The condition as a reader sees it."""
        one = self.threshold
        architecture, metric = split(one)
        ratio = self.compares and not one.difference
        limits = [
            f"{word} {wording.number(limit) if ratio else write_value(metric, limit)}"
            for word, limit in (("at least", one.at_least), ("at most", one.at_most))
            if limit is not None
        ]
        reach = " at every N"
        if one.to_clients is not None:
            reach = f" for N = {one.from_clients} to {one.to_clients}"
        elif one.from_clients > 1:
            reach = f" from N = {one.from_clients}"
        name = metric.replace("_bytes_per_second", "").replace("_seconds", "").replace("_", " ")
        if self.compares:
            name += ", ratio" if ratio else ", difference"
        if one.against:
            name += f" to {one.against!r}"
        return f"{architecture} {name} {' and '.join(limits)}{reach}"


def split(threshold: Threshold) -> tuple[str, str]:
    """Give the architecture that a threshold is about, and the metric."""
    architecture, _, metric = threshold.metric.partition("_")
    return architecture, metric


def unknown_metrics(thresholds: Sequence[Threshold]) -> list[str]:
    """Name the thresholds that nothing can be held against, for a check before a run starts."""
    return [one.metric for one in thresholds if split(one)[1] not in METRICS]


def judge(threshold: Threshold, points: Sequence[Point]) -> ThresholdResult:
    """Hold a threshold against the points it speaks of.

    Args:
      threshold: The condition.
      points: Of the whole run; those of the other architecture are passed over.
    """
    architecture, metric = split(threshold)
    if metric not in METRICS:
        return ThresholdResult(threshold, False, f"summary.json has no number {metric!r}")
    last = threshold.to_clients
    seen = [
        (threshold.margin(value), value, point.clients)
        for point in points
        if point.architecture == architecture
        and point.clients >= threshold.from_clients
        and (last is None or point.clients <= last)
        for value in [METRICS[metric](point)]
        if value is not None
    ]
    if not seen:
        return ThresholdResult(threshold, None, "not measured in this run")
    _, value, clients = min(seen)
    missed = sum(one < 0 for one, _, _ in seen)
    detail = f"{write_value(metric, value)} at N = {clients}"
    if missed:
        return ThresholdResult(
            threshold, False, f"{detail}; missed at {missed} of {len(seen)} tested N"
        )
    return ThresholdResult(threshold, True, f"closest: {detail}")


def write_value(metric: str, value: float) -> str:
    """Write a figure with the unit that its name says."""
    if "bytes_per_second" in metric:
        return wording.rate(value)
    if "_seconds" in metric and "gigabyte" not in metric:
        return wording.seconds(value)
    return wording.number(value)
