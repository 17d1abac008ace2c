"""One transaction: a request, and the four steps of answering it.

    begun ── received ── found ── sent ── drained
          1           2        3       4

1. The request arrives, from its first byte to its last.
2. It is interpreted, and the resource found and read, or what was uploaded stored. Waiting behind
   earlier requests of the connection, and an added service delay, belong here.
3. The response is sent: the kernel has taken its last byte.
4. The connection drains: the client's side has acknowledged the last byte.

All in seconds since the trial began, on the monotonic clock.
"""

from __future__ import annotations

from typing import Protocol

from servers.answers import Answer
from servers.http1 import BadRequest, Request
from servers.methods import Intake, Later
from testbed.node import Address, LinkId


class Transaction:
    """A request on its way through the host, and afterwards its record."""

    __slots__ = (
        "answer",
        "begun",
        "body_bytes",
        "drained",
        "found",
        "intake",
        "is_whole",
        "payload_bytes",
        "received",
        "request",
        "sent",
        "sent_bytes",
        "status",
    )

    def __init__(self, request: Request | BadRequest, begun: float, received: float) -> None:
        self.request = request
        self.begun = begun
        self.received = received
        self.found = received
        self.sent = received
        self.drained = received
        self.status = 0
        """Zero: nothing was answered."""
        self.sent_bytes = 0
        """Of the response, file content included; all that was handed over to be sent."""
        self.payload_bytes = 0
        """Of it, file content."""
        self.body_bytes = 0
        """Of the request, after its head."""
        self.is_whole = True
        """All of the request has arrived."""
        self.intake: Intake | None = None
        self.answer: Answer | Later | None = None
        """Known before its turn: a refusal of the body."""

    @property
    def received_bytes(self) -> int:
        """Of the request, all of it."""
        head = self.request.head_bytes if isinstance(self.request, Request) else 0
        return head + self.body_bytes

    @property
    def total_seconds(self) -> float:
        """From the first byte of the request to the last of the response, acknowledged."""
        return self.drained - self.begun


class Watch(Protocol):
    """Somebody who keeps what was done. It decides nothing."""

    def now(self) -> float:
        """Seconds since the trial began, while an event is being handled."""

    def done(self, link: LinkId, remote: Address, transaction: Transaction, *, complete: bool) -> None:
        """Take a transaction that ended: its response was sent, or the client left before.

        It is not changed any more but for `drained`, which is the watch's to find out.
        """


def server_timing(transaction: Transaction, previous: Transaction | None) -> str:
    """The value of a Server-Timing header, in milliseconds.

    The last two steps of a response lie behind its head, so they are those of the previous response
    of this connection.
    """
    steps = [
        ("received", transaction.received - transaction.begun),
        ("found", transaction.found - transaction.received),
    ]
    if previous is not None:
        steps.append(("sent-before", previous.sent - previous.found))
        steps.append(("drained-before", previous.drained - previous.sent))
    return ", ".join(f"{name};dur={seconds * 1000:.3f}" for name, seconds in steps)
