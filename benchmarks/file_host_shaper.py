"""How exactly our host keeps an uplink of 20 MB/s that 32 clients share."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from benchmarks.file_host_contestants import Running
from benchmarks.file_host_load import LargeReads

RATE = "20 MB/s"
RATE_BYTES_PER_SECOND = 20_000_000
CLIENTS = 32
SLICE_SECONDS = 0.1

#: A line begins without a backlog and sockets with empty buffers: not what is measured.
WARM_UP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Shaping:
    """What the receivers saw, from the first whole slice to the last."""

    rate_error: float
    jain: float
    variation: float
    """Standard deviation of the bytes in 100 ms, by their mean."""
    cpu_fraction: float
    """Of one core, by the host."""


def measure_shaping(host: Running, path: str, size_bytes: int, seconds: float) -> Shaping:
    """Download on 32 connections at once and watch what arrives in each 100 ms.

    A slice is as long as it turned out to be, so that a late reader is not the host's fault: its bytes
    are divided by its real length.
    """
    with LargeReads(host.port, path, size_bytes, CLIENTS) as reads:
        start = time.monotonic()
        reads.read_until(start + WARM_UP_SECONDS)
        times = [time.monotonic()]
        counts = [reads.received()]
        cpu = host.cpu_seconds()
        while times[-1] < times[0] + seconds:
            reads.read_until(times[0] + len(times) * SLICE_SECONDS)
            times.append(time.monotonic())
            counts.append(reads.received())
        cpu = host.cpu_seconds() - cpu
    totals = [sum(count) for count in counts]
    rates = [
        (totals[n + 1] - totals[n]) / (times[n + 1] - times[n])
        for n in range(len(totals) - 1)
        if times[n + 1] > times[n]
    ]
    elapsed = times[-1] - times[0]
    each = [last - first for first, last in zip(counts[0], counts[-1], strict=True)]
    return Shaping(
        rate_error=(totals[-1] - totals[0]) / elapsed / RATE_BYTES_PER_SECOND - 1,
        jain=sum(each) ** 2 / (len(each) * sum(share * share for share in each)),
        variation=statistics.pstdev(rates) / statistics.fmean(rates),
        cpu_fraction=cpu / elapsed,
    )
