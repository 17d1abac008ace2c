"""Who takes part in a trial, and where: the same for both architectures and both worlds.

`servers.build` and `peers.build` each provide a `Cast`. A trial asks it for its places, gives every
place a station in some world, and starts them in the order of `STARTING_ORDER`: those who must be
found are up, and their addresses known, before those who look for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from testbed.links import ORIGIN_CLASS, Links
from testbed.node import Address, Node, NodeId
from testbed.storage import Storage
from testbed.wire import Wire

Role = Literal["origin", "client", "tracker", "relay"]
"""`relay`: a host that has nothing at the start, takes the origin's file and serves it to clients."""

STARTING_ORDER: tuple[Role, ...] = ("tracker", "relay", "origin", "client")

ORIGIN = NodeId(0)
"""The node that has the file at the start; clients follow as 1..N, others after them."""

Known = Mapping[Role, Sequence[Address]]
"""Where the nodes of each role are that were started so far, in the order of their ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One node's role and links. Its address is given by the world it lives in."""

    node_id: NodeId
    role: Role
    accepts: str | None
    """Name of the wire on which it takes links; None: it only dials."""
    uplink_bytes_per_second: float
    downlink_bytes_per_second: float
    latency_seconds: float
    """One way, on everything it sends; pairs of classes may have another (`Links.pairs`)."""
    class_name: str = ORIGIN_CLASS
    """Whose line it has: the origin's, or that of a class of clients."""
    loss_fraction: float = 0.0


def origin_and_clients(
    links: Links, clients: int, *, origin_accepts: str, clients_accept: str | None, origins: int = 1
) -> tuple[Place, ...]:
    """Give the places that both architectures have: on the same links, which is the point.

    Every origin has a line of its own. The first is node 0; further ones are numbered after the
    clients, so that a client has the same number however many there are.
    """
    first, *further = (
        Place(
            node_id=node_id,
            role="origin",
            accepts=origin_accepts,
            uplink_bytes_per_second=links.origin_uplink_bytes_per_second,
            downlink_bytes_per_second=links.origin_downlink_bytes_per_second,
            latency_seconds=links.latency_seconds,
            loss_fraction=links.loss_fraction,
        )
        for node_id in (ORIGIN, *map(NodeId, range(clients + 1, clients + origins)))
    )
    others = (
        Place(
            node_id=NodeId(number),
            role="client",
            accepts=clients_accept,
            uplink_bytes_per_second=one.uplink_bytes_per_second,
            downlink_bytes_per_second=one.downlink_bytes_per_second,
            latency_seconds=one.latency_seconds,
            class_name=one.name,
            loss_fraction=one.loss_fraction,
        )
        for number, one in enumerate(links.classes_of(clients), start=1)
    )
    return (first, *others, *further)


def pair_delays(
    links: Links, places: Iterable[Place], host_of: Callable[[NodeId], str]
) -> dict[str, dict[str, float]]:
    """Say which delays pairs of classes have of their own.

    Args:
      links: The lines.
      places: All nodes. Those of the origin's class are the origins and the tracker beside them.
      host_of: Where a node lives in this world.

    Returns:
      By the sender's class: the hosts of the receivers, and the seconds it takes to them.
    """
    delays: dict[str, dict[str, float]] = {}
    if not links.pairs:
        return delays
    hosts: dict[str, list[str]] = {}
    for place in places:
        hosts.setdefault(place.class_name, []).append(host_of(place.node_id))
    for sender in hosts:
        for receiver, there in hosts.items():
            seconds = links.latency_between(sender, receiver)
            if seconds is not None:
                delays.setdefault(sender, {}).update(dict.fromkeys(there, seconds))
    return delays


class Cast(Protocol):
    """Everybody who takes part in one trial of one architecture."""

    architecture: str
    """`server` or `swarm`."""

    @property
    def places(self) -> tuple[Place, ...]:
        """All nodes, by node_id."""

    @property
    def wires(self) -> Mapping[str, Wire]:
        """The protocols that live links need, by name."""

    def node(
        self,
        place: Place,
        known: Known,
        storage: Storage | None,
    ) -> Node:
        """Make the node of a place. Where it lives it hears when it is started.

        Args:
          place: One of `places`.
          known: Addresses of the roles started before it.
          storage: The whole file for an origin, an empty one for a client, an empty folder for a
            relay, None for a tracker.
        """

    def successor(
        self,
        place: Place,
        known: Known,
        storage: Storage | None,
        before: Node,
        session: int,
    ) -> Node:
        """Make the node that goes on at another address with what one before it had of the file.

        Args:
          place: Of an origin or a client.
          known: As for `node`.
          storage: What the node before it has filled.
          before: That node; it has stopped.
          session: Which node of this place it is; the first was 0.
        """
