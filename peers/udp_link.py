"""A peer's talk with a tracker over UDP, in the form of a link.

The peer says the same as over HTTP: a request with the announce in its query. The link carries it in
datagrams (BEP 15) and gives the answer as the one that HTTP would have brought. It sends nothing twice:
a peer whose announce is not answered in time begins anew, ever more rarely.
"""

from __future__ import annotations

import random
import secrets
import socket
from collections.abc import Mapping

from peers.announce import AnnounceError, AnnounceRequest, AnnounceResponse
from peers.core.introduction import TRACKER_WIRE
from peers.udp_tracker import MAX_DATAGRAM_BYTES, UdpAnnounce
from servers.http1 import Request, ResponseHead
from testbed.link import Pacer
from testbed.live import LiveStation, LiveWorld
from testbed.node import Address, DialFailed, LinkId, Message, Node
from testbed.station import Link
from testbed.wire import Wire


def datagram_socket(remote: Address, local_host: str) -> socket.socket:
    """Open a socket to one remote; what others send does not reach it.

    Raises:
      OSError: there is no way there from here.
    """
    family = socket.AF_INET6 if ":" in remote[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if (":" in local_host) == (":" in remote[0]):
            sock.bind((local_host, 0))
        sock.connect(remote)
    except OSError:
        sock.close()
        raise
    return sock


class UdpLink(Link):
    """One announce over UDP."""

    __slots__ = ("_announce", "_rng", "_sock", "_station")

    def __init__(self, station: PeerStation, link_id: LinkId, remote: Address) -> None:
        super().__init__(station, link_id, remote)
        self._station = station
        self._rng = random.Random(secrets.randbits(64))
        self._announce: UdpAnnounce | None = None
        self._sock: socket.socket | None = datagram_socket(remote, station.address[0])
        station.world.watch(self._sock, self._on_news)

    @property
    def has_room(self) -> bool:
        """It takes no payload."""
        return False

    def transmit(self, message: Message) -> None:
        """Begin the announce that is in the query of a request."""
        if isinstance(message, Request) and self._announce is None:
            request = AnnounceRequest.from_query(message.target.partition("?")[2])
            self._announce = UdpAnnounce(request, self.remote, self._rng)
            self._send(self._announce.first())

    def hang_up(self) -> None:
        """Close the socket."""
        if self._sock is not None:
            self._station.world.forget(self._sock)
            self._station.datagram_links.discard(self)
            self._sock = None

    def _send(self, datagram: bytes) -> None:
        if self._sock is None:
            return
        try:
            self._sock.send(datagram)
        except BlockingIOError:
            return  # As good as lost.
        except OSError as error:
            self._fail(error.strerror or type(error).__name__)
            return
        self._station.ledger.uploaded_wire_bytes += len(datagram)

    def _on_news(self, _mask: int) -> None:
        while self._sock is not None:
            try:
                datagram = self._sock.recv(MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError as error:  # Nobody is at that port.
                self._fail(error.strerror or type(error).__name__)
                return
            self._station.ledger.downloaded_wire_bytes += len(datagram)
            if self._announce is not None:
                self._take(self._announce, datagram)

    def _take(self, announce: UdpAnnounce, datagram: bytes) -> None:
        if announce.response is not None:
            return
        try:
            reply = announce.take(datagram)
            response = announce.response
        except AnnounceError as error:
            reply, response = None, AnnounceResponse(failure_reason=str(error))
        if reply is not None:
            self._send(reply)
        if response is not None:
            self._announce = None
            self._station.receive(self, ResponseHead(200, (), response.encode()))

    def _fail(self, reason: str) -> None:
        self.hang_up()
        self._station.link_is_down(self, reason)


class PeerStation(LiveStation):
    """A peer's place in the live world, whose tracker may be spoken to over UDP."""

    def __init__(
        self,
        world: LiveWorld,
        node: Node,
        address: Address,
        wires: Mapping[str, Wire],
        uplink: Pacer,
        downlink: Pacer,
        *,
        udp_tracker: bool,
    ) -> None:
        super().__init__(
            world, node, address, wires, uplink, downlink, latency_seconds=0.0, delays=None
        )
        self.datagram_links: set[UdpLink] = set()
        self._udp_tracker = udp_tracker

    def dial(self, remote: Address, wire: str) -> None:
        """Open a link; the node hears `LinkUp` or `DialFailed`."""
        if wire != TRACKER_WIRE or not self._udp_tracker:
            super().dial(remote, wire)
            return
        try:
            link = UdpLink(self, self.new_link_id(), remote)
        except OSError as error:
            self.feed(DialFailed(remote, wire, error.strerror or type(error).__name__))
            return
        self.datagram_links.add(link)
        self.link_is_up(link, dialled=True, wire=wire)

    def close_datagrams(self) -> None:
        """Close what the world does not know of."""
        for link in list(self.datagram_links):
            link.hang_up()
