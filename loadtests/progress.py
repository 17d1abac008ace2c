"""What a person or a script sees while a run is under way. Results go to standard output, later;
progress goes to standard error, so that the one can be kept without the other.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from loadtests.estimate import run_seconds, trial_seconds
from loadtests.order import Slot
from loadtests.watching import TrialProgress
from testbed.record import TrialRecord
from testbed.scenario import Scenario
from testbed.units import format_bytes, format_rate, format_seconds

#: The rate shown is over so many of the last reports, four a second.
RATE_REPORTS = 8

BAR_CELLS = 12


class Display(Protocol):
    """Where progress is shown."""

    def begin_trial(self, slot: Slot) -> None:
        """A trial starts."""

    def update(self, progress: TrialProgress) -> None:
        """The trial that is under way has come so far."""

    def end_trial(self, slot: Slot, record: TrialRecord) -> None:
        """A trial has ended."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Pace:
    """How far the run is: from estimates, corrected by how long trials really took."""

    def __init__(
        self, slots: Sequence[Slot], scenario: Scenario, file_bytes: int, world: str = "live"
    ) -> None:
        self.scenario = scenario
        self.world = world
        self.file_bytes = file_bytes
        self.total = len(slots)
        self.ended = 0
        self._left = list(slots)
        self._took_seconds = 0.0
        self._estimated_seconds = 0.0
        self._trial_began = time.monotonic()

    @property
    def estimated_seconds(self) -> float:
        """What all trials that are left take by estimate alone."""
        return run_seconds(self._left, self.scenario, self.file_bytes, self.world)

    def begin(self) -> None:
        """A trial starts."""
        self._trial_began = time.monotonic()

    def end(self, slot: Slot) -> None:
        """A trial has ended."""
        self.ended += 1
        self._left.remove(slot)
        now = time.monotonic()
        self._took_seconds += now - self._trial_began
        self._trial_began = now
        self._estimated_seconds += trial_seconds(slot, self.scenario, self.file_bytes, self.world)

    @property
    def left_seconds(self) -> float:
        """How long the rest of the run will take."""
        slower = self._took_seconds / self._estimated_seconds if self._estimated_seconds else 1.0
        spent = time.monotonic() - self._trial_began
        return max(0.0, self.estimated_seconds * slower - spent)


class QuietDisplay:
    """Shows nothing."""

    def begin_trial(self, slot: Slot) -> None:
        """Show nothing."""

    def update(self, progress: TrialProgress) -> None:
        """Show nothing."""

    def end_trial(self, slot: Slot, record: TrialRecord) -> None:
        """Show nothing."""

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class JsonDisplay(QuietDisplay):
    """One JSON line on standard output for each trial that ends."""

    def end_trial(self, slot: Slot, record: TrialRecord) -> None:
        """Write the line."""
        trial = record.trial
        line = {
            "event": "trial",
            "architecture": slot.architecture,
            "clients": slot.clients,
            "repeat": slot.repeat,
            "order": slot.order,
            "status": trial.status,
            "reason": trial.reason,
            "makespan_seconds": makespan_seconds(record),
        }
        print(json.dumps(line), flush=True)


class LinesDisplay(QuietDisplay):
    """One plain line on standard error for each trial that ends: for logs."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    def begin_trial(self, slot: Slot) -> None:
        """Count the time."""
        self._pace.begin()

    def end_trial(self, slot: Slot, record: TrialRecord) -> None:
        """Write the line."""
        self._pace.end(slot)
        print(self.line(slot, record), file=sys.stderr, flush=True)

    def line(self, slot: Slot, record: TrialRecord) -> str:
        """Say how a trial ended."""
        pace = self._pace
        took = makespan_seconds(record)
        end = f"failed: {record.trial.reason}"
        if record.trial.status == "complete":
            end = f"makespan {took:.3f} s" if took is not None else "done"
        left = f", {format_seconds(pace.left_seconds)} left" if pace.ended < pace.total else ""
        return f"{_head(slot, pace.scenario)}  {end}  ({pace.ended} of {pace.total}{left})"


class TerminalDisplay(LinesDisplay):
    """One line that changes while a trial is under way; those that ended stay above it."""

    def __init__(self, pace: Pace, console: Console) -> None:
        super().__init__(pace)
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=True)
        self._slot: Slot | None = None
        self._rates: deque[tuple[float, int]] = deque(maxlen=RATE_REPORTS)

    def begin_trial(self, slot: Slot) -> None:
        """Show the trial's line."""
        super().begin_trial(slot)
        self._slot = slot
        self._rates.clear()

    def update(self, progress: TrialProgress) -> None:
        """Let the line say where the trial is."""
        if self._slot is not None:
            self._rates.append((time.monotonic(), progress.downloaded_payload_bytes))
            self._live.update(self.running_line(self._slot, progress))

    def end_trial(self, slot: Slot, record: TrialRecord) -> None:
        """Leave a line that stays."""
        self._pace.end(slot)
        failed = record.trial.status != "complete"
        self._console.print(Text(self.line(slot, record), style="red" if failed else ""))

    def running_line(self, slot: Slot, progress: TrialProgress) -> Text:
        """Say where a trial is: arm, N, repeat, percent, rate, done of N, time left."""
        pace = self._pace
        whole = pace.file_bytes * slot.clients
        share = min(1.0, progress.downloaded_payload_bytes / whole)
        full = round(share * BAR_CELLS)
        doing = f"{progress.done}/{slot.clients} done"
        if progress.phase != "running":
            doing = progress.phase
        return Text.assemble(
            _head(slot, pace.scenario) + "  ",
            ("━" * full, "blue" if slot.architecture == "swarm" else "dark_orange3"),
            ("━" * (BAR_CELLS - full), "dim"),
            f" {share:4.0%}  {format_rate(self._rate()):>10}  {doing:<12}"
            f"  trial {pace.ended + 1} of {pace.total}, {format_seconds(pace.left_seconds)} left",
        )

    def _rate(self) -> float:
        if len(self._rates) < 2:
            return 0.0
        (start, before), (end, after) = self._rates[0], self._rates[-1]
        return max(0.0, (after - before) / (end - start)) if end > start else 0.0

    def __enter__(self) -> Display:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()


def make_display(pace: Pace, *, quiet: bool, as_json: bool) -> Display:
    """Choose a display: nothing, JSON lines, a live line on a terminal, or plain lines."""
    if as_json:
        return JsonDisplay()
    if quiet:
        return QuietDisplay()
    console = Console(stderr=True, highlight=False)
    return TerminalDisplay(pace, console) if console.is_terminal else LinesDisplay(pace)


def makespan_seconds(record: TrialRecord) -> float | None:
    """First join to last completion; None when a client did not finish."""
    clients = [node for node in record.nodes if node.role == "client"]
    joined = [node.joined_seconds for node in clients if node.joined_seconds is not None]
    finished = [node.finished_seconds for node in clients if node.finished_seconds is not None]
    if not clients or len(finished) < len(clients):
        return None
    return max(finished) - min(joined)


def describe_run(
    slots: Sequence[Slot], scenario: Scenario, file_bytes: int, world: str = "live"
) -> str:
    """Say before the first trial what is ahead."""
    sweep = ", ".join(str(count) for count in scenario.clients)
    estimate = run_seconds(slots, scenario, file_bytes, world)
    repeats = "once" if scenario.repeats == 1 else f"{scenario.repeats} times"
    trials = "1 trial" if len(slots) == 1 else f"{len(slots)} trials"
    arms = " and ".join(scenario.architectures)
    return (
        f"{scenario.name}: {format_bytes(file_bytes)} to N = {sweep} clients, {arms}, "
        f"{repeats}: {trials}, about {format_seconds(estimate)}"
    )


def _head(slot: Slot, scenario: Scenario) -> str:
    repeat = f"repeat {slot.repeat + 1}/{scenario.repeats}"
    return f"{slot.architecture:<6}  N={slot.clients:<4}  {repeat}"
