"""Counters over time: what every node and every process was at, a few times a second."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable

import psutil

from loadtests.plan import TrialPlan
from testbed.cast import Place
from testbed.record import SampleRow
from testbed.station import Station

SAMPLE_SECONDS = 0.25


def processor_seconds() -> float:
    """Processor time of this process so far, system calls included."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class ProcessMeter:
    """What this process costs, from `begin` on: the interpreter's start is not the trial's."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._cpu_at_start = processor_seconds()
        self._marks: list[tuple[float, float]] = []
        self.memory_bytes = 0
        """Largest resident memory seen."""

    def begin(self) -> None:
        """Count from now."""
        self._cpu_at_start = processor_seconds()

    def read(self) -> tuple[float, int]:
        """Processor seconds since `begin`, and resident memory now."""
        memory = int(self._process.memory_info().rss)
        self.memory_bytes = max(self.memory_bytes, memory)
        return processor_seconds() - self._cpu_at_start, memory

    def mark(self) -> None:
        """Note where the busy span begins or goes on: its share is from first to last mark."""
        self._marks = [*self._marks[:1], (time.monotonic(), processor_seconds())]

    @property
    def cpu_fraction(self) -> float:
        """Share of a core between the first and the last mark."""
        if len(self._marks) < 2:
            return 0.0
        (start, used_before), (end, used_after) = self._marks
        return (used_after - used_before) / (end - start) if end > start else 0.0


def is_downloading(place: Place, station: Station) -> bool:
    """Whether a client has joined and neither finished nor failed."""
    ledger = station.ledger
    return (
        place.role == "client"
        and ledger.joined_seconds is not None
        and ledger.finished_seconds is None
        and not ledger.outcome
        and ledger.left_seconds is None
    )


def node_sample(
    plan: TrialPlan, process: int, place: Place, station: Station, at_seconds: float
) -> SampleRow:
    """Read one node's counters."""
    ledger = station.ledger
    return SampleRow(
        architecture=plan.architecture,
        clients=plan.clients,
        repeat=plan.repeat,
        at_seconds=at_seconds,
        scope="node",
        node_id=place.node_id,
        process=process,
        role=place.role,
        downloading=int(is_downloading(place, station)),
        uploaded_payload_bytes=ledger.uploaded_payload_bytes,
        downloaded_payload_bytes=ledger.downloaded_payload_bytes,
        uploaded_wire_bytes=ledger.uploaded_wire_bytes,
        downloaded_wire_bytes=ledger.downloaded_wire_bytes,
        pieces_held=station.node.tally.pieces_held,
        cpu_seconds=None,
        memory_bytes=0,
        loop_lag_seconds=None,
    )


def process_sample(
    plan: TrialPlan,
    process: int,
    role: str,
    nodes: Iterable[SampleRow],
    meter: ProcessMeter,
    at_seconds: float,
    loop_lag_seconds: float | None,
) -> SampleRow:
    """Add up a process's nodes, and read its own counters."""
    rows = list(nodes)
    cpu_seconds, memory_bytes = meter.read()
    return SampleRow(
        architecture=plan.architecture,
        clients=plan.clients,
        repeat=plan.repeat,
        at_seconds=at_seconds,
        scope="process",
        node_id=-1,
        process=process,
        role=role,
        downloading=sum(row.downloading for row in rows),
        uploaded_payload_bytes=sum(row.uploaded_payload_bytes for row in rows),
        downloaded_payload_bytes=sum(row.downloaded_payload_bytes for row in rows),
        uploaded_wire_bytes=sum(row.uploaded_wire_bytes for row in rows),
        downloaded_wire_bytes=sum(row.downloaded_wire_bytes for row in rows),
        pieces_held=sum(row.pieces_held for row in rows),
        cpu_seconds=cpu_seconds,
        memory_bytes=memory_bytes,
        loop_lag_seconds=loop_lag_seconds,
    )
