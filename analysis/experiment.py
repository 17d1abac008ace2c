"""An experiment judged: the variants' points side by side, and what their ratios must be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis.points import Point
from analysis.summary import EXIT_DONE, EXIT_MISSED, EXIT_UNTRUSTED, Summary
from analysis.summary_files import as_dict
from analysis.thresholds import METRICS, ThresholdResult, split, write_value
from analysis.wording import number
from testbed.experiments import Experiment
from testbed.thresholds import Threshold


@dataclass(frozen=True, slots=True)
class JudgedVariant:
    """One variant: its run judged, and its ratios to the first variant."""

    name: str
    summary: Summary
    against_first: tuple[ThresholdResult, ...]
    """Or against another one that came before it, where a condition names it."""

    @property
    def points(self) -> tuple[Point, ...]:
        """Those of the main placement."""
        return self.summary.main_points

    def point(self, architecture: str, clients: int) -> Point | None:
        """One architecture at one N."""
        for one in self.points:
            if (one.architecture, one.clients) == (architecture, clients):
                return one
        return None


@dataclass(frozen=True, slots=True)
class JudgedExperiment:
    """Everything that a report on an experiment says."""

    experiment: Experiment
    variants: tuple[JudgedVariant, ...]

    @property
    def first(self) -> JudgedVariant:
        """What the others are held against."""
        return self.variants[0]

    @property
    def architectures(self) -> tuple[str, ...]:
        """Those that were measured."""
        seen = {one.architecture for variant in self.variants for one in variant.points}
        return tuple(one for one in ("server", "swarm") if one in seen)

    @property
    def clients(self) -> tuple[int, ...]:
        """Every N that was measured."""
        return tuple(sorted({one.clients for variant in self.variants for one in variant.points}))

    @property
    def report_path(self) -> Path:
        """The page to open."""
        return self.experiment.folder / "report" / "report.html"

    @property
    def reasons(self) -> tuple[str, ...]:
        """What stands in the way of believing it: a line for each variant that is not complete."""
        return tuple(
            f"{one.name}: {one.summary.status}: {reason}"
            for one in self.variants
            if one.summary.status != "complete"
            for reason in (one.summary.reasons or ("see its report",))
        )

    @property
    def exit_code(self) -> int:
        """The worst of its runs' and its ratios': 3 before 1 before 0."""
        codes = [one.summary.exit_code for one in self.variants]
        if any(ratio.met is False for one in self.variants for ratio in one.against_first):
            codes.append(EXIT_MISSED)
        for code in (EXIT_UNTRUSTED, EXIT_MISSED):
            if code in codes:
                return code
        return EXIT_DONE

    def ratio(self, variant: JudgedVariant, architecture: str, clients: int) -> float | None:
        """Give the makespan of a variant as a multiple of the first variant's."""
        return ratio_to(self.first, variant, architecture, clients, "makespan_seconds")

    def as_dict(self) -> dict[str, Any]:
        """Give summary.json's content."""
        return {
            "scenario": self.experiment.scenario,
            "question": self.experiment.question,
            "status": self.experiment.status,
            "variants": [
                {
                    "name": one.name,
                    "status": one.summary.status,
                    "run": str(one.summary.run_path.relative_to(self.experiment.folder)),
                    "against_first": [
                        {"condition": ratio.text, "met": ratio.met, "detail": ratio.detail}
                        for ratio in one.against_first
                    ],
                }
                | as_dict(one.summary)
                for one in self.variants
            ],
        }

    def as_json(self) -> str:
        """Write summary.json."""
        return json.dumps(self.as_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def judge_experiment(experiment: Experiment, summaries: Mapping[str, Summary]) -> JudgedExperiment:
    """Set the runs of an experiment side by side.

    Args:
      experiment: Which variants there are.
      summaries: Their runs judged, by the variants' names.
    """
    judged: dict[str, JudgedVariant] = {}
    for one in experiment.variants:
        variant = judged[one.name] = JudgedVariant(one.name, summaries[one.name], ())
        first = next(iter(judged.values()))
        results = tuple(
            judge_against(threshold, judged.get(threshold.against, first), variant)
            for threshold in one.against_first
        )
        judged[one.name] = replace(variant, against_first=results)
    return JudgedExperiment(experiment, tuple(judged.values()))


def ratio_to(
    first: JudgedVariant, variant: JudgedVariant, architecture: str, clients: int, metric: str
) -> float | None:
    """Divide a variant's figure by the first variant's at the same N; None where one is missing."""
    ours, theirs = variant.point(architecture, clients), first.point(architecture, clients)
    if ours is None or theirs is None:
        return None
    above, below = METRICS[metric](ours), METRICS[metric](theirs)
    return above / below if above is not None and below else None


def difference_to(
    other: JudgedVariant, variant: JudgedVariant, architecture: str, clients: int, metric: str
) -> float | None:
    """Say by how much a variant's figure is larger than another's; None where one is missing."""
    ours, theirs = variant.point(architecture, clients), other.point(architecture, clients)
    if ours is None or theirs is None:
        return None
    above, below = METRICS[metric](ours), METRICS[metric](theirs)
    # No clock has more digits than that, and floats that are as good as equal differ in their last.
    return None if above is None or below is None else round(above - below, 9)


def judge_against(
    threshold: Threshold, first: JudgedVariant, variant: JudgedVariant
) -> ThresholdResult:
    """Hold a figure, as a ratio to another variant's or as the difference, against a condition."""
    architecture, metric = split(threshold)
    if metric not in METRICS:
        return ThresholdResult(threshold, False, f"summary.json has no number {metric!r}")
    last = threshold.to_clients
    seen = []
    for point in variant.points:
        clients = point.clients
        if point.architecture != architecture or clients < threshold.from_clients:
            continue
        if last is not None and clients > last:
            continue
        compared = (difference_to if threshold.difference else ratio_to)(
            first, variant, architecture, clients, metric
        )
        if compared is not None:
            seen.append((threshold.margin(compared), compared, clients))
    if not seen:
        return ThresholdResult(threshold, None, "not measured in both variants", compares=True)
    margin, closest, clients = min(seen)
    written = write_value(metric, closest) if threshold.difference else number(closest)
    return ThresholdResult(
        threshold, margin >= 0, f"closest: {written} at N = {clients}", compares=True
    )
