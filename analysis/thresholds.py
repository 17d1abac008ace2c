"""The scenario's thresholds: simple conditions that pass or fail, for people and for scripts.

A threshold is named `<architecture>_<metric>`, for instance `swarm_efficiency`, and holds at every
tested N from `from_clients` on.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.points import Point

#: What a threshold may be about: how to read it from a point, and how to write it.
METRICS: Mapping[str, tuple[Callable[[Point], float | None], str]] = {
    "efficiency": (operator.attrgetter("efficiency"), "{:.3f}"),
    "tightness": (operator.attrgetter("tightness"), "{:.3f}"),
    "makespan_seconds": (
        lambda point: point.makespan.median if point.makespan else None,
        "{:.3g} s",
    ),
    "goodput_bytes_per_second": (operator.attrgetter("goodput_bytes_per_second"), "{:.4g} B/s"),
    "offload": (operator.attrgetter("offload"), "{:.3f}"),
    "origin_copies": (operator.attrgetter("origin_copies"), "{:.3g}"),
    "gini": (operator.attrgetter("everyone.gini"), "{:.3f}"),
    "jain": (operator.attrgetter("everyone.jain"), "{:.3f}"),
    "wasted_fraction": (operator.attrgetter("wasted_fraction"), "{:.4f}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One condition of the scenario."""

    architecture: str
    metric: str
    """One of `METRICS`."""
    at_least: float | None = None
    at_most: float | None = None
    from_clients: int = 1

    @property
    def text(self) -> str:
        """The condition as a reader sees it."""
        form = METRICS[self.metric][1]
        limits = []
        if self.at_least is not None:
            limits.append("at least " + form.format(self.at_least))
        if self.at_most is not None:
            limits.append("at most " + form.format(self.at_most))
        start = f" from N = {self.from_clients}" if self.from_clients > 1 else " at every N"
        name = self.metric.removesuffix("_bytes_per_second").removesuffix("_seconds")
        return f"{self.architecture} {name.replace('_', ' ')} {' and '.join(limits)}{start}"


@dataclass(frozen=True, slots=True)
class ThresholdResult:
    """Whether a threshold was met, and where it came closest to failing, or failed worst."""

    threshold: Threshold
    met: bool | None
    """None: nothing was measured that it speaks of."""
    detail: str

    @property
    def mark(self) -> str:
        """A tick, a cross, or a dash for what was not measured."""
        return "—" if self.met is None else "✓" if self.met else "✗"


def judge(threshold: Threshold, points: Sequence[Point]) -> ThresholdResult:
    """Hold a threshold against the points it speaks of.

    Args:
      threshold: The condition.
      points: Of the whole run; those of the other architecture are passed over.
    """
    read, form = METRICS[threshold.metric]
    seen = [
        (_margin(threshold, value), value, point.clients)
        for point in points
        if point.architecture == threshold.architecture and point.clients >= threshold.from_clients
        for value in [read(point)]
        if value is not None
    ]
    if not seen:
        return ThresholdResult(threshold, None, "not measured in this run")
    _, value, clients = min(seen)
    missed = sum(one < 0 for one, _, _ in seen)
    detail = f"{form.format(value)} at N = {clients}"
    if missed:
        return ThresholdResult(
            threshold, False, f"{detail}; missed at {missed} of {len(seen)} tested N"
        )
    return ThresholdResult(threshold, True, f"lowest margin: {detail}")


def _margin(threshold: Threshold, value: float) -> float:
    margins = []
    if threshold.at_least is not None:
        margins.append(value - threshold.at_least)
    if threshold.at_most is not None:
        margins.append(threshold.at_most - value)
    return min(margins)
