"""The link model: one line out of a node and one into it, shared by all its connections.

A line of rate r is a virtual finish time v. Sending n bytes at time t moves it to

    v = max(v, t - burst) + n / r

and the bytes have left at v. This is a token bucket of depth r * burst written with one number: it
needs no refill timer, is exact for any mixture of sizes, and is the same formula in both worlds. In
any interval of length T at most r * (T + burst) bytes leave.

A live world's timers are late now and then. A line that has been busy all the while was not idle
for that: it goes on from where its schedule was, up to `CATCH_UP_SECONDS`, so that lateness delays
bytes and takes none of the line's capacity. Before, a pause of 50 ms in a busy second made the line
3 % slower than configured. In virtual time nothing is late and the rule changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from testbed.errors import LocalMisuse

#: A process that is held up for longer than this loses what its lines could have carried, which
#: `RateMeter` then reports.
CATCH_UP_SECONDS = 0.5


class Pacer:
    """One direction of one node's line: when will these bytes have passed?"""

    __slots__ = ("backlogged", "burst_seconds", "bytes_per_second", "free_at", "reserved_bytes")

    def __init__(self, bytes_per_second: float, burst_seconds: float = 0.020) -> None:
        if not bytes_per_second > 0:
            raise LocalMisuse(f"bytes_per_second must be positive, not {bytes_per_second!r}")
        self.bytes_per_second = bytes_per_second
        self.burst_seconds = burst_seconds
        self.free_at = -math.inf
        """When all that was reserved has passed, in seconds since the trial began."""
        self.reserved_bytes = 0
        self.backlogged = False
        """Something has been waiting for this line without a break; the station says so."""

    def reserve(self, size_bytes: int, now: float) -> float:
        """Queue bytes on this line and say when the last of them will have passed.

        Reserving does not wait: the caller schedules until the answer, or lets small messages go at
        once and so charges them to those that follow. The answer may lie in the past, by up to
        `burst_seconds`: then the bytes pass now.
        """
        earliest = now - (CATCH_UP_SECONDS if self.backlogged else self.burst_seconds)
        start = self.free_at if self.free_at > earliest else earliest
        self.free_at = passed_at = start + size_bytes / self.bytes_per_second
        self.reserved_bytes += size_bytes
        return passed_at


@dataclass(frozen=True, slots=True)
class RateReport:
    """What the busy windows of one line showed."""

    windows: int
    """Busy windows of at least `RateMeter.SHORTEST_SECONDS`. Zero: not exercised."""
    worst_error: float
    """Largest |achieved / configured - 1|, with the credit of the burst taken off."""


class RateMeter:
    """Compares the rate a line achieved with the rate it was configured for.

    A window is busy while there is always a next message the moment one has passed: then all that
    is missing from the configured rate is the world's fault (a saturated processor, a late timer),
    and all above it is a fault of the shaping. Bytes and times are real ones, not reservations.

    A call that comes late by less than the burst loses nothing: the line catches up. So lateness, up
    to the burst, is taken off at both ends of a window: at its start it is caught up within, at its
    end it will be caught up after.
    """

    SHORTEST_SECONDS = 1.0

    __slots__ = (
        "_bytes",
        "_last",
        "_late_first",
        "_late_last",
        "_pacer",
        "_start",
        "_total",
        "windows",
        "worst_error",
    )

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._start: float | None = None
        self._last = 0.0
        self._bytes = 0
        self._total = 0
        self._late_first = 0.0
        self._late_last = 0.0
        self.windows = 0
        self.worst_error = 0.0

    def passed(self, total_bytes: int, now: float) -> None:
        """Say that the first `total_bytes` of all that was reserved have passed at `now`."""
        pacer = self._pacer
        waiting_bytes = pacer.reserved_bytes - total_bytes
        due = pacer.free_at - waiting_bytes / pacer.bytes_per_second
        self._late_last = min(max(0.0, now - due), pacer.burst_seconds)
        if self._start is None:
            self._start = now
            self._bytes = total_bytes
            self._late_first = self._late_last
        self._last = now
        self._total = total_bytes

    def idle(self) -> None:
        """Say that nothing is waiting: the window ends with the bytes that passed last."""
        if self._start is None:
            return
        seconds = self._last - self._start
        rate = self._pacer.bytes_per_second
        if seconds >= self.SHORTEST_SECONDS and rate < math.inf:
            achieved = (self._total - self._bytes) / rate
            surplus = achieved - seconds
            error = max(0.0, surplus - self._late_first, -surplus - self._late_last)
            self.windows += 1
            self.worst_error = max(self.worst_error, error / seconds)
        self._start = None

    def report(self) -> RateReport:
        """End the window that is open, and say what was seen."""
        self.idle()
        return RateReport(self.windows, self.worst_error)
