"""Two runs side by side: whether they may be compared, what differs in their set-up, and each point.

The time compared is the makespan of trials that are complete and believed. What else a run measured is
laid beside it without a test: it helps to see where a change comes from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.changes import Change, Sample, Verdict, find_changes
from analysis.load import RunData, load
from analysis.points import POINT_KEYS, Point, PointKey, point_key
from analysis.summary import Summary, summarise
from analysis.wording import UNKNOWN, clients
from testbed.errors import SchemaError

DRIFT = (
    "Drift between runs not excluded: the runs were made one after the other, not trial by trial in "
    "turn, so the machine may have changed between them."
)

#: Of a scenario: what chance and presentation decide, and what the points say by themselves.
_NO_DIFFERENCE = frozenset({"seed", "clients", "repeats", "question", "thresholds", "source"})


@dataclass(frozen=True, slots=True)
class PointPair:
    """One point that both runs have."""

    base: Point
    new: Point
    change: Change

    @property
    def name(self) -> str:
        """For a sentence: `swarm at 32 clients`."""
        return f"{self.base.architecture} at {clients(self.base.clients)}"


@dataclass(frozen=True, slots=True)
class RunPair:
    """Two runs compared."""

    base: Summary
    new: Summary
    pairs: tuple[PointPair, ...]
    """By placement, architecture and N."""
    differences: tuple[tuple[str, str, str], ...]
    """What differs in the set-up: name, in BASE, in NEW."""
    left_out: tuple[str, ...]
    """Points that cannot be compared, and why."""
    warnings: tuple[str, ...]
    """What a reader must know before believing any of it."""

    @property
    def alarms(self) -> tuple[PointPair, ...]:
        """The points with a change, the largest first."""
        changed = [one for one in self.pairs if one.change.verdict is not Verdict.NO_CHANGE]
        return tuple(sorted(changed, key=lambda one: -abs(math.log(one.change.ratio))))

    @property
    def untrusted(self) -> bool:
        """Whether one of the runs is invalid as a whole."""
        return "invalid" in {self.base.status, self.new.status}

    def slower_by(self, share: float) -> tuple[PointPair, ...]:
        """Give the points that are shown to be slower, by more than a share."""
        return tuple(
            one
            for one in self.alarms
            if one.change.verdict is Verdict.SLOWER and one.change.ratio > 1 + share
        )


def compare_runs(base: Path, new: Path) -> RunPair:
    """Compare two runs point by point.

    Raises:
      SchemaError: a folder is no run; the runs were measured by different methods; or they have no
        point in common.
    """
    return pair_up(load(base), load(new))


def pair_up(base: RunData, new: RunData) -> RunPair:
    """Compare two runs that have been read; raises as `compare_runs`."""
    methods = [run.manifest["method_version"] for run in (base, new)]
    if methods[0] != methods[1]:
        raise SchemaError(
            f"{new.path}: method_version: expected {methods[0]}, as {base.path} has, not {methods[1]}: "
            "the same scenario gives other numbers, and they must not be compared"
        )
    (base_summary, base_times), (new_summary, new_times) = _judged(base), _judged(new)
    points = [{one.key: one for one in summary.points} for summary in (base_summary, new_summary)]
    common = [key for key in base_times if key in new_times]
    if not common:
        raise SchemaError(
            f"{new.path}: expected a point that {base.path} has too, measured and valid in both; "
            "there is none"
        )
    samples = [Sample(points[0][key].architecture, base_times[key], new_times[key]) for key in common]
    return RunPair(
        base_summary,
        new_summary,
        tuple(
            PointPair(points[0][key], points[1][key], change)
            for key, change in zip(common, find_changes(samples), strict=True)
        ),
        tuple(_differences(base, new)),
        tuple(_left_out(points, (base_times, new_times))),
        tuple(_warnings((base, new), (base_summary, new_summary), samples)),
    )


def _judged(run: RunData) -> tuple[Summary, dict[PointKey, NDArray[np.float64]]]:
    """Judge a run, and give the makespans of its valid points."""
    summary, measures = summarise(run)
    valid = {one.key for one in summary.points if one.valid}
    times = {}
    for keys, rows in measures.trials.groupby(list(POINT_KEYS), sort=True)["makespan_seconds"]:
        kept = rows.dropna().to_numpy(dtype=np.float64)
        if point_key(keys) in valid and len(kept):
            times[point_key(keys)] = kept
    return summary, times


def _differences(base: RunData, new: RunData) -> Iterator[tuple[str, str, str]]:
    """Yield what differs in world, scenario and environment."""
    if base.world != new.world:
        yield "world", base.world, new.world
    scenarios = [_flat(run.manifest["scenario"], _NO_DIFFERENCE) for run in (base, new)]
    yield from _unequal(*scenarios)
    environments = [_flat(run.manifest.get("environment", {}), frozenset()) for run in (base, new)]
    yield from _unequal(*environments)


def _unequal(base: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name in dict.fromkeys([*base, *new]):
        before, after = base.get(name, UNKNOWN), new.get(name, UNKNOWN)
        if before != after:
            yield name, before, after


def _flat(table: Mapping[str, Any], without: frozenset[str], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in table.items():
        if name in without:
            continue
        if isinstance(value, Mapping):
            flat |= _flat(value, frozenset(), f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = str(value)
    return flat


def _left_out(
    points: Sequence[Mapping[PointKey, Point]], times: Sequence[Mapping[PointKey, Any]]
) -> Iterator[str]:
    for key in sorted(set(points[0]) | set(points[1])):
        reasons = []
        for name, known, measured in zip(("BASE", "NEW"), points, times, strict=True):
            if key not in known:
                reasons.append(f"not measured in {name}")
            elif not known[key].valid:
                reasons.append(f"not valid in {name}")
            elif key not in measured:
                reasons.append(f"not completed in {name}")
        if reasons:
            one = points[0].get(key) or points[1][key]
            yield f"{one.architecture} at {clients(one.clients)}: {', '.join(reasons)}"


def _warnings(
    runs: tuple[RunData, RunData], summaries: tuple[Summary, Summary], samples: Sequence[Sample]
) -> Iterator[str]:
    base, new = runs
    for name, summary in zip(("BASE", "NEW"), summaries, strict=True):
        if summary.status != "complete":
            why = summary.reasons[0] if summary.reasons else "see its report"
            yield f"{name} is {summary.status}: {why}"
    if base.world != new.world:
        yield (
            f"The runs come from different worlds, {base.world} and {new.world}: a ratio compares the "
            "worlds as well."
        )
    scenarios = [_flat(run.manifest["scenario"], _NO_DIFFERENCE) for run in runs]
    changed = [name for name, _, _ in _unequal(*scenarios)]
    if changed:
        yield (
            f"The runs are of different scenarios ({', '.join(changed)}): a ratio shows what that does "
            "as well as what else changed."
        )
    if any(max(len(one[side]) for one in _sides(samples)) < 2 for side in (0, 1)):
        yield (
            "Too few repeats: without two of some point in each run nothing is known of the scatter, "
            "and no change can be detected."
        )
    if base.path == new.path:
        yield "BASE and NEW are the same run: this shows no more than that the comparison works."
    elif "live" in (base.world, new.world) and not interleaved(base, new):
        yield DRIFT


def interleaved(base: RunData, new: RunData) -> bool:
    """Say whether two runs were made in turn: each repeat of both before the next of either."""
    spans = []
    for repeat in sorted(set(base.trials["repeat"]) | set(new.trials["repeat"])):
        starts = [
            run.trials.loc[run.trials["repeat"] == repeat, "started_utc"].astype(str)
            for run in (base, new)
        ]
        if any(one.empty for one in starts):
            return False
        spans.append((min(one.min() for one in starts), max(one.max() for one in starts)))
    in_turn = all(before[1] <= after[0] for before, after in pairwise(spans))
    return len(spans) > 1 and in_turn


def _sides(samples: Sequence[Sample]) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    return [(one.base, one.new) for one in samples]
