"""One client's connection: what it asked for, and what is being sent."""

from __future__ import annotations

from collections import deque

from servers.answers import Segment
from servers.http1 import BadRequest
from servers.limits import Limits
from servers.methods import Later
from servers.transaction import Transaction
from testbed.node import Address


class Response:
    """A response whose head was sent: what of its parts is still to go."""

    __slots__ = ("number", "offset", "place", "remaining", "segments", "tail")

    def __init__(self, number: int, segments: tuple[Segment, ...], tail: bytes) -> None:
        self.number = number
        """Responses begin in this order."""
        self.segments = segments
        self.tail = tail
        self.place = -1
        self.offset = 0
        self.remaining = 0
        self.next_segment()

    def next_segment(self) -> bytes | None:
        """Go on to the next part; gives the bytes before it, or None behind the last one."""
        self.place += 1
        if self.place == len(self.segments):
            return None
        segment = self.segments[self.place]
        self.offset = segment.offset
        self.remaining = segment.size_bytes
        return segment.framing

    @property
    def segment(self) -> Segment:
        """The part being sent."""
        return self.segments[self.place]


class Connection:
    """What the host knows of one link."""

    __slots__ = (
        "active_at",
        "begun_at",
        "closing",
        "current",
        "has_asked",
        "in_flight",
        "later",
        "previous",
        "queue",
        "refusing",
        "remote",
        "response",
        "taking",
        "writable",
    )

    def __init__(self, remote: Address, now: float) -> None:
        self.remote = remote
        self.queue: deque[Transaction] = deque()
        """Asked, and not begun to be answered."""
        self.current: Transaction | None = None
        """Being answered."""
        self.later: Later | None = None
        """The answer to it is being worked out."""
        self.response: Response | None = None
        """The answer to it is being sent."""
        self.taking: Transaction | None = None
        """The request whose body is arriving."""
        self.previous: Transaction | None = None
        """Answered before."""
        self.in_flight = False
        """A block of the response is on its way through the uplink."""
        self.writable = True
        self.closing = False
        """The connection ends with the response under way."""
        self.refusing = False
        """Nothing is read any more: an error waits for its turn to be answered."""
        self.has_asked = False
        self.begun_at: float | None = None
        """When a head began to arrive that is not whole yet."""
        self.active_at = now
        """When the last response ended, or the last body's bytes arrived."""

    def overdue(self, limits: Limits, now: float) -> BadRequest | None:
        """What is to be said to a client that takes too long; an empty reason: nothing."""
        if self.current is not None:
            return None
        taking = self.taking
        if taking is not None:
            paid_seconds = now - taking.received - limits.body_grace_seconds
            if taking.body_bytes < paid_seconds * limits.body_bytes_per_second:
                return BadRequest(408, "body too slow")
            return None
        if self.begun_at is not None:
            waited = now - max(self.begun_at, self.active_at)
        elif not self.has_asked:
            waited = now - self.active_at
        else:
            idle = now - self.active_at >= limits.idle_seconds
            return BadRequest(408, "") if idle else None
        return BadRequest(408, "no request in time") if waited >= limits.head_seconds else None
