"""The node contract: what a participant is told, and what it may order.

A node is one participant of a run: a file host, a downloader, a peer, a tracker. It is pure: it has
no clock, no sockets and no shared randomness. A world (`testbed.live` on real sockets,
`testbed.simulator` in virtual time) tells it what happened and does what it orders:

    effects = node.handle(event, now)

Rules both worlds keep:

* Events that arise while effects are applied join a queue; nothing re-enters a node.
* `Send` of payload reserves the node's uplink at once. When the payload has left, the world says
  `Departed`: the uplink is free. A node that sends its next block only then decides by itself who
  gets the uplink.
* Payload goes only to links with room (`Departed.writable`, `Writable`): one peer that asks and
  never reads cannot hold up the others.
* Control messages (all without payload) are charged to the uplink but leave at once, waiting only
  behind payload on their own link.
* After `HangUp` the node hears nothing more of that link. `LinkDown` says the other side, or the
  network, ended it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NewType, Protocol, runtime_checkable

import msgspec

LinkId = NewType("LinkId", int)
NodeId = NewType("NodeId", int)

#: Host and port, as sockets have them.
Address = tuple[str, int]


@runtime_checkable
class Message(Protocol):
    """What crosses a link. `len(encoded message) == size_bytes`, which a test holds to be true."""

    @property
    def size_bytes(self) -> int:
        """Bytes on the wire, protocol included, TCP/IP not."""

    @property
    def payload_bytes(self) -> int:
        """How many of them are file content. Zero makes it a control message."""


@dataclass(frozen=True, slots=True)
class FileSlice:
    """Payload that is still in a file: the world reads it when it leaves, or lets the kernel.

    `file` is an open descriptor that outlives the message.
    """

    file: int
    offset: int
    nbytes: int


Payload = memoryview | bytes | FileSlice
"""File content on its way. All three have a length in bytes; see `payload_length`."""


# --- Events: what a node is told ------------------------------------------------------------


class Started(msgspec.Struct, frozen=True, gc=False):
    """The run orders this node to begin.

    `address` is where it lives, with the port it listens at, or 0 if it only dials.
    `scheduled_seconds` is when it was meant to begin, from which latency is counted.
    """

    address: Address
    scheduled_seconds: float = 0.0


class Stopping(msgspec.Struct, frozen=True, gc=False):
    """The run orders this node to begin nothing new: send no further payload, dial no one."""


class LinkUp(msgspec.Struct, frozen=True, gc=False):
    """A link is open. `remote` is where the other side is, as this side sees it."""

    link: LinkId
    remote: Address
    dialled: bool
    wire: str


class DialFailed(msgspec.Struct, frozen=True, gc=False):
    """Nobody answered at `remote`."""

    remote: Address
    wire: str
    reason: str


class LinkDown(msgspec.Struct, frozen=True, gc=False):
    """The other side, or the network, ended this link; `reason` is for counting."""

    link: LinkId
    reason: str


class Received(msgspec.Struct, frozen=True, gc=False):
    """A whole message has arrived, at the pace of this node's downlink."""

    link: LinkId
    message: Message


class Departed(msgspec.Struct, frozen=True, gc=False):
    """The payload last sent has left: the uplink is free. `writable`: the link has room for more."""

    link: LinkId
    writable: bool


class Writable(msgspec.Struct, frozen=True, gc=False):
    """A link that had no room has room again."""

    link: LinkId


class Woken(msgspec.Struct, frozen=True, gc=False):
    """The node's deadline has passed."""


Event = Started | Stopping | LinkUp | DialFailed | LinkDown | Received | Departed | Writable | Woken


# --- Effects: what a node orders ------------------------------------------------------------


class Dial(msgspec.Struct, frozen=True, gc=False):
    """Open a link. Answered by `LinkUp` with `dialled`, or by `DialFailed`."""

    remote: Address
    wire: str


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send one message. To a link that is already gone it is dropped (`LinkDown` is on its way)."""

    link: LinkId
    message: Message


class SendEach(msgspec.Struct, frozen=True, gc=False):
    """Send one control message on each of these links: the same as a `Send` for each, in this order.

    HAVE goes to some twenty neighbours at once and is half of all messages: one effect in place of
    twenty, and in the simulated world one call.
    """

    links: list[LinkId]
    message: Message


class HangUp(msgspec.Struct, frozen=True, gc=False):
    """End a link once what was sent on it has left. `violation`: the remote broke the protocol."""

    link: LinkId
    reason: str
    violation: bool = False


class Transfer(msgspec.Struct, frozen=True, gc=False):
    """One finished request, as a node saw it; becomes a row of transfers.parquet."""

    unit: str
    """`file` or `piece`."""
    index: int
    source: Address
    scheduled_seconds: float
    started_seconds: float
    first_byte_seconds: float
    finished_seconds: float
    payload_bytes: int
    outcome: str
    """`ok`, or why not."""


class Observe(msgspec.Struct, frozen=True, gc=False):
    """Keep this observation."""

    transfer: Transfer


class Finished(msgspec.Struct, frozen=True, gc=False):
    """This node has what it came for, or knows that it never will."""

    verified: bool
    reason: str = ""


Effect = Dial | Send | SendEach | HangUp | Observe | Finished


# --- The node -------------------------------------------------------------------------------


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A transaction as whoever asked saw it: half of a row of transactions.parquet."""

    source: Address
    asked_seconds: float
    first_byte_seconds: float
    last_byte_seconds: float
    processed_seconds: float
    total_seconds: float
    """From when it asked until it had processed the answer, by a stopwatch of its own."""
    payload_bytes: int


class Answered(msgspec.Struct, frozen=True, gc=False):
    """A transaction as whoever answered saw it: the other half."""

    client: Address
    begun_seconds: float
    """Its first byte had arrived."""
    received_seconds: float
    """All of it."""
    found_seconds: float
    """It was interpreted and the answer was there."""
    sent_seconds: float
    payload_bytes: int
    cached_fraction: float | None
    """Of the file, how much was in the page cache before; None if nobody looked."""


@dataclass(slots=True)
class Tally:
    """What only the node itself can count. Bytes and connections are the world's to count."""

    requests_made: int = 0
    requests_served: int = 0
    wasted_payload_bytes: int = 0
    """Payload received twice, or failing its hash."""
    pieces_held: int = 0
    asked: list[Asked] = field(default_factory=list)
    """Transactions of a client, where a scenario has their steps recorded."""
    answered: list[Answered] = field(default_factory=list)
    """Likewise, of a server."""

    def go_on_from(self, earlier: Tally) -> None:
        """Count on from where an earlier node of the same place was; what it held is another matter."""
        self.requests_made += earlier.requests_made
        self.requests_served += earlier.requests_served
        self.wasted_payload_bytes += earlier.wasted_payload_bytes
        self.asked = earlier.asked
        self.answered[:0] = earlier.answered


class Node(Protocol):
    """One participant. Pure: no clock, no sockets, no shared randomness."""

    tally: Tally

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event and say what should happen. `now`: seconds since the trial began."""

    @property
    def deadline(self) -> float | None:
        """When to send `Woken` if nothing else happens first."""


@dataclass(slots=True)
class Ledger:
    """What a world counted for one node: bytes, connections, and when it came and went."""

    joined_seconds: float | None = None
    finished_seconds: float | None = None
    left_seconds: float | None = None
    verified: bool = False
    outcome: str = ""
    uploaded_payload_bytes: int = 0
    downloaded_payload_bytes: int = 0
    discarded_payload_bytes: int = 0
    """Of what was downloaded: what arrived on links that the node had hung up. Waste."""
    uploaded_wire_bytes: int = 0
    downloaded_wire_bytes: int = 0
    connections_dialled: int = 0
    connections_accepted: int = 0
    violations: dict[str, int] = field(default_factory=dict)
    """How many links ended for a fault of the remote, by reason."""
    sessions: int = 1
    """How often the node came; see `testbed.moving`."""
    away_seconds: float = 0.0
    """Between two sessions, all of them together."""
    went_away_seconds: float | None = None
    """When it went; None while it is there."""
    rediscovery_seconds: float | None = None
    """The longest it took after coming back until content reached it."""
