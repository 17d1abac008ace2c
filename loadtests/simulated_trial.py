"""One trial in the simulated world: the same casts and the same record, on virtual time.

Every node's file is one shared copy in memory, so a file cannot come out wrong: that every client has
every byte of it, exactly once, is what is checked.
"""

from __future__ import annotations

import json
import math
import resource
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from loadtests.node_rows import SourceNames, node_row, transfer_row
from loadtests.plan import TrialPlan
from loadtests.samples import SAMPLE_SECONDS, node_sample
from loadtests.trace import Tracer
from loadtests.transaction_rows import transaction_rows
from loadtests.wandering import Wanderers, peers_known
from loadtests.watching import TrialProgress
from peers.build import SwarmCast
from peers.core.peer import PeerNode
from servers.build import ServerCast
from testbed.arrivals import parse_departures
from testbed.cast import STARTING_ORDER, Cast, Known, Place, Role, pair_delays
from testbed.columns import Columns
from testbed.link import Pacer
from testbed.node import Address, Node, Transfer
from testbed.outages import WENT_WITHOUT
from testbed.record import (
    SAMPLE_COLUMNS,
    TRANSFER_COLUMNS,
    SampleRow,
    TransferRow,
    TrialRecord,
    TrialRow,
)
from testbed.sessions import address_number
from testbed.simulated_link import SimulatedStation
from testbed.simulator import SimulatedWorld, SimulationStuck, no_garbage_collection
from testbed.station import Station
from testbed.storage import SharedStorage

CASTS: dict[str, Callable[..., Cast]] = {"server": ServerCast, "swarm": SwarmCast}

#: BitTorrent's traditional port; nobody listens at it here.
LISTENING_PORT = 6881

#: Rows of samples a trial keeps; 25 MB.
SAMPLE_ROWS_LIMIT = 100_000

#: When a simulation counts as one that goes in circles.
CALLS_A_BLOCK = 1_000
SPARE_CALLS = 1_000_000
BLOCK_BYTES = 16 * 1024

#: How often a person is told where a trial is, in wall time.
PROGRESS_SECONDS = 0.25

#: How much virtual time the loop makes between two looks at the wall clock.
SLICES = 400


def simulated_host(node_id: int) -> str:
    """Give each node an address of its own, of the private network 10/8."""
    number = node_id + 1
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def run_simulated_trial(plan: TrialPlan, on_progress: Callable[[TrialProgress], None]) -> TrialRecord:
    """Run one trial on virtual time; one that fails is a record too, with its reason."""
    return SimulatedTrial(plan).run(on_progress)


class SimulatedTrial:
    """One trial: its world, its stations, its record."""

    def __init__(self, plan: TrialPlan) -> None:
        self.plan = plan
        self.world = SimulatedWorld()
        self.stations: dict[int, SimulatedStation] = {}
        self.nodes: dict[int, Node] = {}
        self.started_at = 0.0
        """When the first client is due: the origin has announced itself by then."""
        self._scenario = scenario = plan.read_scenario()
        self._started_utc = datetime.now(UTC).isoformat()
        self._began = time.monotonic()
        content = plan.read_content()
        self._content = memoryview(content.path.read_bytes())
        self._shared = SharedStorage(self._content)
        self._wanted_bytes = plan.wanted_bytes()
        self._again_seconds = scenario.repetition.again_seconds
        self._cast = CASTS[plan.architecture](scenario, content, plan.clients, plan.seed, hashes=False)
        self._places = {int(place.node_id): place for place in self._cast.places}
        self._departures = parse_departures(scenario.departures)
        self._tracer = Tracer(Path(plan.folder) / "simulated.jsonl") if plan.trace else None
        self._unfinished = dict.fromkeys(range(1, plan.clients + 1))
        self._gone: set[int] = set()
        self._samples = Columns(SAMPLE_COLUMNS, SampleRow)
        self._transfers = Columns(TRANSFER_COLUMNS, TransferRow)
        self._sampling = True
        self._sample_seconds = SAMPLE_SECONDS
        self._failure = ""
        self._delays: dict[str, dict[str, float]] = {}
        self._known: Known = {}
        self._names = SourceNames({})
        self._wanderers = Wanderers(
            plan,
            self.world,
            self.stations,
            SimulatedStation.leave,
            self._settle_again,
            lambda node_id: peers_known(self.nodes[node_id]),
        )

    # --- Setting up -------------------------------------------------------------------------

    def set_up(self) -> None:
        """Make all nodes; start the tracker and the origin, and let them meet."""
        links = self._scenario.links
        delays = pair_delays(links, self._cast.places, simulated_host)
        known: dict[Role, list[Address]] = {}
        self._delays, self._known = delays, known
        for role in STARTING_ORDER:
            for node_id, place in self._places.items():
                if place.role != role:
                    continue
                storage = None if role == "tracker" else self._storage_of(place)
                node = self._cast.node(place, known, storage)
                station = self.stations[node_id] = self._settle(place, node, node_id)
                if role == "client":
                    station.on_finished = self._finished_of(node_id)
                else:
                    known.setdefault(role, []).append(station.address)
                    station.start(self.world.now())
        # Dial, ask, answer, close: the origin's announce takes two round trips and a little.
        self.world.run(until_seconds=8 * links.longest_latency_seconds)
        self.started_at = self.world.time

    def _storage_of(self, place: Place) -> SharedStorage:
        """The one copy of the file, or as much of it as a client asks for."""
        if place.role != "client" or self._wanted_bytes[place.node_id - 1] == self._shared.size_bytes:
            return self._shared
        return SharedStorage(self._content[: self._wanted_bytes[place.node_id - 1]])

    def _settle(self, place: Place, node: Node, address_number: int) -> SimulatedStation:
        """Give a node a place and a line of its own."""
        links = self._scenario.links
        self.nodes[place.node_id] = node
        port = 0 if place.accepts is None else LISTENING_PORT
        return self.world.add(
            node if self._tracer is None else self._tracer.wrap(place, node),
            (simulated_host(address_number), port),
            accepts=place.accepts,
            uplink=Pacer(place.uplink_bytes_per_second, links.burst_seconds),
            downlink=Pacer(place.downlink_bytes_per_second, links.burst_seconds),
            latency_seconds=place.latency_seconds,
            delays=self._delays.get(place.class_name),
            loss_fraction=place.loss_fraction,
        )

    def _settle_again(self, node_id: int, session: int) -> SimulatedStation:
        """Give a node that left a place at another address."""
        place = self._places[node_id]
        before = self.nodes[node_id]
        node = self._cast.successor(place, self._known, self._storage_of(place), before, session)
        number = address_number(node_id, session, len(self._places))
        station = self._settle(place, node, number)
        self._names.also(node_id, station.address)
        return station

    def _finished_of(self, node_id: int) -> Callable[[Station], None]:
        def finished(station: Station) -> None:
            if not station.ledger.verified and self._scenario.has_outages:
                self._gone.add(node_id)
                self._done_with(node_id)
                return
            if not station.ledger.verified:
                self._fail(f"client {node_id}: {station.ledger.outcome or 'no verified file'}")
                return
            if self.world.time < self.started_at + self._again_seconds:
                station.start_anew(self.world.time)
                return
            self._done_with(node_id)
            seeding_seconds = self._departures.seeding_seconds
            if seeding_seconds < math.inf:
                self.world.call_at(self.world.time + seeding_seconds, self.stations[node_id].leave)

        return finished

    def _done_with(self, node_id: int) -> None:
        self._unfinished.pop(node_id, None)
        if not self._unfinished:
            self.world.stop()

    def _fail(self, reason: str) -> None:
        self._failure = self._failure or reason
        self.world.stop()

    def _schedule_clients(self) -> None:
        for node_id, seconds in self.plan.outages(self._cast).items():
            self._wanderers.leave_at(self.started_at + seconds, node_id)
        for node_id, seconds in self.plan.moves(self._cast).items():
            self._wanderers.move_at(self.started_at + seconds, node_id)
        patience = self.plan.patience_seconds()
        for node_id, due_seconds in enumerate(self.plan.due_seconds(), start=1):
            due = self.started_at + due_seconds
            self.world.call_at(due, self._start_client, node_id, due)
            if patience[node_id - 1] < math.inf:
                self.world.call_at(due + patience[node_id - 1], self._give_up, node_id)

    def _start_client(self, node_id: int, due_seconds: float) -> None:
        self.stations[node_id].start(due_seconds)
        self._wanderers.client_came(node_id, due_seconds)

    def _give_up(self, node_id: int) -> None:
        """Let a client that is not done go without its file."""
        if node_id in self._unfinished:
            self._gone.add(node_id)
            station = self.stations[node_id]
            station.leave()
            station.ledger.outcome = "gave up"
            self._done_with(node_id)

    # --- The run ----------------------------------------------------------------------------

    def run(self, on_progress: Callable[[TrialProgress], None]) -> TrialRecord:
        """Make the trial from set-up to record."""
        with no_garbage_collection():
            return self._run(on_progress)

    def _run(self, on_progress: Callable[[TrialProgress], None]) -> TrialRecord:
        try:
            self.set_up()
            self._keep_transfers()
            self._schedule_clients()
            self._sample()
            self._run_clients(on_progress)
            self._sampling = False
            self._wanderers.over = True
            self.world.drain()
        except SimulationStuck as stuck:
            self._failure = self._failure or f"{stuck}: {self._what_is_missing()}"
        finally:
            if self._tracer is not None:
                self._tracer.close()
        return self._record()

    def _run_clients(self, on_progress: Callable[[TrialProgress], None]) -> None:
        limit = self.started_at + self._scenario.trial_limit_seconds
        told_at = -math.inf
        for slice_number in range(1, SLICES + 1):
            until = (
                limit
                if slice_number == SLICES
                else self.started_at + (self._scenario.trial_limit_seconds * slice_number / SLICES)
            )
            if self.world.run(until_seconds=until, calls_limit=self._calls_limit):
                return
            if time.monotonic() - told_at >= PROGRESS_SECONDS:
                told_at = time.monotonic()
                done = self.plan.clients - len(self._unfinished)
                on_progress(TrialProgress("running", done, self._downloaded_bytes()))
        if self._scenario.has_outages:
            for node_id in list(self._unfinished):
                self._gone.add(node_id)
                self.stations[node_id].ledger.outcome = WENT_WITHOUT
                self._done_with(node_id)
            return
        raise SimulationStuck(f"not done within {self._scenario.trial_limit_seconds:g} s")

    @property
    def _calls_limit(self) -> int:
        """Far beyond what a trial needs, 25 a block; nodes that answer each other for ever meet it."""
        blocks = 1 + self.plan.content.size_bytes // BLOCK_BYTES
        return SPARE_CALLS + CALLS_A_BLOCK * blocks * self.plan.clients

    def _downloaded_bytes(self) -> int:
        return sum(
            self.stations[node].ledger.downloaded_payload_bytes
            for node in range(1, self.plan.clients + 1)
        )

    def _what_is_missing(self) -> str:
        """Say who is not done, and which pieces nobody who is there can give them."""
        unfinished = list(self._unfinished)
        named = ", ".join(map(str, unfinished[:8])) + (" …" if len(unfinished) > 8 else "")
        text = f"{len(unfinished)} of {self.plan.clients} clients unfinished ({named})"
        missing = self._pieces_nobody_has()
        if missing:
            pieces = ", ".join(map(str, missing[:8])) + (" …" if len(missing) > 8 else "")
            text += f"; {len(missing)} pieces that nobody has: {pieces}"
        return text

    def _pieces_nobody_has(self) -> list[int]:
        present = [
            node
            for node_id, node in self.nodes.items()
            if isinstance(node, PeerNode) and self.stations[node_id].ledger.left_seconds is None
        ]
        missing = set.intersection(*(set(node.missing_pieces) for node in present)) if present else ()
        return sorted(missing)

    # --- What was seen ----------------------------------------------------------------------

    def _sample(self) -> None:
        """Read all counters; when there are too many rows, drop every other moment from then on."""
        if not self._sampling:
            return
        world, plan = self.world, self.plan
        if len(self._samples) + len(self.stations) > SAMPLE_ROWS_LIMIT:
            taken_at = self._samples.cells("at_seconds")
            self._samples.keep(np.isin(taken_at, np.unique(taken_at)[::2]))
            self._sample_seconds *= 2
        for node_id, station in self.stations.items():
            self._samples.append(node_sample(plan, 0, self._places[node_id], station, world.time))
        world.call_at(world.time + self._sample_seconds, self._sample)

    def _record(self) -> TrialRecord:
        plan = self.plan
        now = self.world.time
        for station in self.stations.values():
            if station.ledger.left_seconds is None:
                station.ledger.left_seconds = now
        correct = [n for n in range(1, plan.clients + 1) if self.stations[n].ledger.verified]
        nodes = [
            node_row(plan, 0, self._places[n], station, verified=station.ledger.verified)
            for n, station in sorted(self.stations.items())
        ]
        return TrialRecord(
            trial=TrialRow(
                architecture=plan.architecture,
                clients=plan.clients,
                repeat=plan.repeat,
                order=plan.order,
                placement=plan.placement,
                status="failed" if self._failure else "complete",
                reason=self._failure,
                started_utc=self._started_utc,
                wall_seconds=time.monotonic() - self._began,
                payload_sent_bytes=sum(row.uploaded_payload_bytes for row in nodes),
                payload_received_bytes=sum(row.downloaded_payload_bytes for row in nodes),
                files_verified=len(correct),
                files_expected=plan.clients - len(self._gone),
                generator_cpu_fraction=0.0,
                node_host_cpu_fraction=0.0,
                node_host_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                link_rate_windows=0,
                link_rate_error_max=None,
                violations=json.dumps(_sum(s.ledger.violations for s in self.stations.values())),
            ),
            nodes=nodes,
            transfers=self._transfers,
            samples=self._samples,
            transactions=transaction_rows(
                plan,
                {n: s.node.tally.asked for n, s in self.stations.items()},
                {n: s.node.tally.answered for n, s in self.stations.items()},
                {n: s.address for n, s in self.stations.items()},
            ),
        )

    def _keep_transfers(self) -> None:
        """Put every transfer into its row at once: as objects they would take most of the memory."""
        self._names = SourceNames({n: station.address for n, station in self.stations.items()})

        def keep(node_id: int, transfer: Transfer) -> None:
            self._transfers.append(transfer_row(self.plan, node_id, transfer, self._names))

        for node_id, station in self.stations.items():
            station.on_transfer = partial(keep, node_id)


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for reason, count in one.items():
            total[reason] = total.get(reason, 0) + count
    return dict(sorted(total.items()))
