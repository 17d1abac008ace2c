"""Which nodes share a process: the placements of a scenario, as lists of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from testbed.cast import ORIGIN, Place
from testbed.errors import LocalMisuse

#: From so many clients on they share two processes. A swarm of 32 in one took 74-80 % of a core on a
#: 2-core machine, and at 80 % a run is void: the node host would be what was measured.
CROWD = 16
CROWD_PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Tenancy:
    """One process and the nodes it runs."""

    process: int
    """Its number among the processes of the trial."""
    name: str
    """For reasons and log files: `the origin's process`."""
    role: str
    """Whose nodes it runs, the tracker not counted: `origin`, `client`, `mixed` or `tracker`."""
    node_ids: tuple[int, ...]


def place_in_processes(places: Sequence[Place], placement: str) -> list[Tenancy]:
    """Give every node a process.

    Args:
      places: All nodes of a trial.
      placement: One of `testbed.scenario.PLACEMENTS`.
    """
    everybody = tuple(int(place.node_id) for place in places)
    clients = tuple(int(place.node_id) for place in places if place.role == "client")
    if placement == "together":
        return [Tenancy(0, "the process of all nodes", "mixed", everybody)]
    if placement == "origin apart":
        others = tuple(node for node in everybody if node not in set(clients))
        parts = CROWD_PROCESSES if len(clients) >= CROWD else 1
        return [
            Tenancy(0, "the origin's process", "origin", others),
            *(
                Tenancy(1 + part, "the clients' process", "client", clients[part::parts])
                for part in range(parts)
            ),
        ]
    if placement == "one each":
        return [
            Tenancy(number, _name(place), place.role, (int(place.node_id),))
            for number, place in enumerate(places)
        ]
    raise LocalMisuse(f"no such placement: {placement!r}")


def _name(place: Place) -> str:
    if place.role == "client":
        return f"client {place.node_id}'s process"
    if place.role == "origin" and place.node_id != ORIGIN:
        return f"origin {place.node_id}'s process"
    return f"the {place.role}'s process"
