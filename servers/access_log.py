"""The access log: one line of JSON for each transaction, with the times and bytes of its steps.

Lines are gathered and written in a thread, so that a slow disk or reader holds up no client. If it
cannot keep up, lines are dropped rather than memory filled, and the next line says how many.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import BinaryIO

import msgspec
import trio

from servers.http1 import BadRequest
from servers.transaction import Transaction
from testbed.node import Address

#: For so long lines are gathered before they are written. At fifty thousand a second a quarter of a
#: second made 5 MB, and whoever asked meanwhile waited for the thread that wrote them.
FLUSH_SECONDS = 0.02

#: About 16 MiB. Beyond it the log's reader is stuck.
LINES_KEPT = 50_000


class LogLine(msgspec.Struct, frozen=True, gc=False):
    """One transaction. Steps in seconds; docs/file-host.md says what each is."""

    at: float
    """Unix time of the request's first byte."""
    monotonic: float
    """The same on the machine's monotonic clock, which other programs on it can compare with."""
    remote: str
    port: int
    method: str
    """Empty for what was no request."""
    target: str
    """As sent, still percent-encoded."""
    status: int
    """0: nothing was answered."""
    complete: bool
    """Whether all of the response left."""
    received_seconds: float
    found_seconds: float
    sent_seconds: float
    drained_seconds: float
    total_seconds: float
    """Measured by itself; the four add up to it."""
    received_bytes: int
    sent_bytes: int
    """Handed over to be sent, head included; all of it arrived only if `complete`."""
    payload_bytes: int
    """File content in it."""
    reason: str = ""
    """Why what arrived was no request."""


class AccessLog:
    """Gathers lines.

    Args:
      started_at: When the trial began, on the monotonic clock: times of transactions count from it.
      write: Where they go; called in a thread, with whole lines.
    """

    def __init__(self, started_at: float, write: Callable[[bytes], object]) -> None:
        self.started_at = started_at
        self.unix_offset = time.time() - time.monotonic()
        self._write = write
        self._lines: list[bytes] = []
        self._dropped = 0
        self._gathered = trio.Event()
        self._encode = msgspec.json.Encoder().encode

    def add(self, remote: Address, transaction: Transaction, *, complete: bool) -> None:
        """Add the line of a transaction that ended."""
        if len(self._lines) >= LINES_KEPT:
            self._dropped += 1
            return
        t = transaction
        request = t.request
        method, target, reason = "", "", ""
        if isinstance(request, BadRequest):
            reason = request.reason
        else:
            method, target = request.method, request.target
        monotonic = self.started_at + t.begun
        line = LogLine(
            round(monotonic + self.unix_offset, 6),
            round(monotonic, 9),
            remote[0],
            remote[1],
            method,
            target,
            t.status,
            complete,
            round(t.received - t.begun, 9),
            round(t.found - t.received, 9),
            round(t.sent - t.found, 9),
            round(t.drained - t.sent, 9),
            round(t.drained - t.begun, 9),
            t.received_bytes,
            t.sent_bytes,
            t.payload_bytes,
            reason,
        )
        # JSON escapes control characters: whatever a client sent, a line stays a line.
        self._lines.append(self._encode(line) + b"\n")
        self._gathered.set()

    def add_lines(self, lines: list[bytes]) -> None:
        """Add lines that are made already."""
        room = LINES_KEPT - len(self._lines)
        self._lines += lines[:room] if len(lines) > room else lines
        self._dropped += max(0, len(lines) - room)
        self._gathered.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write what is gathered, until cancelled; then `flush` is the caller's to call."""
        task_status.started()
        while True:
            await self._gathered.wait()
            await trio.sleep(FLUSH_SECONDS)
            self._gathered = trio.Event()
            await trio.to_thread.run_sync(self.flush)

    def flush(self) -> None:
        """Write all lines that wait."""
        lines, self._lines = self._lines, []
        if self._dropped:
            lines.append(b'{"dropped_lines":%d}\n' % self._dropped)
            self._dropped = 0
        if lines:
            self._write(b"".join(lines))


def to_stream(stream: BinaryIO) -> Callable[[bytes], object]:
    """Write whole lines to a stream and flush it. One that is closed at its other end takes no more."""

    def write(data: bytes) -> None:
        try:
            stream.write(data)
            stream.flush()
        except (BrokenPipeError, ValueError):
            return  # Nobody reads the log; the files are served all the same.

    return write
