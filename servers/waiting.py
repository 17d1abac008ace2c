"""Connections whose answer is being worked out elsewhere, or is held back for an added delay."""

from __future__ import annotations

import heapq

from servers.answers import Answer
from servers.methods import Later
from testbed.node import LinkId

#: How often an answer is asked for that is being worked out in a thread.
POLL_SECONDS = 0.002


class Delayed:
    """An answer that is given no earlier than at some time."""

    def __init__(self, outcome: Answer | Later, ready_at: float) -> None:
        self._outcome = outcome
        self._ready_at = ready_at

    def poll(self, now: float) -> Answer | None:
        """Give the answer when it is ready and the time has come."""
        if now < self._ready_at:
            return None
        return self._outcome if isinstance(self._outcome, Answer) else self._outcome.poll(now)

    def abandon(self) -> None:
        """Pass it on."""
        if not isinstance(self._outcome, Answer):
            self._outcome.abandon()


class Waiting:
    """When to look after which connection."""

    def __init__(self) -> None:
        self._due: list[tuple[float, LinkId]] = []

    @property
    def next_at(self) -> float | None:
        """When the first look is due."""
        return self._due[0][0] if self._due else None

    def look_at(self, when: float, link: LinkId) -> None:
        """Look after a connection then."""
        heapq.heappush(self._due, (when, link))

    def take_due(self, now: float) -> list[LinkId]:
        """Give the connections whose time has come. Some may be gone."""
        links = []
        while self._due and self._due[0][0] <= now:
            links.append(heapq.heappop(self._due)[1])
        return links
