"""One log line for each answer of a file host, written beside the node and not in it."""

from __future__ import annotations

import logging
from collections import deque

from servers.http1 import BadRequest, Request, ResponseHead, find
from testbed.node import (
    Address,
    Effect,
    Event,
    HangUp,
    LinkDown,
    LinkId,
    LinkUp,
    Node,
    Received,
    Send,
)

LOG = logging.getLogger(__name__)


class AccessLog:
    """A node that is another node, and tells the log what that one answers.

    The line is written when the answer begins: who asked, for what, with which status, and how many
    bytes the answer announces.
    """

    def __init__(self, node: Node) -> None:
        self.tally = node.tally
        self._node = node
        self._remotes: dict[LinkId, Address] = {}
        self._asked: dict[LinkId, deque[str]] = {}

    @property
    def deadline(self) -> float | None:
        """When the node wants to be woken."""
        return self._node.deadline

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Let the node decide, and log the answers among its effects."""
        if isinstance(event, LinkUp):
            self._remotes[event.link] = event.remote
            self._asked[event.link] = deque()
        elif isinstance(event, Received) and event.link in self._asked:
            if isinstance(event.message, Request):
                line = f"{event.message.method} {event.message.target}"
                self._asked[event.link].append(line)
            elif isinstance(event.message, BadRequest):
                self._asked[event.link].append(f"- ({event.message.reason})")
        effects = self._node.handle(event, now)
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, ResponseHead):
                self._log(effect.link, effect.message)
            elif isinstance(effect, HangUp):
                self._forget(effect.link)
        if isinstance(event, LinkDown):
            self._forget(event.link)
        return effects

    def _forget(self, link: LinkId) -> None:
        self._remotes.pop(link, None)
        self._asked.pop(link, None)

    def _log(self, link: LinkId, head: ResponseHead) -> None:
        asked = self._asked.get(link)
        line = asked.popleft() if asked else "-"
        host, port = self._remotes.get(link, ("-", 0))
        # What a client sent is escaped: a line of the log stays one line.
        shown = line.encode("ascii", "backslashreplace").decode("ascii")
        size = find(head.headers, "content-length") or "0"
        LOG.info("%s:%d %s %d %s", host, port, shown, head.status, size)
