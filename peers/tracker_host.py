"""Where one tracker runs by itself: over HTTP and UDP at the same port, until it is told to stop."""

from __future__ import annotations

import math
import random
import secrets
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

import trio

from peers.core.introduction import TRACKER_WIRE
from peers.limits import Limits
from peers.registry import Registry
from peers.tracker import TrackerNode
from peers.udp_tracker import MAX_DATAGRAM_BYTES, UdpTracker
from servers.wire import Http
from testbed.link import Pacer
from testbed.live import LiveStation, LiveWorld
from testbed.node import Address

#: What is under way when the tracker is told to stop may go on for so long.
DRAIN_SECONDS = 5.0

#: Datagrams answered before others get their turn.
DATAGRAMS_A_TURN = 256

#: Links that the tracker has hung up and that wait for the other side to do so; not open any more.
CLOSING_CONNECTIONS = 64

#: A free port of one kind may be taken for the other; then another one is tried.
PORT_TRIES = 16


class UdpPort:
    """A tracker's ear for datagrams. Raises `OSError` if the port is taken."""

    def __init__(self, world: LiveWorld, tracker: UdpTracker, address: Address) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_DGRAM)
        self._world = world
        self._tracker = tracker
        self._closed = False
        try:
            self._sock.setblocking(False)
            if family == socket.AF_INET6:
                self._sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._sock.bind(address)
        except OSError:
            self._sock.close()
            raise
        self.address: Address = self._sock.getsockname()[:2]
        world.watch(self._sock, self._on_news)

    def close(self) -> None:
        """Hear no more."""
        if not self._closed:
            self._closed = True
            self._world.forget(self._sock)

    def _on_news(self, _mask: int = 0) -> None:
        for _ in range(DATAGRAMS_A_TURN):
            if self._closed:
                return
            try:
                datagram, remote = self._sock.recvfrom(MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError:
                continue  # An answer of before met nobody.
            answer = self._tracker.answer(datagram, remote[:2], self._world.now())
            if answer is None:
                continue
            try:
                self._sock.sendto(answer, remote)
            except OSError:
                continue  # As good as lost.
        self._world.call_at(self._world.now(), self._on_news)


def _listen(world: LiveWorld, address: Address, limits: Limits) -> tuple[LiveStation, UdpPort]:
    """Listen for both kinds at one port."""
    registry = Registry(rng=random.Random(secrets.randbits(64)))
    datagrams = UdpPort(world, UdpTracker(registry, secrets.token_bytes(32)), address)
    try:
        station = world.add(
            TrackerNode(
                registry, idle_seconds=limits.handshake_seconds, connections=limits.connections
            ),
            datagrams.address,
            {TRACKER_WIRE: Http(bodies_are_payload=False)},
            accepts=TRACKER_WIRE,
            uplink=Pacer(math.inf),
            downlink=Pacer(math.inf),
            connection_limit=limits.connections + CLOSING_CONNECTIONS,
        )
    except OSError:
        datagrams.close()
        raise
    return station, datagrams


def _listen_somewhere(world: LiveWorld, host: str, limits: Limits) -> tuple[LiveStation, UdpPort]:
    for _ in range(PORT_TRIES - 1):
        try:
            return _listen(world, (host, 0), limits)
        except OSError:
            continue
    return _listen(world, (host, 0), limits)


@dataclass(frozen=True, slots=True)
class Tracked:
    """How a tracker's time went."""

    ended_by: signal.Signals
    answered: int
    """Announces and scrapes over HTTP."""
    violations: dict[str, int]


async def track(
    host: str, port: int, limits: Limits, on_listening: Callable[[Address], None]
) -> Tracked:
    """Introduce peers to each other until SIGINT or SIGTERM.

    Raises:
      OSError: the address cannot be listened at.
    """
    world = LiveWorld(stall_seconds=limits.stall_seconds)
    datagrams: UdpPort | None = None
    try:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            station, datagrams = (
                _listen(world, (host, port), limits) if port else _listen_somewhere(world, host, limits)
            )
            station.start(0.0)
            async with trio.open_nursery() as nursery:
                await nursery.start(world.run)
                on_listening(station.address)
                ended_by = signal.Signals(await anext(signals))
                datagrams.close()
                await world.drain(DRAIN_SECONDS)
                nursery.cancel_scope.cancel()
    finally:
        if datagrams is not None:
            datagrams.close()
        world.close()
    ledger = station.ledger
    return Tracked(ended_by, station.node.tally.requests_served, dict(ledger.violations))
