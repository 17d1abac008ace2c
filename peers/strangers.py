"""Those who have connected and not said who they are: few, for a short time, and no neighbours yet.

A peer has few places for neighbours, and whoever connects could take one by saying nothing. So a node
hears of a connection when its 68 bytes of handshake are here. Until then it is a socket and a few KB:

* Beyond `Limits.half_open` of them the one that has waited longest is closed for each newcomer. To
  refuse the newcomer would let a few hundred silent ones lock everybody out until their time is up.
* `Limits.handshake_seconds` count from the connection, not from its last byte.
* `Limits.connections` bounds the sockets of all that connected, introduced or not, until closed.
"""

from __future__ import annotations

import socket
from collections import OrderedDict

from peers.limits import Limits
from peers.messages import HANDSHAKE_BYTES
from testbed.live import LiveStation
from testbed.live_link import LiveLink
from testbed.node import Address, LinkId

TOO_MANY_CONNECTIONS = "too many connections"
TOO_MANY_HALF_OPEN = "too many half-open"
NO_HANDSHAKE = "no handshake"


class StrangerLink(LiveLink):
    """The accepting end of a connection: a link of its station as soon as it is introduced."""

    __slots__ = ("_heard_bytes", "_introduced", "_strangers")

    def __init__(
        self,
        strangers: Strangers,
        station: LiveStation,
        link_id: LinkId,
        remote: Address,
        sock: socket.socket,
        wire: str,
    ) -> None:
        super().__init__(station, link_id, remote, sock, wire, dialled=False)
        self._strangers = strangers
        self._heard_bytes = 0
        self._introduced = False
        strangers.sockets += 1

    def come_up(self) -> None:
        """Listen to what it says; the node hears of it later."""
        if self._strangers.admits(self):
            self._up = True
            if self._readable:
                self.read()

    def _take(self, data: memoryview, shaped: bool) -> None:
        if not self._introduced and not self._closing:
            self._heard_bytes += len(data)
            if self._heard_bytes >= HANDSHAKE_BYTES:
                self._introduced = True
                self._strangers.forget(self)
                self.station.link_is_up(self, dialled=False, wire=self._wire_name)
        super()._take(data, shaped)

    def close(self) -> None:
        """Close the socket; its place is free."""
        if self.fileno >= 0:
            self._strangers.sockets -= 1
            self._strangers.forget(self)
        super().close()


class Strangers:
    """All that connected to one station."""

    def __init__(self, station: LiveStation, limits: Limits) -> None:
        """Receive, from now on, those who connect to this station."""
        self.sockets = 0
        """Connections that were accepted and are not closed yet."""
        self._station = station
        self._limits = limits
        self._waiting: OrderedDict[StrangerLink, float] = OrderedDict()
        """Those who have not introduced themselves, and until when they may."""
        self._watched = False
        station.accepted_link = self._received

    @property
    def half_open(self) -> int:
        """Those who have not introduced themselves."""
        return len(self._waiting)

    def _received(
        self,
        station: LiveStation,
        link_id: LinkId,
        remote: Address,
        sock: socket.socket,
        wire: str,
        *,
        dialled: bool,
    ) -> StrangerLink:
        return StrangerLink(self, station, link_id, remote, sock, wire)

    def admits(self, link: StrangerLink) -> bool:
        """Let somebody wait, if need be in the place of another; False: it was closed."""
        if self.sockets > self._limits.connections:
            link.fail(TOO_MANY_CONNECTIONS, violation=True)
            return False
        if len(self._waiting) >= self._limits.half_open:
            next(iter(self._waiting)).fail(TOO_MANY_HALF_OPEN, violation=True)
        world = self._station.world
        until = world.now() + self._limits.handshake_seconds
        self._waiting[link] = until
        if not self._watched:
            self._watched = True
            world.call_at(until, self._end_patience)
        return True

    def forget(self, link: StrangerLink) -> None:
        """It has introduced itself, or is gone."""
        self._waiting.pop(link, None)

    def _end_patience(self) -> None:
        """Close those whose time is up: they are in the order in which they came."""
        world = self._station.world
        while self._waiting:
            link, until = next(iter(self._waiting.items()))
            if until > world.now():
                world.call_at(until, self._end_patience)
                return
            link.fail(NO_HANDSHAKE, violation=True)
        self._watched = False
