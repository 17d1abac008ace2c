"""The tracker: it answers announces over HTTP (BEP 3, compact: BEP 23), and scrapes (BEP 48)."""

from __future__ import annotations

import math
from collections import OrderedDict

from peers.announce import AnnounceError, AnnounceRequest, AnnounceResponse
from peers.registry import Registry
from peers.scrape import SCRAPE_PATH, encode_scrape, read_scrape_query
from servers.http1 import BadRequest, Headers, Request, ResponseHead
from testbed.node import (
    Address,
    Effect,
    Event,
    HangUp,
    LinkDown,
    LinkId,
    LinkUp,
    Received,
    Send,
    Tally,
    Woken,
)

ANNOUNCE_PATH = "/announce"


class TrackerNode:
    """A node that keeps a register of peers and tells each of some others."""

    def __init__(
        self, registry: Registry, *, idle_seconds: float = math.inf, connections: int | None = None
    ) -> None:
        """Make one. In a trial nobody means harm, and nothing is limited.

        Args:
          registry: Who is in which swarm.
          idle_seconds: A link without a whole request for so long ends.
          connections: One link more, and the one that has been idle longest ends.
        """
        self.tally = Tally()
        self._registry = registry
        self._idle_seconds = idle_seconds
        self._connections = connections
        self._remotes: OrderedDict[LinkId, tuple[Address, float]] = OrderedDict()
        """Where each link comes from and when it asked last, the longest idle first."""

    @property
    def peers_known(self) -> int:
        """Peers that have announced themselves and were not forgotten."""
        return self._registry.peers_known

    @property
    def deadline(self) -> float | None:
        """When the first link is idle too long. Expired peers are dropped when somebody asks."""
        if not self._remotes or self._idle_seconds == math.inf:
            return None
        return next(iter(self._remotes.values()))[1] + self._idle_seconds

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event and say what should happen."""
        match event:
            case Received(link, message) if link in self._remotes:
                return self._answer(link, message, now)
            case LinkUp(link, remote):
                self._remotes[link] = remote, now
                if self._connections is not None and len(self._remotes) > self._connections:
                    return [HangUp(self._longest_idle(), "too many connections", violation=True)]
            case LinkDown(link):
                self._remotes.pop(link, None)
            case Woken():
                ended: list[Effect] = []
                while (until := self.deadline) is not None and until <= now:
                    ended.append(HangUp(self._longest_idle(), "idle", violation=True))
                return ended
        return []

    def _longest_idle(self) -> LinkId:
        return self._remotes.popitem(last=False)[0]

    def _answer(self, link: LinkId, message: object, now: float) -> list[Effect]:
        if isinstance(message, BadRequest):
            del self._remotes[link]
            head = _text(message.status, f"{message.reason}\n".encode(), keep_alive=False)
            return [Send(link, head), HangUp(link, message.reason, violation=True)]
        if not isinstance(message, Request):
            return []
        remote, _ = self._remotes[link]
        head = self._respond(message, remote[0], now)
        self.tally.requests_served += 1
        if message.keep_alive:
            self._remotes[link] = remote, now
            self._remotes.move_to_end(link)
            return [Send(link, head)]
        del self._remotes[link]
        return [Send(link, head), HangUp(link, "answered")]

    def _respond(self, request: Request, remote_host: str, now: float) -> ResponseHead:
        keep_alive = request.keep_alive
        if request.method != "GET":
            return _text(405, b"only GET\n", keep_alive=keep_alive)
        path, _, query = request.target.partition("?")
        if path == SCRAPE_PATH:
            return _text(200, self._scrape(query, now), keep_alive=keep_alive)
        if path != ANNOUNCE_PATH:
            return _text(404, b"only /announce and /scrape\n", keep_alive=keep_alive)
        try:
            announce = AnnounceRequest.from_query(query)
        except AnnounceError as error:
            # BEP 3: a tracker says what is wrong in its answer, with status 200.
            answer = AnnounceResponse(failure_reason=str(error))
        else:
            answer = self._registry.announce(announce, remote_host, now)
        return _text(200, answer.encode(), keep_alive=keep_alive)

    def _scrape(self, query: str, now: float) -> bytes:
        try:
            hashes = read_scrape_query(query)
        except AnnounceError as error:
            return AnnounceResponse(failure_reason=str(error)).encode()
        found = {info_hash: self._registry.scrape(info_hash, now) for info_hash in hashes}
        return encode_scrape({key: entry for key, entry in found.items() if entry is not None})


def _text(status: int, content: bytes, *, keep_alive: bool) -> ResponseHead:
    headers: Headers = (("Content-Type", "text/plain"), ("Content-Length", str(len(content))))
    if not keep_alive:
        headers = (*headers, ("Connection", "close"))
    return ResponseHead(status, headers, content)
