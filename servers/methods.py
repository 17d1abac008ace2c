"""What the file host asks of those who answer a method, and what they may give it.

The node dispatches by method and knows no more than this: an answer at once, an answer later (a
digest or an fsync in a thread), or somebody who takes the request's body in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from servers.answers import Answer
from servers.http1 import Request
from testbed.node import Payload


@runtime_checkable
class Later(Protocol):
    """An answer that is being worked out elsewhere."""

    def poll(self, now: float) -> Answer | None:
        """Give the answer if it is ready. The node asks every few milliseconds."""

    def abandon(self) -> None:
        """The client is gone: nobody waits any more."""


@runtime_checkable
class Intake(Protocol):
    """Takes in the body of one request."""

    def take(self, payload: Payload, now: float) -> Answer | None:
        """Take content, which is only lent. An answer refuses the rest, and ends the connection."""

    def end(self, now: float) -> Answer | Later:
        """The body is whole, and all earlier requests of the connection are answered."""

    def abandon(self) -> None:
        """The body will never be whole: the client is gone, or too slow."""


class Method(Protocol):
    """Answers requests of one method."""

    def begin(self, request: Request, now: float) -> Answer | Later | Intake:
        """Look at the head of a request.

        An `Answer` or a `Later` while a body is on its way refuses the body: it is not read, and the
        connection ends. With an `Intake`, a client that waits to be told is told to continue.
        """


Methods = Mapping[str, Method]
