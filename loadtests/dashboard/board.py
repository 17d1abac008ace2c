"""What the dashboard shows: the run so far, trial by trial. Fed with events, asked for dictionaries.

A *pair* is the same N and repeat on both architectures: the comparison side by side. While the run
goes on it is the pair under way; afterwards any pair can be asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from loadtests.dashboard.events import Began, Concluded, Ended, Moved, Planned, Reporting, ToPage
from loadtests.plan import ARCHITECTURES, Architecture
from loadtests.watching import NodeCounters
from testbed.cast import ORIGIN

#: So many points are kept of one trial: beyond that every other one goes, as often as needed.
SERIES_POINTS = 960

#: A rate is over so many seconds: counters come from several processes, each at its own moments.
RATE_SECONDS = 1.0

WHAT_IS_HELD = {"server": "files", "swarm": "pieces"}


@dataclass(frozen=True, slots=True)
class Point:
    """The sums of one moment of a trial."""

    at_seconds: float
    downloaded_payload_bytes: int
    done: int
    pieces_held: int


@dataclass(slots=True)
class Trial:
    """One trial, under way or ended."""

    order: int
    architecture: Architecture
    clients: int
    repeat: int
    file_bytes: int
    status: str = "running"
    phase: str = "starting"
    reason: str = ""
    done: int = 0
    elapsed_seconds: float = 0.0
    makespan_seconds: float | None = None
    nodes: Sequence[NodeCounters] = ()
    series: list[Point] = field(default_factory=list)

    @property
    def origin(self) -> NodeCounters | None:
        """The origin's counters, once heard."""
        return next((node for node in self.nodes if node.node_id == ORIGIN), None)

    @property
    def receivers(self) -> list[NodeCounters]:
        """The clients' counters."""
        return [node for node in self.nodes if not self.is_origin(node)]

    def is_origin(self, node: NodeCounters) -> bool:
        """Whether it had the file at the start: further origins are numbered after the clients."""
        return node.node_id == ORIGIN or node.node_id > self.clients

    @property
    def origin_uploaded_payload_bytes(self) -> int:
        """What the origin has sent, or all of them together."""
        return sum(node.uploaded_payload_bytes for node in self.nodes if self.is_origin(node))

    @property
    def clients_uploaded_payload_bytes(self) -> int:
        """What all clients together have sent."""
        return sum(node.uploaded_payload_bytes for node in self.receivers)

    @property
    def downloaded_payload_bytes(self) -> int:
        """What all clients together have received."""
        return sum(node.downloaded_payload_bytes for node in self.receivers)

    @property
    def pieces_held(self) -> int:
        """Pieces, or files, that the clients hold together."""
        return sum(node.pieces_held for node in self.receivers)

    @property
    def pieces_wanted(self) -> int:
        """What they will hold in the end: as many as the origin, each."""
        return self.clients * (self.origin.pieces_held if self.origin is not None else 0)

    def move(self, event: Moved) -> None:
        """Take in where it is."""
        progress = event.progress
        self.phase = progress.phase
        self.done = progress.done
        if progress.nodes:
            self.nodes = progress.nodes
        if self.phase != "running":
            return
        self.elapsed_seconds = max(0.0, progress.at_seconds)
        self._note(progress.at_seconds)

    def _note(self, at_seconds: float) -> None:
        if at_seconds < 0 or (self.series and at_seconds < self.series[-1].at_seconds):
            return
        if self.series and self.series[-1].at_seconds == at_seconds:
            self.series.pop()  # One process had not told yet what it was at.
        self.series.append(
            Point(at_seconds, self.downloaded_payload_bytes, self.done, self.pieces_held)
        )
        if len(self.series) > SERIES_POINTS:
            del self.series[1::2]

    def end(self, event: Ended) -> None:
        """Take in how it ended."""
        self.status = event.status
        self.reason = event.reason
        self.phase = "ended"
        self.makespan_seconds = event.makespan_seconds
        if event.nodes:
            self.nodes = event.nodes
        if event.makespan_seconds is not None:
            self.done = self.clients
            self.elapsed_seconds = event.makespan_seconds
            # Where it ended, not where it was looked at last.
            self.series = [p for p in self.series if p.at_seconds < event.makespan_seconds]
            self._note(event.makespan_seconds)

    def rates(self) -> list[tuple[float, float]]:
        """How fast all clients together received, over time: seconds, bytes per second."""
        rates: list[tuple[float, float]] = [(0.0, 0.0)]
        oldest = 0
        points = [Point(0.0, 0, 0, 0), *self.series]
        for index, (_, now) in enumerate(pairwise(points)):
            while oldest < index and now.at_seconds - points[oldest].at_seconds > RATE_SECONDS:
                oldest += 1
            since = points[oldest]
            took = now.at_seconds - since.at_seconds
            if took > 0:
                moved = now.downloaded_payload_bytes - since.downloaded_payload_bytes
                rates.append((now.at_seconds, max(0.0, moved / took)))
        return rates

    @property
    def rate_bytes_per_second(self) -> float:
        """How fast all clients together receive now; of one that has ended, its mean."""
        if self.makespan_seconds:
            return self.file_bytes * self.clients / self.makespan_seconds
        return self.rates()[-1][1]

    def summary(self) -> dict[str, Any]:
        """Say in one row what came of it."""
        return {
            "order": self.order,
            "architecture": self.architecture,
            "clients": self.clients,
            "repeat": self.repeat,
            "status": self.status,
            "done": self.done,
            "makespan_seconds": self.makespan_seconds,
            "origin_uploaded_payload_bytes": self.origin_uploaded_payload_bytes,
            "clients_uploaded_payload_bytes": self.clients_uploaded_payload_bytes,
            "downloaded_payload_bytes": self.downloaded_payload_bytes,
            "pieces_held": self.pieces_held,
            "pieces_wanted": self.pieces_wanted,
            "rate_bytes_per_second": self.rate_bytes_per_second,
        }

    def details(self) -> dict[str, Any]:
        """Say all that is drawn of it."""
        return self.summary() | {
            "phase": self.phase,
            "reason": self.reason,
            "elapsed_seconds": self.elapsed_seconds,
            "holds": WHAT_IS_HELD[self.architecture],
            "nodes": list(self.nodes),
            "rates": self.rates(),
        }


class Board:
    """The run so far."""

    def __init__(self) -> None:
        self.plan: Planned | None = None
        self.stage = "waiting"
        """`waiting`, `running`, `reporting` or `over`."""
        self.trials: list[Trial] = []
        self.conclusion: Concluded | None = None

    def apply(self, event: ToPage) -> None:
        """Take in what the sweep told."""
        match event:
            case Planned():
                self.plan, self.conclusion, self.trials = event, None, []
                self.stage = "running"
            case Began(order=order, architecture=architecture, clients=clients, repeat=repeat):
                file_bytes = self.plan.file_bytes if self.plan is not None else 0
                self.trials.append(Trial(order, architecture, clients, repeat, file_bytes))
            case Moved():
                if self.current is not None:
                    self.current.move(event)
            case Ended():
                if self.current is not None:
                    self.current.end(event)
            case Reporting():
                self._leave_none_running()
                self.stage = "reporting"
            case Concluded():
                self._leave_none_running()
                self.conclusion = event
                self.stage = "over"

    def _leave_none_running(self) -> None:
        for trial in self.trials:
            if trial.status == "running":
                trial.status, trial.phase = "interrupted", "ended"

    @property
    def current(self) -> Trial | None:
        """The trial that is under way."""
        if self.trials and self.trials[-1].status == "running":
            return self.trials[-1]
        return None

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """N and repeat of every pair of which a trial has begun, in that order."""
        return list(dict.fromkeys((trial.clients, trial.repeat) for trial in self.trials))

    def _trial(self, architecture: str, pair: tuple[int, int] | None) -> Trial | None:
        for trial in reversed(self.trials):
            if (trial.clients, trial.repeat) == pair and trial.architecture == architecture:
                return trial
        return None

    def state(self, pair: tuple[int, int] | None = None) -> dict[str, Any]:
        """Say what the page shows: the pair asked for, or else the latest."""
        pairs = self.pairs
        if pair not in pairs:
            pair = pairs[-1] if pairs else None
        both = {name: self._trial(name, pair) for name in ARCHITECTURES}
        return {
            "run": self._run(),
            "pairs": pairs,
            "pair": pair,
            "sides": {name: trial and trial.details() for name, trial in both.items()},
            "trials": [trial.summary() for trial in self.trials],
        }

    def everything(self) -> dict[str, Any]:
        """Say all there is, for a download."""
        return {"run": self._run(), "trials": [trial.details() for trial in self.trials]}

    def _run(self) -> dict[str, Any]:
        plan, end = self.plan, self.conclusion
        return {
            "stage": self.stage,
            "scenario": plan.scenario if plan is not None else "",
            "question": plan.question if plan is not None else "",
            "clients": plan.clients if plan is not None else (),
            "repeats": plan.repeats if plan is not None else 0,
            "trials": plan.trials if plan is not None else 0,
            "ended": sum(trial.status != "running" for trial in self.trials),
            "file_bytes": plan.file_bytes if plan is not None else 0,
            "status": end.status if end is not None else "",
            "reasons": end.reasons if end is not None else (),
            "verdict": end.verdict if end is not None else "",
            "threshold_missed": end is not None and end.threshold_missed,
            "folder": end.folder if end is not None else "",
            "report": bool(end is not None and end.report_folder),
        }

    def node_rows(self) -> Iterator[dict[str, Any]]:
        """Give each node of each trial; columns are named as those of `nodes.parquet`."""
        for trial in self.trials:
            for node in trial.nodes:
                yield {
                    "architecture": trial.architecture,
                    "clients": trial.clients,
                    "repeat": trial.repeat,
                    "status": trial.status,
                    "node_id": node.node_id,
                    "role": "origin" if trial.is_origin(node) else "client",
                    "uploaded_payload_bytes": node.uploaded_payload_bytes,
                    "downloaded_payload_bytes": node.downloaded_payload_bytes,
                    "pieces_held": node.pieces_held,
                }

    def trial_rows(self) -> Iterator[dict[str, Any]]:
        """Give each trial in one row."""
        for trial in self.trials:
            yield trial.summary()
