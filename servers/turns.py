"""Who gets the uplink next, among the connections that have something to send and room for it."""

from __future__ import annotations

import heapq
from collections import OrderedDict

from servers.settings import Sharing
from testbed.node import LinkId


class Turns:
    """The links that wait for a turn.

    `fair`: round robin, a block each. `first come first served`: always the response that began
    first, until its last block.
    """

    def __init__(self, sharing: Sharing) -> None:
        self._in_order_of_responses = sharing == "first come first served"
        self._waiting: OrderedDict[LinkId, int] = OrderedDict()
        self._oldest_first: list[tuple[int, LinkId]] = []

    def wait(self, link: LinkId, response_number: int) -> None:
        """Let a link wait for a turn, behind all others or in the place of its response."""
        self._waiting[link] = response_number
        if self._in_order_of_responses:
            heapq.heappush(self._oldest_first, (response_number, link))

    def leave(self, link: LinkId) -> None:
        """Let a link wait no more."""
        self._waiting.pop(link, None)

    def take(self) -> LinkId | None:
        """Give the link whose turn it is, which then waits no more; None if nobody waits."""
        if not self._in_order_of_responses:
            return self._waiting.popitem(last=False)[0] if self._waiting else None
        while self._oldest_first:
            number, link = heapq.heappop(self._oldest_first)
            if self._waiting.get(link) == number:
                del self._waiting[link]
                return link
        return None
