"""The nodes of one process: made, started, sampled and put on record.

Everything here happens in the live world's one task, except `verify`, which runs when it is over.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from loadtests.casts import cast_of
from loadtests.control import Collected, Finished
from loadtests.node_rows import SourceNames, node_row, transfer_rows
from loadtests.placement import place_in_processes
from loadtests.plan import TrialPlan
from loadtests.samples import ProcessMeter, node_sample, process_sample
from loadtests.wandering import Wanderers, peers_known
from loadtests.watching import NodeCounters
from testbed.arrivals import parse_departures
from testbed.cast import Known, Place, pair_delays
from testbed.errors import LocalMisuse
from testbed.link import Pacer
from testbed.live import LiveStation, LiveWorld
from testbed.node import Address, Node, NodeId
from testbed.record import SampleRow
from testbed.replacement import REPLACED, WHOLE, new_version, parse_replacement, state_of
from testbed.sessions import address_number
from testbed.sockets import loopback_host
from testbed.station import Station
from testbed.storage import FileStorage, FolderStorage


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
        self._replacement = parse_replacement(self._scenario.origin_replaces_file)
        self._new_version = b""
        if self._replacement is not None:
            self._new_version = new_version(self._content.size_bytes, self._scenario.seed)
        self._states: dict[int, str] = {}
        self._wanted_bytes = plan.wanted_bytes()
        self._is_repeated = self._scenario.repetition.is_closed
        self._delays = pair_delays(self._scenario.links, places, loopback_host)
        self.moved: dict[int, list[Address]] = {}
        """Where nodes have lived since they came for a second time."""
        self._all_nodes = len(places)
        self._nodes: dict[int, Node] = {}
        self._known: dict[int, Known] = {}
        self._stations: dict[int, LiveStation] = {}
        self._wanderers = Wanderers(
            plan,
            self.world,
            self._stations,
            self._leave,
            self._settle_again,
            lambda node_id: peers_known(self._nodes[node_id]),
        )
        self._storage: dict[int, FileStorage] = {}
        self._correct: set[int] = set()
        self._on_finished = on_finished
        self._wrap = wrap
        self._seeding_seconds = parse_departures(self._scenario.departures).seeding_seconds

    # --- Making and starting ----------------------------------------------------------------

    def set_up(self, node_ids: Sequence[int], known: Known) -> dict[int, Address]:
        """Make nodes; those that accept links listen from now on.

        Raises:
          OSError: an address cannot be listened at.
          StorageFault: a file cannot be opened or made.
        """
        for node_id in node_ids:
            place = self._places[node_id]
            node = self._cast.node(place, known, self._storage_of(place))
            station = self._stations[node_id] = self._settle(place, node, node_id)
            station.on_finished = self._finish_of(place)
            self._known[node_id] = known
        return {node_id: self._stations[node_id].address for node_id in node_ids}

    def _settle(self, place: Place, node: Node, address_number: int) -> LiveStation:
        """Give a node a place and a line of its own."""
        links = self._scenario.links
        self._nodes[place.node_id] = node
        return self.world.add(
            node if self._wrap is None else self._wrap(place, node),
            (loopback_host(NodeId(address_number)), 0),
            self._wires,
            accepts=place.accepts,
            uplink=Pacer(place.uplink_bytes_per_second, links.burst_seconds),
            downlink=Pacer(place.downlink_bytes_per_second, links.burst_seconds),
            latency_seconds=place.latency_seconds,
            delays=self._delays.get(place.class_name),
        )

    def _settle_again(self, node_id: int, session: int) -> LiveStation:
        """Give a node that left a place at another address."""
        place, known = self._places[node_id], self._known[node_id]
        before, storage = self._nodes[node_id], self._storage[node_id]
        node = self._cast.successor(place, known, storage, before, session)
        station = self._settle(place, node, address_number(node_id, session, self._all_nodes))
        self.moved.setdefault(node_id, []).append(station.address)
        return station

    def _storage_of(self, place: Place) -> FileStorage | FolderStorage | None:
        if place.role == "tracker":
            return None
        if place.role == "relay":
            return FolderStorage.empty(Path(self.plan.folder) / "relay")
        if place.role == "origin":
            storage = FileStorage.of(self._path_of_origin())
        else:
            storage = FileStorage.empty(self._file_of(place.node_id), self._wanted(place.node_id))
        self._storage[place.node_id] = storage
        return storage

    def _path_of_origin(self) -> Path:
        """Where an origin's file is: a copy of its own, if it is to be replaced."""
        if self._replacement is None:
            return self._content.path
        path = Path(self.plan.folder) / "origin" / self._content.name
        if not path.exists():
            path.parent.mkdir()
            shutil.copyfile(self._content.path, path)
        return path

    def replace_at(self, at_seconds: Mapping[int, float]) -> None:
        """Let the file of nodes be replaced, each at its time since the trial's start."""
        replacement = self._replacement
        if replacement is not None:
            for seconds in at_seconds.values():
                path = self._path_of_origin()
                self.world.call_at(seconds, replacement.carry_out, path, self._new_version)

    def _wanted(self, node_id: int) -> int:
        """How much of the file's beginning a client asks for."""
        return self._wanted_bytes[node_id - 1]

    def _file_of(self, node_id: int) -> Path:
        return Path(self.plan.folder) / f"client-{node_id:06d}.download"

    def start(self, node_id: int, scheduled_seconds: float) -> None:
        """Let a node begin when it is due: orders come early, so that nobody waits for Locust."""
        if scheduled_seconds > self.world.now():
            self.world.call_at(scheduled_seconds, self.start, node_id, scheduled_seconds)
            return
        station = self._stations[node_id]
        if station.ledger.joined_seconds is not None:
            if not (self._is_repeated and station.ledger.verified):
                raise LocalMisuse(f"node {node_id} was started twice")
            station.start_anew(scheduled_seconds)
            return
        if self._places[node_id].role == "client":
            self.meter.mark()
        station.start(scheduled_seconds)
        if self._places[node_id].role == "client":
            self._wanderers.client_came(node_id, scheduled_seconds)

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
            # Of a load that is repeated, those of the download that has ended now.
            ended = station.transfers[-1:] if self._is_repeated else station.transfers
            firsts = [t.first_byte_seconds for t in ended if t.payload_bytes]
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
            self._wanderers.leave_at(seconds, node_id)

    def move_at(self, at_seconds: Mapping[int, float]) -> None:
        """Let nodes go on at another address, each from its time since the trial's start."""
        for node_id, seconds in at_seconds.items():
            self._wanderers.move_at(seconds, node_id)

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
            if self._places[node_id].role in ("origin", "client")
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
        self._wanderers.over = True
        now = self.world.now()
        for station in self._stations.values():
            if station.ledger.left_seconds is None:
                station.ledger.left_seconds = now

    def verify(self) -> list[int]:
        """Read every client's file back, compare it with the content, and delete it.

        A client of a server that has all of the version which replaced the file has a right one too.
        """
        right = {WHOLE, REPLACED} if self.plan.architecture == "server" else {WHOLE}
        for node_id, storage in self._storage.items():
            if self._places[node_id].role != "client":
                continue
            path, state = self._file_of(node_id), WHOLE
            if storage.sha256() != self._content.sha256_of_first(self._wanted(node_id)):
                state = state_of(path, self._content.path, self._new_version)
            self._states[node_id] = state
            if state in right:
                self._correct.add(node_id)
            storage.close()
            path.unlink(missing_ok=True)
        return sorted(self._correct)

    def collect(
        self, addresses: Mapping[int, Address], moved: Mapping[int, Sequence[Address]]
    ) -> Collected:
        """Make rows of all that was seen.

        Args:
          addresses: Where each node of the trial began, here or elsewhere.
          moved: Where else it has lived.
        """
        sources = SourceNames(addresses)
        for node_id, places in moved.items():
            for address in places:
                sources.also(node_id, address)
        reports = [
            meter.report()
            for station in self.world.stations
            for meter in (station.uplink_meter, station.downlink_meter)
        ]
        violations: dict[str, int] = {}
        for station in self._stations.values():
            for reason, count in station.ledger.violations.items():
                violations[reason] = violations.get(reason, 0) + count
        windows = sum(report.windows for report in reports)
        return Collected(
            nodes=[
                node_row(
                    self.plan,
                    self.process,
                    self._places[n],
                    s,
                    verified=n in self._correct,
                    file=self._states.get(n, ""),
                )
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
            asked={n: s.node.tally.asked for n, s in self._stations.items() if s.node.tally.asked},
            answered={
                n: s.node.tally.answered for n, s in self._stations.items() if s.node.tally.answered
            },
        )
