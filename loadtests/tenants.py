"""The nodes of one process: made, started, sampled and put on record.

Everything here happens in the live world's one task, except `verify`, which runs when it is over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from loadtests.casts import cast_of
from loadtests.control import Collected, Finished
from loadtests.node_rows import SourceNames, node_row, transfer_rows
from loadtests.placement import place_in_processes
from loadtests.plan import TrialPlan
from loadtests.samples import ProcessMeter, node_sample, process_sample
from loadtests.watching import NodeCounters
from testbed.arrivals import parse_departures
from testbed.cast import ORIGIN, Place, Role, pair_delays
from testbed.errors import LocalMisuse
from testbed.link import Pacer
from testbed.live import LiveStation, LiveWorld
from testbed.node import Address, Node
from testbed.record import SampleRow
from testbed.sockets import loopback_host
from testbed.station import Station
from testbed.storage import FileStorage


class Tenants:
    """Some of the nodes of a trial, in one live world.

    Args:
      plan: The trial.
      node_ids: Which nodes live here.
      process: The number of this process in the trial.
      on_finished: Called when a client has what it came for, or never will.
      wrap: Put around every node that is made, for tracing.
    """

    def __init__(
        self,
        plan: TrialPlan,
        node_ids: Sequence[int],
        process: int,
        on_finished: Callable[[Finished], None],
        wrap: Callable[[Place, Node], Node] | None = None,
    ) -> None:
        self.plan = plan
        self.process = process
        self.meter = ProcessMeter()
        self.samples: list[SampleRow] = []
        self.world = LiveWorld()
        self.done = 0
        self._scenario = plan.read_scenario()
        self._content = plan.read_content()
        self._cast = cast_of(plan)
        self._wires = self._cast.wires
        places = self._cast.places
        wanted = set(node_ids)
        self._places = {int(p.node_id): p for p in places if p.node_id in wanted}
        tenancies = place_in_processes(places, plan.placement)
        self._role = next(t.role for t in tenancies if t.process == process)
        self._delays = pair_delays(self._scenario.links, places, loopback_host)
        self._stations: dict[int, LiveStation] = {}
        self._storage: dict[int, FileStorage] = {}
        self._correct: set[int] = set()
        self._on_finished = on_finished
        self._wrap = wrap
        self._seeding_seconds = parse_departures(self._scenario.departures).seeding_seconds

    # --- Making and starting ----------------------------------------------------------------

    def set_up(self, node_ids: Sequence[int], known: Mapping[Role, Address]) -> dict[int, Address]:
        """Make nodes; those that accept links listen from now on.

        Raises:
          OSError: an address cannot be listened at.
          StorageFault: a file cannot be opened or made.
        """
        links = self._scenario.links
        for node_id in node_ids:
            place = self._places[node_id]
            storage = self._storage_of(place)
            node = self._cast.node(place, known, storage)
            station = self.world.add(
                node if self._wrap is None else self._wrap(place, node),
                (loopback_host(place.node_id), 0),
                self._wires,
                accepts=place.accepts,
                uplink=Pacer(place.uplink_bytes_per_second, links.burst_seconds),
                downlink=Pacer(place.downlink_bytes_per_second, links.burst_seconds),
                latency_seconds=place.latency_seconds,
                delays=self._delays.get(place.class_name),
            )
            station.on_finished = self._finish_of(place)
            self._stations[node_id] = station
        return {node_id: self._stations[node_id].address for node_id in node_ids}

    def _storage_of(self, place: Place) -> FileStorage | None:
        if place.role == "tracker":
            return None
        if place.role == "origin":
            storage = FileStorage.of(self._content.path)
        else:
            storage = FileStorage.empty(self._file_of(place.node_id), self._content.size_bytes)
        self._storage[place.node_id] = storage
        return storage

    def _file_of(self, node_id: int) -> Path:
        return Path(self.plan.folder) / f"client-{node_id:06d}.download"

    def start(self, node_id: int, scheduled_seconds: float) -> None:
        """Let a node begin."""
        station = self._stations[node_id]
        if station.ledger.joined_seconds is not None:
            raise LocalMisuse(f"node {node_id} was started twice")
        if self._places[node_id].role == "client":
            self.meter.mark()
        station.start(scheduled_seconds)

    def requests_served(self, node_id: int) -> int:
        """How many requests a node has answered so far."""
        return self._stations[node_id].node.tally.requests_served

    # --- What happens while they run --------------------------------------------------------

    def _finish_of(self, place: Place) -> Callable[[Station], None] | None:
        if place.role != "client":
            return None
        node_id = int(place.node_id)

        def finished(station: Station) -> None:
            ledger = station.ledger
            now = self.world.now()
            self.done += 1
            self.meter.mark()
            firsts = [t.first_byte_seconds for t in station.transfers if t.payload_bytes]
            self._on_finished(
                Finished(
                    node_id=node_id,
                    verified=ledger.verified,
                    reason=ledger.outcome,
                    joined_seconds=ledger.joined_seconds or 0.0,
                    finished_seconds=now,
                    first_byte_seconds=min(firsts, default=None),
                    downloaded_payload_bytes=ledger.downloaded_payload_bytes,
                )
            )
            if self._seeding_seconds < math.inf:
                self.world.call_at(now + self._seeding_seconds, self._leave, station)

        return finished

    def leave_at(self, at_seconds: Mapping[int, float]) -> None:
        """Let nodes leave later, each at its time since the trial's start."""
        for node_id, seconds in at_seconds.items():
            self.world.call_at(seconds, self._leave, self._stations[node_id])

    def _leave(self, station: LiveStation) -> None:
        """Let a node go: nothing new, and each link ends after what is on its way on it."""
        now = self.world.now()
        station.stop_listening()
        station.stop()
        for link in list(station.links.values()):
            station.let_go(link)
            self.world.call_at(max(link.clear_at, now) + link.latency_seconds, link.hang_up)
        station.ledger.left_seconds = now

    @property
    def downloaded_payload_bytes(self) -> int:
        """What all clients here have received."""
        return sum(
            station.ledger.downloaded_payload_bytes
            for node_id, station in self._stations.items()
            if self._places[node_id].role == "client"
        )

    def counters(self) -> list[NodeCounters]:
        """Read what somebody who watches the trial sees of each node; nothing if nobody does."""
        if not self.plan.watch:
            return []
        return [
            NodeCounters(
                node_id,
                station.ledger.uploaded_payload_bytes,
                station.ledger.downloaded_payload_bytes,
                station.node.tally.pieces_held,
            )
            for node_id, station in self._stations.items()
            if self._places[node_id].role != "tracker"
        ]

    def sample(self) -> None:
        """Read all counters now."""
        now = self.world.now()
        rows = [
            node_sample(self.plan, self.process, self._places[node_id], station, now)
            for node_id, station in self._stations.items()
        ]
        lag, self.world.worst_lag_seconds = self.world.worst_lag_seconds, 0.0
        self.samples += rows
        self.samples.append(
            process_sample(self.plan, self.process, self._role, rows, self.meter, now, lag)
        )

    # --- The end ----------------------------------------------------------------------------

    def leave_all(self) -> None:
        """Note that whoever is still here leaves now."""
        now = self.world.now()
        for station in self._stations.values():
            if station.ledger.left_seconds is None:
                station.ledger.left_seconds = now

    def verify(self) -> list[int]:
        """Read every client's file back, compare it with the content, and delete it."""
        for node_id, storage in self._storage.items():
            if node_id == ORIGIN:
                continue
            if storage.sha256() == self._content.sha256:
                self._correct.add(node_id)
            storage.close()
            self._file_of(node_id).unlink(missing_ok=True)
        return sorted(self._correct)

    def collect(self, addresses: Mapping[int, Address]) -> Collected:
        """Make rows of all that was seen.

        Args:
          addresses: Where each node of the trial lives, here or elsewhere.
        """
        sources = SourceNames(addresses)
        reports = [
            meter.report()
            for station in self._stations.values()
            for meter in (station.uplink_meter, station.downlink_meter)
        ]
        violations: dict[str, int] = {}
        for station in self._stations.values():
            for reason, count in station.ledger.violations.items():
                violations[reason] = violations.get(reason, 0) + count
        windows = sum(report.windows for report in reports)
        return Collected(
            nodes=[
                node_row(self.plan, self.process, self._places[n], s, verified=n in self._correct)
                for n, s in self._stations.items()
            ],
            transfers=[
                row
                for n, s in self._stations.items()
                for row in transfer_rows(self.plan, n, s, sources)
            ],
            samples=self.samples,
            violations=violations,
            cpu_fraction=self.meter.cpu_fraction,
            memory_bytes=self.meter.memory_bytes,
            link_rate_windows=windows,
            link_rate_error_max=max(r.worst_error for r in reports) if windows else None,
        )
