"""A node's place in a world: applies its effects, feeds it its events, keeps its ledger.

Both worlds subclass `Station` and `Link`, so the rules of the node contract (who waits for the
uplink, what a control message waits for, when a link counts as having room) are written once. A
world adds only how bytes get from one link's end to the other's, and what time it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol

from testbed.link import Pacer, RateMeter
from testbed.node import (
    Address,
    Departed,
    Dial,
    Effect,
    Event,
    Finished,
    HangUp,
    Ledger,
    LinkDown,
    LinkId,
    LinkUp,
    Message,
    Node,
    Observe,
    Received,
    Send,
    SendEach,
    Started,
    Stopping,
    Transfer,
    Woken,
    Writable,
)

STALLED = "stalled"
"""Why a link ended that could send nothing for too long: the remote asks and does not read."""


class Clock(Protocol):
    """What a station needs of its world: the time, and to be called later."""

    def now(self) -> float:
        """Seconds since the trial began."""

    def call_at(self, when: float, function: Callable[..., None], *args: object) -> None:
        """Call at `when`, or as soon as possible after it; in order of `when`, then of asking."""


class Link:
    """One end of a connection. A world subclasses it and moves the bytes."""

    __slots__ = ("blocked", "clear_at", "id", "latency_seconds", "remote", "station", "up")

    def __init__(self, station: Station, link_id: LinkId, remote: Address) -> None:
        self.station = station
        self.id = link_id
        self.remote = remote
        self.latency_seconds = station.latency_to(remote)
        self.clear_at = 0.0
        """When the last payload reserved on this link departs: control messages wait for it."""
        self.up = False
        """The node knows of it: from `LinkUp` until it hangs up or hears `LinkDown`."""
        self.blocked = False
        """The node was told that there is no room; it is owed a `Writable`."""

    @property
    def has_room(self) -> bool:
        """Whether the far end, or the way there, takes more payload."""
        raise NotImplementedError

    def transmit(self, message: Message) -> None:
        """Put a message on its way: it has departed, and the delay of the link has passed.

        After the link has ended it does nothing.
        """
        raise NotImplementedError

    def hang_up(self) -> None:
        """End the link after all that was transmitted."""
        raise NotImplementedError


class Station:
    """One node at work in a world.

    Args:
      clock: The world's time.
      node: The participant.
      address: Where it lives; links it dials leave from this host.
      uplink: Its outgoing line. Infinite rate means unshaped.
      downlink: Its incoming line.
      latency_seconds: One way, added to what the machine has, on everything this node sends.
      delays: Hosts to which it is another.
    """

    __slots__ = (
        "_alarm_at",
        "_busy",
        "_delays",
        "_next_link",
        "_payload_waiting",
        "_queue",
        "address",
        "clock",
        "downlink",
        "downlink_meter",
        "latency_seconds",
        "ledger",
        "links",
        "node",
        "on_finished",
        "on_transfer",
        "transfers",
        "uplink",
        "uplink_meter",
    )

    def __init__(
        self,
        clock: Clock,
        node: Node,
        address: Address,
        uplink: Pacer,
        downlink: Pacer,
        latency_seconds: float = 0.0,
        delays: Mapping[str, float] | None = None,
    ) -> None:
        self.clock = clock
        self.node = node
        self.address = address
        self.uplink = uplink
        self.downlink = downlink
        self.latency_seconds = latency_seconds
        self._delays = delays or {}
        self.ledger = Ledger()
        self.transfers: list[Transfer] = []
        self.on_transfer: Callable[[Transfer], None] = self.transfers.append
        """Takes what the node observes; whoever keeps it elsewhere replaces this."""
        self.links: dict[LinkId, Link] = {}
        self.uplink_meter = RateMeter(uplink)
        self.downlink_meter = RateMeter(downlink)
        self.on_finished: Callable[[Station], None] | None = None
        self._queue: list[
            Event
        ] = []  # A deque takes 600 bytes when it is empty, as it nearly always is.
        self._busy = False
        self._payload_waiting = 0
        self._alarm_at = math.inf
        self._next_link = 0

    def latency_to(self, remote: Address) -> float:
        """How long what this node sends to `remote` takes on its way, in seconds."""
        return self._delays.get(remote[0], self.latency_seconds)

    # --- What a world calls -----------------------------------------------------------------

    def start(self, scheduled_seconds: float) -> None:
        """Let the node begin."""
        now = self.clock.now()
        if self.ledger.joined_seconds is None:
            self.ledger.joined_seconds = now
        # A newcomer's lines were not idle before it came: it has no burst to its credit yet.
        self.uplink.free_at = max(self.uplink.free_at, now)
        self.downlink.free_at = max(self.downlink.free_at, now)
        self.feed(Started(self.address, scheduled_seconds))

    def start_anew(self, scheduled_seconds: float) -> None:
        """Let a node that is done begin once more, where it is: a client of a closed load."""
        self.ledger.finished_seconds = None
        self.ledger.verified = False
        self.feed(Started(self.address, scheduled_seconds))

    def stop(self) -> None:
        """Let the node begin nothing new."""
        self.feed(Stopping())

    def new_link_id(self) -> LinkId:
        """Give the next link its number: the order of this node's links, never reused."""
        self._next_link += 1
        return LinkId(self._next_link)

    def link_is_up(self, link: Link, *, dialled: bool, wire: str) -> None:
        """Enter a link that is open now, and tell the node."""
        self.links[link.id] = link
        link.up = True
        if dialled:
            self.ledger.connections_dialled += 1
        else:
            self.ledger.connections_accepted += 1
        self.feed(LinkUp(link.id, link.remote, dialled, wire))

    def link_is_down(self, link: Link, reason: str, *, violation: bool = False) -> None:
        """Strike out a link that the other side or the network ended, and tell the node."""
        if violation:
            self.count_violation(reason)
        link.up = False
        if self.links.pop(link.id, None) is not None:
            self.feed(LinkDown(link.id, reason))

    def let_go(self, link: Link) -> None:
        """Strike out a link of which the node hears nothing more."""
        link.up = False
        self.links.pop(link.id, None)

    def count_violation(self, reason: str) -> None:
        """Count a link that ended for a fault of the remote."""
        counts = self.ledger.violations
        counts[reason] = counts.get(reason, 0) + 1

    def receive(self, link: Link, message: Message) -> None:
        """Hand a whole message to the node, unless it has hung up meanwhile."""
        if link.up:
            self.feed(Received(link.id, message))
        else:
            self.ledger.discarded_payload_bytes += message.payload_bytes

    def has_room_again(self, link: Link) -> None:
        """Tell the node, if it was told that there is none."""
        if link.blocked and link.up:
            link.blocked = False
            self.feed(Writable(link.id))

    def feed(self, event: Event) -> None:
        """Give the node one event and apply what it orders. Never re-enters the node."""
        if self._busy:
            self._queue.append(event)
        else:
            self.take(event, self.clock.now())

    def take(self, event: Event, now: float) -> None:
        """Feed an event to a node that is known not to be at work. `now`: the clock's time."""
        node = self.node
        effects = node.handle(event, now)
        if effects:
            self.carry_out(effects, now)
        deadline = node.deadline
        if deadline is not None and deadline < self._alarm_at:
            self.set_alarm(deadline)

    def _uplink_idles(self) -> None:
        self.uplink.backlogged = False
        self.uplink_meter.idle()

    # --- What a world provides --------------------------------------------------------------

    def dial(self, remote: Address, wire: str) -> None:
        """Open a link; answer with `link_is_up` or by feeding `DialFailed`."""
        raise NotImplementedError

    # --- Rules of the contract --------------------------------------------------------------

    def carry_out(self, effects: list[Effect], now: float) -> None:
        """Apply effects, and those of the events that arise meanwhile."""
        queue = self._queue
        self._busy = True
        try:
            while True:
                for effect in effects:
                    if type(effect) is Send:
                        self.send(effect.link, effect.message, now)
                    elif type(effect) is SendEach:
                        self.send_each(effect.links, effect.message, now)
                    else:
                        self._apply(effect, now)
                if not queue:
                    return
                now = self.clock.now()
                effects = self.node.handle(queue.pop(0), now)
        finally:
            self._busy = False
            if not self._payload_waiting and self.uplink.backlogged:
                self._uplink_idles()

    def _apply(self, effect: Effect, now: float) -> None:
        kind = type(effect)
        if kind is Dial:
            self.dial(effect.remote, effect.wire)  # type: ignore[union-attr]
        elif kind is HangUp:
            self._hang_up(effect, now)  # type: ignore[arg-type]
        elif kind is Observe:
            self.on_transfer(effect.transfer)  # type: ignore[union-attr]
        elif kind is Finished:
            self._finish(effect, now)  # type: ignore[arg-type]

    def send(self, link_id: LinkId, message: Message, now: float) -> None:
        """Send one message. A world may do what this does in fewer steps."""
        link = self.links.get(link_id)
        if link is None:
            # The link went down in the same moment; the node learns it from the queue. It may be
            # waiting for the uplink, which this message never took.
            if message.payload_bytes:
                self._queue.append(Departed(link_id, False))
            return
        departs_at = self.uplink.reserve(message.size_bytes, now)
        if message.payload_bytes:
            self._send_payload(link, message, departs_at if departs_at > now else now, now)
            return
        # A control message leaves at once, behind the payload of its own link only. Payload that is
        # due to leave at this very moment may not have left yet.
        if link.clear_at < now:
            enters_at = now + link.latency_seconds
            if enters_at == now:
                link.transmit(message)
                return
        else:
            enters_at = link.clear_at + link.latency_seconds
        self.clock.call_at(enters_at, link.transmit, message)

    def send_each(self, link_ids: list[LinkId], message: Message, now: float) -> None:
        """Send a control message on many links; those that wait for the same moment go together."""
        links = self.links
        together: dict[float, list[Link]] = {}
        for link_id in link_ids:
            link = links.get(link_id)
            if link is None:
                continue
            if link.clear_at < now:
                alike = together.get(link.latency_seconds)
                if alike is None:
                    together[link.latency_seconds] = [link]
                else:
                    alike.append(link)
            else:
                self.send(link_id, message, now)
        for latency_seconds, alike in together.items():
            self.uplink.reserve(len(alike) * message.size_bytes, now)
            enters_at = now + latency_seconds
            if enters_at == now:
                self.transmit_each(alike, message)
            else:
                self.clock.call_at(enters_at, self.transmit_each, alike, message)

    def transmit_each(self, links: list[Link], message: Message) -> None:
        """Put a control message on its way on many links; a world may do it in one step."""
        for link in links:
            link.transmit(message)

    def _send_payload(self, link: Link, message: Message, departs_at: float, now: float) -> None:
        link.clear_at = departs_at
        self._payload_waiting += 1
        self.uplink.backlogged = True
        if link.latency_seconds:
            # Asked for before the departure, so that nothing sent later overtakes it.
            self.clock.call_at(departs_at + link.latency_seconds, link.transmit, message)
            self.clock.call_at(departs_at, self._depart, link, None)
        elif departs_at > now:
            self.clock.call_at(departs_at, self._depart, link, message)
        else:
            self._depart(link, message)

    def _depart(self, link: Link, message: Message | None) -> None:
        """The payload has left this node's line: free it, and let the message travel."""
        if message is not None:
            link.transmit(message)
        self._payload_waiting -= 1
        self.uplink_meter.passed(self.uplink.reserved_bytes, self.clock.now())
        up = link.up
        writable = up and link.has_room
        link.blocked = up and not writable
        self.feed(Departed(link.id, writable))
        if not self._payload_waiting and self.uplink.backlogged and not self._busy:
            self._uplink_idles()

    def _hang_up(self, effect: HangUp, now: float) -> None:
        link = self.links.get(effect.link)
        if link is None:
            return
        self.let_go(link)
        if effect.violation:
            self.count_violation(effect.reason)
        waits_until = max(link.clear_at, now) + link.latency_seconds
        if waits_until > now or link.clear_at == now:
            self.clock.call_at(waits_until, link.hang_up)
        else:
            link.hang_up()

    def _finish(self, effect: Finished, now: float) -> None:
        self.ledger.finished_seconds = now if effect.verified else None
        self.ledger.verified = effect.verified
        self.ledger.outcome = effect.reason
        if self.on_finished is not None:
            self.on_finished(self)

    # --- The node's deadline ----------------------------------------------------------------

    def set_alarm(self, deadline: float) -> None:
        """Wake the node at its deadline, or sooner if it has a sooner one by then."""
        self._alarm_at = deadline
        self.clock.call_at(deadline, self._ring, deadline)

    def _ring(self, rang_for: float) -> None:
        if rang_for != self._alarm_at:
            return  # An earlier deadline replaced this one and has been served.
        self._alarm_at = math.inf
        deadline = self.node.deadline
        if deadline is None:
            return
        if deadline <= self.clock.now():
            self.feed(Woken())
        else:
            self.set_alarm(deadline)
