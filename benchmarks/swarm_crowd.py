"""One crowd for `benchmarks.swarm`: who takes part, and how a contestant's processes are driven.

A contestant is a module that is run once for each of its processes, with the crowd as JSON. It says
`ready`, is told `start T` (on the monotonic clock, the same in all processes), says
`finished N SECONDS` for each client, and after `stop` one line of JSON with what its nodes counted.
"""

from __future__ import annotations

import math
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

MEGABYTE = 1_000_000

#: Longest wait for a crowd, in multiples of its bound, and seconds beyond.
PATIENCE = 3.0
PATIENCE_SECONDS = 60.0

#: Between the order and the start: every process must have read it.
START_SECONDS = 0.5


class Crowd(msgspec.Struct, frozen=True):
    """Who downloads what over which lines. Rates in bytes per second; infinity is sent as null."""

    clients: int
    file: str
    file_bytes: int
    piece_bytes: int
    folder: str
    port: int
    """Every node listens at this port of an address of its own."""
    origin_uplink: float | None
    uplink: float | None
    downlink: float | None
    tuned: bool = True
    latency_seconds: float = 0.0
    """One way, between all; only of ours."""
    neighbours: int | None = None
    """So many links each, about; None for what the contestant makes of it, libtorrent a full mesh."""

    @property
    def bound_seconds(self) -> float:
        """When the last client has the file if every line is used in full (the fluid bound)."""
        us, u, d = (
            math.inf if one is None else one for one in (self.origin_uplink, self.uplink, self.downlink)
        )
        return max(
            self.file_bytes / us,
            self.file_bytes / d,
            self.clients * self.file_bytes / (us + self.clients * u),
        )


class RateProof:
    """Compares what a node has uploaded, protocol included, with its rate. Sampled now and then."""

    #: Of a second in which all is sent that was held up, the burst is a fiftieth.
    WINDOW_SECONDS = 1.0

    def __init__(self, bytes_per_second: float) -> None:
        self._rate = bytes_per_second
        self._samples: deque[tuple[float, int]] = deque()
        self._ahead_seconds = 0.0
        self._fastest = 0.0

    def sample(self, uploaded_bytes: int, now: float) -> None:
        """Take the count. `now`: seconds since the start."""
        self._ahead_seconds = max(self._ahead_seconds, uploaded_bytes / self._rate - now)
        samples = self._samples
        samples.append((now, uploaded_bytes))
        while len(samples) > 1 and now - samples[1][0] >= self.WINDOW_SECONDS:
            samples.popleft()
        seconds = now - samples[0][0]
        if seconds >= self.WINDOW_SECONDS:
            uploaded = uploaded_bytes - samples[0][1]
            self._fastest = max(self._fastest, uploaded / self._rate / seconds)

    @property
    def found(self) -> tuple[float, float]:
        """`ahead_seconds` and `fastest_second` of a `NodeCount`."""
        return self._ahead_seconds, self._fastest


class NodeCount(msgspec.Struct, frozen=True):
    """What one node counted. Node 0 is the origin."""

    node_id: int
    uploaded_payload_bytes: int
    redundant_bytes: int
    ahead_seconds: float
    """Furthest that all it uploaded ran ahead of u t: one burst, if the limit holds."""
    fastest_second: float
    """Most that was uploaded in any second, or a little more, as a part of what the rate allows."""
    first_request_seconds: float | None = None
    """From the tracker's answer to the first request; None where it cannot be seen."""


class ProcessCount(msgspec.Struct, frozen=True):
    """What one process counted from start to stop."""

    nodes: list[NodeCount]
    cpu_seconds: float


class CrowdResult(msgspec.Struct, frozen=True):
    """How one crowd went."""

    finished_seconds: dict[int, float]
    nodes: list[NodeCount]
    cpu_seconds: list[float]
    """Of each process, in order."""


class CrowdFailed(Exception):
    """A contestant did not get there; the message says how far."""


class _Process:
    """One process of a contestant, whose lines are collected as they come."""

    def __init__(self, command: Sequence[str], lines: queue.Queue[tuple[int, str]], part: int) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._reader = threading.Thread(target=self._read, args=(lines, part), daemon=True)
        self._reader.start()

    def _read(self, lines: queue.Queue[tuple[int, str]], part: int) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            lines.put((part, line.strip()))
        lines.put((part, ""))

    def tell(self, text: str) -> None:
        """Send it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """End it, if it has not ended by itself."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def run_crowd(module: str, crowd: Crowd, processes: int) -> CrowdResult:
    """Let a contestant's processes be the crowd.

    Raises:
      CrowdFailed: a process died, or not all finished in time.
    """
    Path(crowd.folder).mkdir(parents=True, exist_ok=True)
    text = msgspec.json.encode(crowd).decode()
    lines: queue.Queue[tuple[int, str]] = queue.Queue()
    started = [
        _Process([sys.executable, "-m", module, text, str(part), str(processes)], lines, part)
        for part in range(processes)
    ]
    try:
        return _drive(started, lines, crowd)
    finally:
        for process in started:
            process.end()


def _drive(
    started: Sequence[_Process], lines: queue.Queue[tuple[int, str]], crowd: Crowd
) -> CrowdResult:
    until = time.monotonic() + PATIENCE_SECONDS + PATIENCE * crowd.bound_seconds

    def next_line(waiting_for: str) -> tuple[int, str]:
        try:
            part, line = lines.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            raise CrowdFailed(f"time was up: {waiting_for}") from None
        if not line:
            raise CrowdFailed(f"a process died: {waiting_for}")
        return part, line

    for _ in started:
        next_line("waiting for all to be ready")
    at_monotonic = time.monotonic() + START_SECONDS
    for process in started:
        process.tell(f"start {at_monotonic}")
    finished: dict[int, float] = {}
    while len(finished) < crowd.clients:
        _, line = next_line(f"{len(finished)} of {crowd.clients} had finished")
        _, node_id, seconds = line.split()
        finished[int(node_id)] = float(seconds)
    for process in started:
        process.tell("stop")
    counts: dict[int, ProcessCount] = {}
    while len(counts) < len(started):
        part, line = next_line("waiting for the counts")
        counts[part] = msgspec.json.decode(line, type=ProcessCount)
    return CrowdResult(
        finished_seconds=finished,
        nodes=[node for count in counts.values() for node in count.nodes],
        cpu_seconds=[counts[part].cpu_seconds for part in range(len(started))],
    )
