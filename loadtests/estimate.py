"""What a run will take, known before it starts: time, open files, room on the disk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analysis.theory import bounds
from analysis.theory.allocation import unequal_server_seconds, unequal_swarm_seconds
from analysis.theory.balancing import fullest_origin_seconds, random_fullest_share
from loadtests.order import Slot
from loadtests.plan import Architecture
from servers.settings import ServerSettings, read_settings
from testbed.arrivals import mean_due_seconds
from testbed.load import expected_bytes
from testbed.scenario import Scenario

#: Starting, setting up, draining, verifying and stopping: measured on two cores with the default
#: scenario, 0.9-1.3 s.
OVERHEAD_SECONDS = 1.1

#: Each further process of a trial: an interpreter's start, on one of two cores.
PROCESS_SECONDS = 0.15

#: Share of its bound at which each architecture usually runs.
USUAL_EFFICIENCY: Mapping[Architecture, float] = {"server": 0.99, "swarm": 0.94}

#: What a 16 KiB block costs in virtual time, for each digit of N and two more: measured from N = 10 to
#: 10,000. More nodes are more memory to walk through.
SIMULATED_BLOCK_SECONDS: Mapping[Architecture, float] = {"server": 7e-6, "swarm": 30e-6}
BLOCK_BYTES = 16 << 10

#: Reading the content, making the nodes, writing the rows.
SIMULATED_OVERHEAD_SECONDS = 0.05

#: Standard streams, epoll, the control socket, listeners, modules being read, a log.
SPARE_FILES = 64


def trial_seconds(slot: Slot, scenario: Scenario, file_bytes: int, world: str = "live") -> float:
    """Estimate one trial's wall time: live, its bound and what surrounds it; else its computation."""
    if world == "flow":
        return SIMULATED_OVERHEAD_SECONDS
    if world == "simulated":
        each_bytes = expected_bytes(scenario.sizes, file_bytes)
        blocks = slot.clients * math.ceil(each_bytes / BLOCK_BYTES) + _repeated_blocks(scenario)
        each = SIMULATED_BLOCK_SECONDS[slot.architecture] * (2 + math.log10(slot.clients))
        return SIMULATED_OVERHEAD_SECONDS + blocks * each
    placement = scenario.placement(slot.repeat)
    processes = slot.clients if placement == "one each" else 0
    usual = bound_seconds(slot.architecture, slot.clients, scenario, file_bytes)
    usual /= USUAL_EFFICIENCY[slot.architecture]
    if slot.architecture == "server":
        usual *= _unevenness(slot.clients, _server_settings(scenario))
    last_due = mean_due_seconds(scenario.arrivals, slot.clients, slot.clients - 1)
    usual = max(usual, last_due) + scenario.repetition.again_seconds
    return usual + OVERHEAD_SECONDS + PROCESS_SECONDS * processes


def bound_seconds(
    architecture: Architecture, clients: int, scenario: Scenario, file_bytes: int
) -> float:
    """The bound on a flash crowd's makespan: fluid, and with several servers that of the fullest."""
    links = scenario.links
    origin = links.origin_uplink_bytes_per_second
    origins = _server_settings(scenario).origins if architecture == "server" else 1
    file_bytes = round(expected_bytes(scenario.sizes, file_bytes))
    if links.classes:
        lines = links.classes_of(clients)
        uplinks = [one.uplink_bytes_per_second for one in lines]
        downlinks = [one.downlink_bytes_per_second for one in lines]
        if architecture == "server":
            fullest = fullest_origin_seconds(file_bytes, origin, clients, origins)
            return max(float(fullest), float(unequal_server_seconds(file_bytes, math.inf, downlinks)))
        return float(unequal_swarm_seconds(file_bytes, origin, uplinks, downlinks))
    if architecture == "server":
        fullest = fullest_origin_seconds(file_bytes, origin, clients, origins)
        fluid = bounds.server_seconds(
            file_bytes, origin, links.client_downlink_bytes_per_second, clients, origins=origins
        )
        return max(float(fullest), fluid)
    return bounds.swarm_seconds(
        file_bytes,
        origin,
        links.client_uplink_bytes_per_second,
        links.client_downlink_bytes_per_second,
        clients,
    )


def _repeated_blocks(scenario: Scenario) -> float:
    """How many blocks a server sends to clients that begin anew, at most."""
    seconds = scenario.repetition.again_seconds
    return seconds * scenario.links.origin_uplink_bytes_per_second / BLOCK_BYTES if seconds else 0.0


def _server_settings(scenario: Scenario) -> ServerSettings:
    return read_settings(scenario.tables.get("servers", {}), scenario.source)


def _unevenness(clients: int, settings: ServerSettings) -> float:
    """By how much chance lengthens a run whose clients could have been dealt out evenly."""
    if settings.choice != "random" or settings.origins == 1:
        return 1.0
    mean = clients / settings.origins
    return random_fullest_share(clients, settings.origins) * mean / math.ceil(mean)


def run_seconds(
    slots: Iterable[Slot], scenario: Scenario, file_bytes: int, world: str = "live"
) -> float:
    """Estimate the wall time of all trials."""
    return sum(trial_seconds(slot, scenario, file_bytes, world) for slot in slots)


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """The most open files one process of the run needs, and where."""

    count: int
    architecture: Architecture
    clients: int


def open_files(slots: Iterable[Slot], scenario: Scenario, neighbours: int) -> OpenFiles:
    """Estimate the open files of the busiest process of a run.

    Args:
      slots: The trials.
      scenario: Says how roles share processes.
      neighbours: To how many others a peer keeps a link.
    """
    return max(
        (
            OpenFiles(_files_of(slot, scenario, neighbours), slot.architecture, slot.clients)
            for slot in slots
        ),
        key=lambda files: files.count,
    )


def _files_of(slot: Slot, scenario: Scenario, neighbours: int) -> int:
    clients = slot.clients
    together = scenario.placement(slot.repeat) == "together"
    apart = scenario.placement(slot.repeat) == "origin apart"
    if slot.architecture == "server":
        # A client has its file and its link; the origin has the other end of each link.
        busiest = 2 * clients if apart else clients
        return (3 * clients if together else busiest) + SPARE_FILES
    # A peer has its file, its listener, a link to the tracker and its ends of links to others.
    links = min(neighbours, clients)
    if together:
        return clients * (links + 5) + neighbours + SPARE_FILES
    return (clients * (links + 3) if apart else clients + links) + SPARE_FILES
