"""A run: all its trials one after the other, each kept as soon as it has ended, then the report.

A run ends early when a trial fails or when it is interrupted. What was measured is kept and reported
either way, and `--resume` makes the trials that are missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.folders import temporary_folder
from loadtests.order import Slot
from loadtests.plan import ContentPlan, TrialPlan, plan_content
from loadtests.preflight import make_content
from loadtests.processes import uninterrupted
from loadtests.progress import Display
from loadtests.trust import doubts
from loadtests.worlds import TrialRunner
from testbed import environment, store
from testbed.content import Content
from testbed.record import TrialRecord
from testbed.scenario import Scenario
from testbed.store import Resumable

LOGS = "logs"
"""Where a run's folder keeps the logs of trials that failed, and traces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """What a run is to do."""

    scenario: Scenario
    world: str
    slots: Sequence[Slot]
    """The trials to make now."""
    output: Path
    """The folder of all results."""
    command: str
    trace: bool = False
    watch: bool = False
    """Let the trials tell each node's counters on the way."""
    earlier: Resumable | None = None
    """An earlier run whose trials count as made."""


@dataclass(slots=True)
class RunOutcome:
    """How a run ended."""

    folder: Path | None = None
    """None: nothing was measured and nothing is left."""
    status: str = "complete"
    reasons: list[str] = field(default_factory=list)


def carry_out(
    order: RunOrder,
    run_trial: TrialRunner,
    display: Display,
    announce: Callable[[], None] = lambda: None,
) -> RunOutcome:
    """Make a run and put it on disk.

    Args:
      order: What to do.
      run_trial: Runs a trial in the order's world.
      display: Shows how far it is.
      announce: Called when nothing stands in the way of the first trial any more.

    Raises:
      ScenarioError: output or content cannot be had, and nothing is left behind; or the disk is
        full, and what was measured stays in a `.partial` folder, for `--resume`.
    """
    with temporary_folder() as folder:
        writer = store.RunWriter(order.output, order.scenario.to_dict(), order.world, order.command)
        try:
            content = make_content(order.scenario, folder, order.world)
            _note(writer, order, content)
            if order.earlier is not None:
                writer.adopt(order.earlier)
            announce()
            return _run_all(order, run_trial, display, writer, folder, plan_content(content))
        except BaseException:
            if not any(writer.trials.glob("*.msgpack")):
                writer.discard()
            raise


def _note(writer: store.RunWriter, order: RunOrder, content: Content) -> None:
    writer.note("environment", environment.capture())
    writer.note("content_sha256", content.sha256)
    writer.note("content_bytes", content.size_bytes)


def _run_all(
    order: RunOrder,
    run_trial: TrialRunner,
    display: Display,
    writer: store.RunWriter,
    folder: Path,
    content: ContentPlan,
) -> RunOutcome:
    outcome = RunOutcome()
    records = list(order.earlier.records) if order.earlier is not None else []
    total = len(order.slots) + len(records)
    try:
        with display:
            for slot in order.slots:
                record = _make_trial(slot, order, run_trial, display, writer, folder, content)
                records.append(record)
                if record.trial.status != "complete":
                    outcome.status = "failed"
                    outcome.reasons.append(
                        f"{slot.architecture} at N = {slot.clients}, repeat {slot.repeat}: "
                        f"{record.trial.reason}"
                    )
                    break
    except KeyboardInterrupt:
        outcome.status = "partial"
        outcome.reasons.append(f"interrupted after {len(records)} of {total} trials")
    if not records:
        writer.discard()
        return outcome
    if outcome.status == "complete" and (reasons := doubts(writer.folder, writer.manifest, records)):
        outcome.status = "invalid"
        outcome.reasons += reasons
    with uninterrupted():
        outcome.folder = writer.finish(outcome.status, outcome.reasons)
    return outcome


def _make_trial(
    slot: Slot,
    order: RunOrder,
    run_trial: TrialRunner,
    display: Display,
    writer: store.RunWriter,
    folder: Path,
    content: ContentPlan,
) -> TrialRecord:
    name = f"{slot.architecture}-{slot.clients}-{slot.repeat}"
    trial_folder = folder / name
    trial_folder.mkdir()
    plan = TrialPlan(
        architecture=slot.architecture,
        clients=slot.clients,
        repeat=slot.repeat,
        order=slot.order,
        scenario=order.scenario.to_dict(),
        content=content,
        folder=str(trial_folder),
        trace=order.trace,
        watch=order.watch,
    )
    display.begin_trial(slot)
    try:
        record = run_trial(plan, display.update)
        writer.keep(record)
        kept = ("*.log", "*.jsonl") if record.trial.status != "complete" else ("*.jsonl",)
        _keep(trial_folder, kept, writer.folder / LOGS / name)
    finally:
        shutil.rmtree(trial_folder, ignore_errors=True)
    display.end_trial(slot, record)
    return record


def _keep(folder: Path, patterns: Iterable[str], place: Path) -> None:
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place / path.name)
