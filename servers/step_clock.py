"""The time while an event is being handled, for those who measure what that takes."""

from __future__ import annotations

from collections.abc import Callable


class StepClock:
    """What time it is within an event: a node is told only when the event began.

    Args:
      read: Reads the monotonic clock; None where an event takes no time (simulation).
    """

    def __init__(self, read: Callable[[], float] | None) -> None:
        self._read = read
        self._event_at = 0.0
        self._read_at = 0.0

    def begin(self, event_at: float) -> None:
        """An event begins to be handled, at this second of the trial."""
        self._event_at = event_at
        if self._read is not None:
            self._read_at = self._read()

    def now(self) -> float:
        """Seconds since the trial began."""
        if self._read is None:
            return self._event_at
        return self._event_at + self._read() - self._read_at

    def stopwatch(self) -> float:
        """A reading to be subtracted from another: seconds from anywhere."""
        return self._event_at if self._read is None else self._read()
