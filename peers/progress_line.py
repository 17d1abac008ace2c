"""How a download shows its progress: a line that moves on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from peers.plan import Status
from testbed.units import format_bytes, format_rate, format_seconds

if TYPE_CHECKING:
    from rich.live import Live

#: Where lines stay, they come this seldom.
PLAIN_LINE_SECONDS = 5.0

#: The time left is told from a mean of the rate: each report counts for this part of it.
NEWEST_PART = 0.2


def describe(status: Status, mean_bytes_per_second: float) -> str:
    """Put a status into one line: percent, amount, rate, peers, time left."""
    percent = 100 * status.held_bytes // status.file_bytes
    line = (
        f"{percent:3d} %  {format_bytes(status.held_bytes)} of {format_bytes(status.file_bytes)}"
        f"  down {format_rate(status.download_bytes_per_second)}"
        f"  up {format_rate(status.upload_bytes_per_second)}"
        f"  {status.peers} peer{'' if status.peers == 1 else 's'}"
    )
    missing = status.file_bytes - status.held_bytes
    if missing and mean_bytes_per_second > 0:
        line += f"  {format_seconds(missing / mean_bytes_per_second)} left"
    return line


class ProgressLine:
    """Shows statuses and notes on standard error, or nothing at all."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._live: Live | None = None
        self._mean: float | None = None
        self._next_line_at = 0.0
        self._last_note = ""
        self._last_line = ""
        if not quiet and sys.stderr.isatty():
            # rich takes a while to import; who writes to a file need not wait for it.
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._live.start()

    def show(self, status: Status) -> None:
        """Show how far it is."""
        rate = status.download_bytes_per_second
        mean = rate if self._mean is None else self._mean + NEWEST_PART * (rate - self._mean)
        self._mean = mean
        if self._quiet:
            return
        line = describe(status, mean)
        if self._live is not None:
            self._live.update(line, refresh=True)
        elif time.monotonic() >= self._next_line_at and line != self._last_line:
            self._last_line = line
            self._next_line_at = time.monotonic() + PLAIN_LINE_SECONDS
            print(line, file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Say something once: not again until there was something else to say."""
        if self._quiet or text == self._last_note:
            return
        self._last_note = text
        if not text:
            return
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Take the line off the terminal."""
        if self._live is not None:
            self._live.stop()
            self._live = None
