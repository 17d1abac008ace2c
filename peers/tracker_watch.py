"""What a person at a terminal wants to know of the tracker: does it answer, and if not, why?

`TrackerWatch` stands between a peer and its world and reads along; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from peers.announce import AnnounceError, AnnounceResponse
from peers.core.introduction import TRACKER_WIRE
from servers.http1 import ResponseHead
from testbed.node import (
    Dial,
    DialFailed,
    Effect,
    Event,
    HangUp,
    LinkDown,
    LinkId,
    LinkUp,
    Node,
    Received,
)

AnyNode = TypeVar("AnyNode", bound=Node)


class TrackerWatch(Generic[AnyNode]):
    """A peer whose talk with its tracker is read along."""

    def __init__(self, peer: AnyNode, on_news: Callable[[str], None]) -> None:
        """Read along. `on_news(failure)` is called after each announce; empty: it was answered."""
        self.peer = peer
        self.tally = peer.tally
        self.announcing = False
        """Whether an announce is under way."""
        self._on_news = on_news
        self._link: LinkId | None = None

    @property
    def deadline(self) -> float | None:
        """The peer's own."""
        return self.peer.deadline

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Let the peer decide, and note what it concerns of the tracker."""
        effects = self.peer.handle(event, now)
        news: str | None = None
        match event:
            case LinkUp(link, _, _, wire) if wire == TRACKER_WIRE:
                self._link = link
            case DialFailed(_, wire, reason) if wire == TRACKER_WIRE:
                news = reason
            case LinkDown(link, reason) if link == self._link:
                news = f"no answer ({reason})"
            case Received(link, message) if link == self._link:
                news = _failure(message)
            case _:
                for effect in effects:
                    if isinstance(effect, HangUp) and effect.link == self._link:
                        news = effect.reason
        if news is not None:
            self.announcing = False
            self._link = None
        if any(isinstance(effect, Dial) and effect.wire == TRACKER_WIRE for effect in effects):
            self.announcing = True
        if news is not None:
            self._on_news(news)
        return effects


def _failure(message: object) -> str:
    if not isinstance(message, ResponseHead):
        return "not an answer to an announce"
    try:
        return AnnounceResponse.decode(message.content).failure_reason
    except AnnounceError as error:
        return f"HTTP {message.status}" if message.status != 200 else str(error)
