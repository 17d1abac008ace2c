"""A run judged: points, comparison, thresholds, checks, status, and the verdict they lead to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis import closed_load, open_load
from analysis.checks import (
    above_bound,
    all_verified,
    bytes_conserved,
    link_rates,
    littles_law,
    not_busy,
)
from analysis.findings import Check, State, warnings_by_point
from analysis.limits import origins_of
from analysis.load import RunData
from analysis.points import Measures, Point, gather, measure
from analysis.relayed import say_relayed
from analysis.statistics import Comparison, Crossover, compare, crossover
from analysis.thresholds import ThresholdResult, judge
from analysis.verdict import answer, answer_for_one_arm, overhead_note, servers_note
from testbed.scenario import Scenario

LOAD_NOTE = (
    "The formula is the mean of runs without end. A run as long as this scatters around it, which the "
    "comparison with its own arrivals does not."
)

EXIT_DONE, EXIT_MISSED, EXIT_UNTRUSTED = 0, 1, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Everything a report says, before it is drawn or written."""

    run_path: Path
    scenario: Scenario
    world: str
    file_bytes: int
    piece_bytes: int | None
    placements: tuple[str, ...]
    status: str
    """`complete`, `partial`, `failed` or `invalid`."""
    reasons: tuple[str, ...]
    verdict: str
    note: str
    """Which part of the curves is about overhead."""
    points: tuple[Point, ...]
    comparisons: tuple[Comparison, ...]
    crossover: Crossover | None
    thresholds: tuple[ThresholdResult, ...]
    checks: tuple[Check, ...]
    trial_count: int
    has_relay: bool = False
    """Whether the server's clients got the file through a host that had it from one of them."""

    @property
    def report_path(self) -> Path:
        """The page to open."""
        return self.run_path / "report" / "report.html"

    @property
    def is_about_load(self) -> bool:
        """Whether a server under load is all there is: the time until everybody has the file, and what
        follows from it, then says when the last came or was told to stop."""
        points = self.points
        return self.scenario.repetition.is_closed or (
            bool(points) and all(one.open_load is not None for one in points)
        )

    @property
    def exit_code(self) -> int:
        """3: not to be trusted; 1: failed, or a threshold missed; 0: neither."""
        if self.status == "invalid":
            return EXIT_UNTRUSTED
        missed = any(one.met is False for one in self.thresholds)
        return EXIT_MISSED if missed or self.status == "failed" else EXIT_DONE

    @property
    def main_points(self) -> tuple[Point, ...]:
        """The points of the main placement: those the verdict and the figures are about."""
        return tuple(one for one in self.points if one.placement == self.placements[0])


def summarise(run: RunData) -> tuple[Summary, Measures]:
    """Compute, check and judge a run.

    Args:
      run: Its raw rows.

    Returns:
      The summary, and the measures that figures and tables are made from.
    """
    measures = measure(run)
    checks = make_checks(run, measures)
    points = gather(run, measures, warnings_by_point(checks))
    main = run.placements[0]
    comparisons = compare_all(measures.trials, [one for one in points if one.placement == main])
    thresholds = tuple(
        judge(threshold, [one for one in points if one.placement == main])
        for threshold in run.scenario.thresholds
    )
    status, reasons = judge_status(run, checks)
    has_relay = bool((run.nodes["role"] == "relay").any())
    relayed = say_relayed(points) if has_relay and status == "complete" else ""
    return (
        Summary(
            run_path=run.path,
            scenario=run.scenario,
            world=run.world,
            file_bytes=run.file_bytes,
            piece_bytes=run.piece_bytes,
            placements=run.placements,
            status=status,
            reasons=reasons,
            verdict=f"{relayed} {word_verdict(status, reasons, comparisons, points)}".lstrip(),
            note=load_note(run.scenario, points)
            or word_note(run.scenario, [one.clients for one in points]),
            points=points,
            comparisons=comparisons,
            crossover=crossover(comparisons),
            thresholds=thresholds,
            checks=checks,
            trial_count=len(run.trials),
            has_relay=has_relay,
        ),
        measures,
    )


def make_checks(run: RunData, measures: Measures) -> tuple[Check, ...]:
    """Make every check of THEORY.md; a trial that failed openly is no result and not checked."""
    done = run.trials[run.trials["status"] == "complete"]
    trials = measures.trials[measures.trials["complete"]]
    return (
        bytes_conserved(done),
        all_verified(done),
        above_bound(trials),
        littles_law(measures.completions, measures.populations, trials, run.world),
        not_busy("Load generator", "the load generator", trials["generator_cpu_fraction"]),
        not_busy("Node host", "the busiest node host", trials["node_host_cpu_fraction"]),
        link_rates(done),
    )


def compare_all(trials: pd.DataFrame, points: Sequence[Point]) -> tuple[Comparison, ...]:
    """Compare both architectures at every N at which both are valid."""
    valid = {(one.architecture, one.clients) for one in points if one.valid}
    found = []
    for clients in sorted({one.clients for one in points}):
        if not {("server", clients), ("swarm", clients)} <= valid:
            continue
        placement = points[0].placement
        both = [
            _by_repeat(trials, placement, architecture, clients) for architecture in ("server", "swarm")
        ]
        comparison = compare(clients, *both)
        if comparison is not None:
            found.append(comparison)
    return tuple(found)


def judge_status(run: RunData, checks: Sequence[Check]) -> tuple[str, tuple[str, ...]]:
    """Say what a run is worth, and why it is not worth more."""
    broken = [f"{one.name}: {one.detail}" for one in checks if one.state is State.FAILED]
    said = [str(one) for one in run.manifest.get("reasons", ())]
    # A run that is judged before it is on the disk has no status yet.
    status = str(run.manifest.get("status", "complete"))
    if broken or status == "invalid":
        return "invalid", tuple(dict.fromkeys((*broken, *said)))  # The sweep has said some of them.
    failed = run.trials[run.trials["status"] != "complete"]
    if status == "failed" or len(failed):
        seen = [
            f"{row.architecture} at N = {row.clients}, repeat {row.repeat}: {row.reason}"
            for row in failed.itertuples()
        ]
        return "failed", (*seen, *said)
    missing = run.expected_trials - len(run.trials)
    if status == "partial" or missing > 0:
        return "partial", (
            f"{len(run.trials)} of {run.expected_trials} trials were measured",
            *said,
        )
    return status, tuple(said)


def parting_clients(scenario: Scenario) -> float | None:
    """Give us/d, the N up to which theory has both architectures equal."""
    links = scenario.links
    origin, client = links.origin_uplink_bytes_per_second, links.client_downlink_bytes_per_second
    if not (math.isfinite(origin) and math.isfinite(client)):
        return None
    return origin / client if origin >= client else None


def word_note(scenario: Scenario, tested: Sequence[int]) -> str:
    """Say where theory has the two curves part, or cross."""
    origins = origins_of(scenario)
    if origins == 1:
        return overhead_note(parting_clients(scenario), tested)
    origin = scenario.links.origin_uplink_bytes_per_second
    client = scenario.links.client_uplink_bytes_per_second
    finite = math.isfinite(origin) and 0 < client < math.inf
    return servers_note(origins, (origins - 1) * origin / client if finite else None)


def word_verdict(
    status: str,
    reasons: Sequence[str],
    comparisons: Sequence[Comparison],
    points: Sequence[Point],
) -> str:
    """Put the answer into words, never without what stands in its way."""
    sentence = ""
    if comparisons:
        sentence = answer(comparisons)
    else:
        usable = [one for one in points if one.valid and one.makespan is not None]
        if usable and len({one.architecture for one in usable}) == 1:
            last = max(usable, key=lambda one: one.clients)
            assert last.makespan is not None
            sentence = answer_under_load(usable, last) or answer_for_one_arm(
                last.architecture, last.clients, last.makespan, last.efficiency
            )
    if status == "invalid":
        why = reasons[0] if reasons else "a check failed"
        first = f"This run must not be trusted ({why})."
        return f"{first} What remains valid of it says: {sentence}" if sentence else first
    if not sentence:
        return "No answer: no number of clients was measured to the end."
    if status == "partial":
        return f"Partial run, {reasons[0]}. So far: {sentence}"
    if status == "failed":
        return f"Not every trial succeeded ({reasons[0] if reasons else 'see below'}). {sentence}"
    return sentence


def answer_under_load(points: Sequence[Point], last: Point) -> str:
    """Say what a server under load shows; nothing where there is none. `last`: of the largest N."""
    closed = {one.clients: one.closed_load for one in points if one.closed_load is not None}
    if closed:
        return closed_load.describe(closed, last.knee)
    return open_load.describe(last.open_load) if last.open_load is not None else ""


def load_note(scenario: Scenario, points: Sequence[Point]) -> str:
    """Say what theory has a server under load do; nothing where there is none."""
    if scenario.repetition.is_closed:
        parting = parting_clients(scenario)
        return "" if parting is None else f"In theory it saturates at us/d = {parting:.3g} clients."
    if points and all(one.open_load is not None for one in points):
        return LOAD_NOTE
    return ""


def _by_repeat(
    trials: pd.DataFrame, placement: str, architecture: str, clients: int
) -> Mapping[int, float]:
    rows = trials["makespan_seconds"].xs((placement, architecture, clients)).dropna()
    return dict(zip(rows.index.astype(int), rows.astype(float), strict=True))
