"""Stations and links of the simulated world: how messages get from one end to the other.

    sender's uplink ── latency ── receiver's downlink ── node

A message arrives when it has departed and the delay has passed. Payload then waits for the
receiver's downlink, and holds up what follows on its own link; control messages are charged to the
downlink but not held. A link has room while less than a window of payload waits at its far end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from testbed.link import Pacer
from testbed.links import loss_limited_rate
from testbed.node import (
    Address,
    DialFailed,
    Effect,
    LinkId,
    Message,
    Node,
    Received,
    Send,
    SendEach,
)
from testbed.station import Link, Station

if TYPE_CHECKING:
    from testbed.simulator import SimulatedWorld

#: What the far end holds unread: two kernel buffers of 32 KiB in the live world.
WINDOW_BYTES = 64 * 1024

#: Links that are dialled leave from ports like these, as on a real host.
FIRST_DIALLING_PORT = 32_768
DIALLING_PORTS = 28_000

CLOSED = "closed by the remote"


class SimulatedLink(Link):
    """One end of a connection in virtual time."""

    __slots__ = (
        "_arrivals_clear_at",
        "_ended",
        "_waiting_bytes",
        "_waiting_messages",
        "_way",
        "far",
        "short",
    )

    station: SimulatedStation
    far: SimulatedLink
    """The other end."""

    def __init__(self, station: SimulatedStation, link_id: LinkId, remote: Address) -> None:
        super().__init__(station, link_id, remote)
        self._ended = False
        self._waiting_bytes = 0
        """Payload that has arrived here and waits for our downlink."""
        self._waiting_messages = 0
        """Payload messages, and all that arrived behind them."""
        self._arrivals_clear_at = 0.0
        """When the last of the payload passes."""
        self.short = self.latency_seconds == 0
        """It has neither delay nor loss, and has not ended."""
        self._way: Pacer | None = None
        """What loss leaves of the way to the far end; None if nothing is lost."""

    @property
    def has_room(self) -> bool:
        """Whether less than a window waits at the far end."""
        return self.far._waiting_bytes < WINDOW_BYTES

    def narrow(self) -> None:
        """Let loss have its effect, once both ends are known.

        What is lost is sent again, over the same way: TCP hands over in order, so that all that was
        sent later waits. The way carries what Mathis and others found for a loss and a round trip. What
        the second sending takes of the sender's uplink, a share of p, is left out.
        """
        round_trip = self.latency_seconds + self.far.latency_seconds
        rate = loss_limited_rate(self.station.loss_fraction, round_trip)
        if rate < math.inf:
            self._way = Pacer(rate, 0.0)
            self.short = False

    # --- Messages ---------------------------------------------------------------------------

    def transmit(self, message: Message) -> None:
        """Let a message arrive at the far end."""
        if self._ended:
            return
        size, payload = message.size_bytes, message.payload_bytes
        station, far = self.station, self.far
        station.ledger.uploaded_wire_bytes += size
        world = station.world
        if payload:
            station.ledger.uploaded_payload_bytes += payload
            far._waiting_bytes += payload
        if self._way is not None:
            world.call_at(self._way.reserve(size, world.time), self._arrive, message, size, payload)
        else:
            self._arrive(message, size, payload)

    def _arrive(self, message: Message, size: int, payload: int) -> None:
        """The way is behind it: let the far end's downlink have it."""
        far, world = self.far, self.station.world
        passes_at = far.station.downlink.reserve(size, world.time)
        if payload:
            far._waiting_messages += 1
            far._arrivals_clear_at = passes_at
            world.call_at(passes_at, far._payload_passed, message, size, payload)
        elif far._waiting_messages:
            far._waiting_messages += 1
            world.call_at(far._arrivals_clear_at, far._deliver_late, message)
        else:
            world.arrived.append((far, message, size))

    def _deliver_late(self, message: Message) -> None:
        self._waiting_messages -= 1
        deliver(self, message, message.size_bytes)

    def _payload_passed(self, message: Message, size: int, payload: int) -> None:
        """The downlink has taken payload that waited: it has arrived."""
        self._waiting_bytes -= payload
        self._waiting_messages -= 1
        station = self.station
        station.ledger.downloaded_payload_bytes += payload
        station.ledger.downloaded_wire_bytes += size
        station.receive(self, message)
        far = self.far
        if far.blocked and self._waiting_bytes < WINDOW_BYTES:
            far.station.has_room_again(far)

    # --- The end ----------------------------------------------------------------------------

    def hang_up(self) -> None:
        """End the link; the far end hears of it after all that was transmitted."""
        if self._ended:
            return
        self._ended = True
        self.short = False
        world = self.station.world
        if self._way is not None and self._way.free_at > world.time:
            world.call_at(self._way.free_at, self._end_far)
        else:
            self._end_far()

    def _end_far(self) -> None:
        far, world = self.far, self.station.world
        if far._waiting_messages:
            world.call_at(far._arrivals_clear_at, far._ended_by_remote)
        else:
            world.call_soon(far._ended_by_remote)

    def _ended_by_remote(self) -> None:
        self._ended = True
        self.short = False
        self.station.link_is_down(self, CLOSED)


# --- The short way ------------------------------------------------------------------------------
#
# Nearly all messages are control messages that nothing holds up, on links without delay or loss. For
# these, here, in `SimulatedStation.carry_out` and `send_each` and in `SimulatedWorld.run`, the rules of
# `Station.send`, `Link.transmit`, `Pacer.reserve` and `Station.take` are written out once more without
# a call between them, which halves their cost. A test sends the same things both ways. (What a downlink
# has reserved is left uncounted: only a live line's `RateMeter` asks.)


control_bytes: dict[type, int] = {}
"""The size of each kind of control message that has one size, 0 for other kinds. Found out at the first
of a kind: to read both properties of a message costs as much as ten bytecodes."""


def _control_bytes(message: Message) -> int:
    """The size of a control message; 0 for payload."""
    kind = type(message)
    if kind not in control_bytes:
        size, payload = getattr(kind, "size_bytes", None), getattr(kind, "payload_bytes", None)
        control_bytes[kind] = size if isinstance(size, int) and payload == 0 else 0
    return 0 if message.payload_bytes else message.size_bytes


def deliver(link: SimulatedLink, message: Message, size: int) -> None:
    """Hand a control message to the node at this end, which is not at work."""
    station = link.station
    station.ledger.downloaded_wire_bytes += size
    if link.up:
        node, now = station.node, station.world.time
        effects = node.handle(Received(link.id, message), now)
        if effects:
            station.carry_out(effects, now)
        deadline = node.deadline
        if deadline is not None and deadline < station._alarm_at:
            station.set_alarm(deadline)


def deliver_each(links: list[SimulatedLink], message: Message, size: int) -> None:
    """Hand a control message to the nodes at many ends, one after the other."""
    now = links[0].station.world.time
    for link in links:
        station = link.station
        station.ledger.downloaded_wire_bytes += size
        if link.up:
            node = station.node
            effects = node.handle(Received(link.id, message), now)
            if effects:
                station.carry_out(effects, now)
            deadline = node.deadline
            if deadline is not None and deadline < station._alarm_at:
                station.set_alarm(deadline)


class SimulatedStation(Station):
    """A node in virtual time."""

    __slots__ = (
        "_connection_limit",
        "accepts",
        "loss_fraction",
        "world",
    )

    def __init__(
        self,
        world: SimulatedWorld,
        node: Node,
        address: Address,
        uplink: Pacer,
        downlink: Pacer,
        latency_seconds: float,
        connection_limit: int,
        delays: Mapping[str, float] | None,
        loss_fraction: float,
    ) -> None:
        super().__init__(world, node, address, uplink, downlink, latency_seconds, delays)
        self.loss_fraction = loss_fraction
        self.links: dict[LinkId, SimulatedLink] = {}  # type: ignore[assignment]
        self.world = world
        self.accepts = ""
        """The wire of the links it takes; empty if it only dials."""
        self._connection_limit = connection_limit

    # --- Dialling: one round trip -----------------------------------------------------------

    def dial(self, remote: Address, wire: str) -> None:
        """Open a link; the node hears `LinkUp` or `DialFailed` after a round trip."""
        self._after(self.latency_to(remote), self._knock, remote, wire)

    def _knock(self, remote: Address, wire: str) -> None:
        """The dial has reached the remote."""
        other = self.world.listener(remote)
        if other is None or other.accepts != wire:
            self._after(self.latency_to(remote), self._dial_failed, remote, wire)
            return
        link_id = self.new_link_id()
        port = FIRST_DIALLING_PORT + link_id % DIALLING_PORTS
        near = SimulatedLink(self, link_id, remote)
        far = SimulatedLink(other, other.new_link_id(), (self.address[0], port))
        near.far, far.far = far, near
        near.narrow()
        far.narrow()
        # Asked for before anything the remote may say, so that nothing it says comes first.
        self._after(far.latency_seconds, self._come_up, near, wire)
        if len(other.links) >= other._connection_limit:
            other.count_violation("too many connections")
            other._after(far.latency_seconds, far.hang_up)
        else:
            other.link_is_up(far, dialled=False, wire=wire)

    def _come_up(self, link: SimulatedLink, wire: str) -> None:
        self.link_is_up(link, dialled=True, wire=wire)

    def _dial_failed(self, remote: Address, wire: str) -> None:
        self.feed(DialFailed(remote, wire, "Connection refused"))

    def _after(self, seconds: float, function: Callable[..., None], *args: object) -> None:
        if seconds:
            self.world.call_at(self.world.time + seconds, function, *args)
        else:
            self.world.call_soon(function, *args)

    # --- The short way: see above -----------------------------------------------------------

    def carry_out(self, effects: list[Effect], now: float) -> None:
        """Apply effects, and those of the events that arise meanwhile: see `Station`."""
        links, queue, arrived = self.links, self._queue, self.world.arrived
        owed = 0
        self._busy = True
        try:
            while True:
                for effect in effects:
                    if type(effect) is Send:
                        message = effect.message
                        size = control_bytes.get(type(message)) or _control_bytes(message)
                        link = links.get(effect.link)
                        if size and link is not None and link.short and link.clear_at < now:
                            far = link.far
                            if not far._waiting_messages:
                                owed += size
                                downlink = far.station.downlink
                                free_at, earliest = downlink.free_at, now - downlink.burst_seconds
                                downlink.free_at = (
                                    free_at if free_at > earliest else earliest
                                ) + size / downlink.bytes_per_second
                                arrived.append((far, message, size))
                                continue
                        if owed:
                            self._charge(owed, now)
                            owed = 0
                        self.send(effect.link, message, now)
                    elif type(effect) is SendEach:
                        self.send_each(effect.links, effect.message, now)
                    else:
                        self._apply(effect, now)
                if not queue:
                    return
                effects = self.node.handle(queue.pop(0), now)
        finally:
            self._busy = False
            if owed:
                self._charge(owed, now)
            if not self._payload_waiting and self.uplink.backlogged:
                self._uplink_idles()

    def _charge(self, owed: int, now: float) -> None:
        """Let the uplink have the bytes of control messages that went the short way."""
        uplink = self.uplink
        free_at, earliest = uplink.free_at, now - uplink.burst_seconds
        uplink.free_at = (free_at if free_at > earliest else earliest) + owed / uplink.bytes_per_second
        uplink.reserved_bytes += owed
        self.ledger.uploaded_wire_bytes += owed

    def send_each(self, link_ids: list[LinkId], message: Message, now: float) -> None:
        """Send a control message on many links, in one call where nothing holds it up."""
        links, size = self.links, message.size_bytes
        at_once: list[SimulatedLink] = []
        others: list[LinkId] = []
        for link_id in link_ids:
            link = links.get(link_id)
            if link is None:
                continue
            far = link.far
            if not link.short or link.clear_at >= now or far._waiting_messages:
                others.append(link_id)
                continue
            downlink = far.station.downlink
            free_at, earliest = downlink.free_at, now - downlink.burst_seconds
            downlink.free_at = (
                free_at if free_at > earliest else earliest
            ) + size / downlink.bytes_per_second
            at_once.append(far)
        if at_once:
            self._charge(size * len(at_once), now)
            self.world.arrived.append((deliver_each, (at_once, message, size), 0))
        if others:
            super().send_each(others, message, now)

    # --- Leaving ----------------------------------------------------------------------------

    def leave(self) -> None:
        """Let the node go: it begins nothing new, and each link ends after what is on its way."""
        self.world.stop_listening(self)
        self.stop()
        self.end_links()
        self.ledger.left_seconds = self.world.time

    def end_links(self) -> None:
        """End every link after what was sent on it."""
        now = self.world.time
        for link in list(self.links.values()):
            self.let_go(link)
            self.world.call_at(max(link.clear_at, now) + link.latency_seconds, link.hang_up)
