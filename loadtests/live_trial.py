"""One live trial, driven from Locust's process: its node hosts from start to end. Under gevent.

    set_up      processes start side by side; tracker, origin and clients are made in that order,
                each knowing the addresses of those before; then the trial's clock starts
    join        one call for each client, at its due time, from its Locust user
    conclude    drain, verify, collect: outside the measured time
    close       the processes go

Whatever goes wrong on the way fails the trial with one line and wakes everybody who waits.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import gevent
from gevent.event import AsyncResult, Event

from loadtests.casts import cast_of
from loadtests.control import (
    AwaitAnnouncement,
    Begin,
    Collect,
    Collected,
    Drain,
    Drained,
    Finished,
    Join,
    Leave,
    Move,
    Order,
    Prepare,
    Prepared,
    Ready,
    Replace,
    SetUp,
    Start,
    Started,
    Verified,
    Verify,
)
from loadtests.node_client import HostLost, NodeClient, R, result
from loadtests.placement import place_in_processes
from loadtests.plan import TrialPlan
from loadtests.samples import SAMPLE_SECONDS, ProcessMeter, process_sample
from loadtests.transaction_rows import transaction_rows
from loadtests.watching import ClientOutcome, NodeCounters, TrialProgress
from testbed.cast import STARTING_ORDER, Role
from testbed.node import Address
from testbed.outages import WENT_WITHOUT
from testbed.record import SampleRow, TrialRecord, TrialRow

#: Interpreters start in a quarter of a second each; a loaded machine takes its time.
SET_UP_SECONDS = 60.0

#: What is under way at the end is a block or two for each link.
DRAIN_SECONDS = 5.0

#: Reading back and hashing, at a slow disk's pace, and at least so long.
VERIFY_BYTES_PER_SECOND = 20e6
ANSWER_SECONDS = 60.0

#: By so much is an order to join given before it is due: as long as Locust is not later than that, the
#: client begins on time to the timer's grain. Late without it: 2 ms, of the 30 ms of an idle server.
LEAD_SECONDS = 0.02

#: Process number of Locust itself in the samples.
GENERATOR = -1


class TrialFailed(Exception):
    """The trial has no result: one line saying why."""


class LiveTrial:
    """One trial. `on_phase` is called when a new phase begins, with a word for people."""

    def __init__(self, plan: TrialPlan, on_phase: Callable[[str], None]) -> None:
        self.plan = plan
        self.failure: str | None = None
        self.finished: dict[int, Finished] = {}
        self.clients = tuple(range(1, plan.clients + 1))
        self.first_due_monotonic = 0.0
        """When the first client is due, by the monotonic clock."""
        self._on_phase = on_phase
        self._started_utc = datetime.now(UTC).isoformat()
        self._began = time.monotonic()
        self._started_at = 0.0
        self._due = plan.due_seconds()
        self.wanted_bytes = plan.wanted_bytes()
        """How much of the file each client asks for, the first client first."""
        self._again_seconds = plan.read_scenario().repetition.again_seconds
        self._cast = cast_of(plan)
        self._hosts: list[NodeClient] = []
        self._host_of: dict[int, NodeClient] = {}
        self._addresses: dict[int, Address] = {}
        self._answers: dict[int, AsyncResult[Finished]] = {
            client: AsyncResult() for client in self.clients
        }
        self._samples: list[SampleRow] = []
        self._meter = ProcessMeter()
        self._failed = Event()
        self._settled = Event()
        self._sampler: gevent.Greenlet | None = None
        self._told: set[int] = set()

    # --- Before the measured time -----------------------------------------------------------

    def start_processes(self) -> None:
        """Start every node host; they get ready side by side."""
        folder = Path(self.plan.folder)
        for tenancy in place_in_processes(self._cast.places, self.plan.placement):
            log = folder / f"node-host-{tenancy.process}.log"
            host = NodeClient(tenancy, log, self._client_finished, self.fail)
            self._hosts.append(host)
            self._host_of |= dict.fromkeys(tenancy.node_ids, host)

    def set_up(self) -> None:
        """Make all nodes, start the clock, and start those who must be found.

        Raises:
          TrialFailed: a process ended, or an address or a file cannot be had.
        """
        with self._failing():
            self._ask_all(
                [
                    (host, Prepare(self.plan, list(host.tenancy.node_ids), host.tenancy.process))
                    for host in self._hosts
                ],
                Prepared,
                SET_UP_SECONDS,
                "getting ready",
            )
            known: dict[Role, list[Address]] = {}
            for role in STARTING_ORDER:
                self._set_up_role(role, known)
            self._started_at = time.monotonic()
            for host in self._hosts:
                host.tell(Begin(self._started_at))
            self._start_infrastructure()
        self._meter.begin()
        self._meter.mark()
        self._sampler = gevent.spawn(self._sample)
        self.first_due_monotonic = time.monotonic()
        first_due = self.first_due_monotonic - self._started_at
        for node_id, seconds in self.plan.outages(self._cast).items():
            self._host_of[node_id].tell(Leave({node_id: first_due + seconds}))
        for node_id, seconds in self.plan.replacements(self._cast).items():
            self._host_of[node_id].tell(Replace({node_id: first_due + seconds}))
        for node_id, seconds in self.plan.moves(self._cast).items():
            self._host_of[node_id].tell(Move({node_id: first_due + seconds}))

    def _set_up_role(self, role: Role, known: dict[Role, list[Address]]) -> None:
        wanted = {int(place.node_id) for place in self._cast.places if place.role == role}
        orders: list[tuple[NodeClient, Order]] = []
        for host in self._hosts:
            here = [node for node in host.tenancy.node_ids if node in wanted]
            if here:
                orders.append((host, SetUp(here, dict(known))))
        for ready in self._ask_all(orders, Ready, SET_UP_SECONDS, f"setting up the {role}"):
            for node_id, address in ready.addresses.items():
                self._addresses[node_id] = address
                known.setdefault(role, []).append(address)

    def _start_infrastructure(self) -> None:
        """Start tracker and origin; clients must not ask before the origin has announced itself."""
        tracker: int | None = None
        for role in STARTING_ORDER:
            if role == "client":
                continue
            for place in self._cast.places:
                if place.role == role:
                    host = self._host_of[place.node_id]
                    order = Start([place.node_id])
                    self._ask_all([(host, order)], Started, SET_UP_SECONDS, f"starting the {role}")
                    tracker = place.node_id if role == "tracker" else tracker
        if tracker is not None:
            wait = AwaitAnnouncement(tracker)
            host = self._host_of[tracker]
            self._ask_all([(host, wait)], Started, SET_UP_SECONDS, "announcing the origin")

    # --- The measured time ------------------------------------------------------------------

    def scheduled_seconds(self, client: int) -> float:
        """When a client is due, in seconds since the trial's start."""
        return self.first_due_monotonic - self._started_at + self._due[client - 1]

    def join(self, client: int) -> Finished:
        """Wait until a client is due, let it join, and wait until it is done.

        Raises:
          TrialFailed: the trial came to its end first.
        """
        with self._failing():
            due_seconds = self.scheduled_seconds(client)
            wait = self._started_at + due_seconds - LEAD_SECONDS - time.monotonic()
            if wait > 0:
                self._failed.wait(timeout=wait)
            return self._order(client, due_seconds)

    def join_again(self, client: int, finished: Finished) -> Finished:
        """Let a client of a closed load, which is done, begin anew: it was due when it was done.

        Raises:
          TrialFailed: the trial came to its end first.
        """
        with self._failing():
            self._answers[client] = AsyncResult()
            return self._order(client, finished.finished_seconds)

    def _order(self, client: int, due_seconds: float) -> Finished:
        self._raise_if_failed()
        self._host_of[client].tell(Join(client, due_seconds))
        finished: Finished = self._answers[client].get()
        return finished

    def goes_on(self, finished: Finished) -> bool:
        """Whether the load asks a client that is done to begin anew."""
        again_until = self.first_due_monotonic - self._started_at + self._again_seconds
        return finished.verified and finished.finished_seconds < again_until

    def _client_finished(self, finished: Finished) -> None:
        if self.goes_on(finished):
            self._meter.mark()
            self._answers[finished.node_id].set(finished)
            return
        self.finished[finished.node_id] = finished
        self._answers[finished.node_id].set(finished)
        self._meter.mark()
        if len(self.finished) == len(self.clients):
            self._settled.set()

    def wait_for_all(self) -> None:
        """Wait until every client is done or the trial's limit has passed.

        Raises:
          TrialFailed: a process ended, the limit has passed, or a client has no right file.
        """
        limit_seconds = self.plan.scenario["trial_limit_seconds"]
        left = self.first_due_monotonic + limit_seconds - time.monotonic()
        settled = self._settled.wait(timeout=max(0.0, left))
        if self._may_go_without:
            self._raise_if_failed()
            self._release_unfinished()
            return
        if not settled:
            missing = [client for client in self.clients if client not in self.finished]
            self.fail(f"not done within {limit_seconds:g} s: {_list_clients(missing)}")
        for client, finished in sorted(self.finished.items()):
            if not finished.verified:
                self.fail(f"client {client}: {finished.reason or 'no verified file'}")
                break
        self._raise_if_failed()

    @property
    def _may_go_without(self) -> bool:
        return self.plan.read_scenario().has_outages

    def _release_unfinished(self) -> None:
        """Let the clients that have no whole file go without; who waits for them hears of it."""
        for answer in self._answers.values():
            if not answer.ready():
                answer.set_exception(TrialFailed(WENT_WITHOUT))

    def _sample(self) -> None:
        while True:
            now = time.monotonic()
            row = process_sample(
                self.plan, GENERATOR, "generator", (), self._meter, now - self._started_at, None
            )
            self._samples.append(row)
            gevent.sleep(SAMPLE_SECONDS)
            # How late this greenlet was woken is how late a client would have been.
            row.loop_lag_seconds = max(0.0, time.monotonic() - now - SAMPLE_SECONDS)

    @property
    def downloaded_payload_bytes(self) -> int:
        """What all clients have received, as last heard."""
        return sum(host.progress.downloaded_payload_bytes for host in self._hosts)

    def progress(self, phase: str) -> TrialProgress:
        """Say where the trial is, and of whom nothing has been said yet that they are done."""
        first_due = self.first_due_monotonic - self._started_at
        read_at = max((host.progress.at_seconds for host in self._hosts), default=0.0)
        nodes: list[NodeCounters] = []
        outcomes: list[ClientOutcome] = []
        if self.plan.watch:
            nodes = sorted(
                (node for host in self._hosts for node in host.progress.nodes),
                key=lambda node: node.node_id,
            )
            untold = [client for client in self.finished if client not in self._told]
            self._told.update(untold)
            outcomes = [self._outcome(self.finished[client]) for client in untold]
        return TrialProgress(
            phase=phase,
            done=len(self.finished),
            downloaded_payload_bytes=self.downloaded_payload_bytes,
            at_seconds=read_at - first_due,
            nodes=tuple(nodes),
            outcomes=tuple(outcomes),
        )

    def _outcome(self, finished: Finished) -> ClientOutcome:
        due = self.scheduled_seconds(finished.node_id)
        first = finished.first_byte_seconds
        return ClientOutcome(
            finished.node_id,
            None if first is None else first - due,
            finished.finished_seconds - due,
            "" if finished.verified else finished.reason or "no verified file",
        )

    # --- After the measured time ------------------------------------------------------------

    def conclude(self) -> TrialRecord:
        """Drain, verify and collect; after a failure, as far as the processes still answer."""
        self._meter.mark()
        if self._sampler is not None:
            self._sampler.kill()
        drained: list[Drained] = []
        correct: set[int] = set()
        collected: list[Collected] = []
        try:
            self._on_phase("draining")
            drained = self._ask_all(
                self._to_all(Drain(DRAIN_SECONDS)), Drained, ANSWER_SECONDS, "draining"
            )
            self._on_phase("verifying")
            size = self.plan.content.size_bytes * self.plan.clients
            patience = ANSWER_SECONDS + size / VERIFY_BYTES_PER_SECOND
            for verified in self._ask_all(self._to_all(Verify()), Verified, patience, "verifying"):
                correct |= set(verified.correct)
            moved = {node: to for one in drained for node, to in one.moved.items()}
            orders = self._to_all(Collect(self._addresses, moved))
            collected = self._ask_all(orders, Collected, ANSWER_SECONDS, "collecting")
        except HostLost as lost:
            self.fail(str(lost))
        if self.failure is None:
            wrong = [client for client in self._expected if client not in correct]
            if wrong:
                self.fail(f"wrong SHA-256: {_list_clients(wrong)}")
            elif not all(one.clean for one in drained):
                self.fail(f"connections did not end within {DRAIN_SECONDS:g} s")
        return self._record(collected, correct)

    @property
    def _expected(self) -> list[int]:
        """The clients that must have a whole file: all of them, or all that said they have one."""
        if not self._may_go_without:
            return list(self.clients)
        return sorted(client for client, said in self.finished.items() if said.verified)

    def _record(self, collected: Sequence[Collected], correct: set[int]) -> TrialRecord:
        plan = self.plan
        nodes = sorted((row for one in collected for row in one.nodes), key=lambda r: r.node_id)
        errors = [one.link_rate_error_max for one in collected]
        violations: dict[str, int] = {}
        for one in collected:
            for reason, count in one.violations.items():
                violations[reason] = violations.get(reason, 0) + count
        trial = TrialRow(
            architecture=plan.architecture,
            clients=plan.clients,
            repeat=plan.repeat,
            order=plan.order,
            placement=plan.placement,
            status="complete" if self.failure is None else "failed",
            reason=self.failure or "",
            started_utc=self._started_utc,
            wall_seconds=time.monotonic() - self._began,
            payload_sent_bytes=sum(row.uploaded_payload_bytes for row in nodes),
            payload_received_bytes=sum(row.downloaded_payload_bytes for row in nodes),
            files_verified=len(correct),
            files_expected=len(self._expected),
            generator_cpu_fraction=self._meter.cpu_fraction,
            node_host_cpu_fraction=max((one.cpu_fraction for one in collected), default=0.0),
            node_host_memory_bytes=max((one.memory_bytes for one in collected), default=0),
            link_rate_windows=sum(one.link_rate_windows for one in collected),
            link_rate_error_max=max((e for e in errors if e is not None), default=None),
            violations=json.dumps(violations, sort_keys=True),
        )
        return TrialRecord(
            trial=trial,
            nodes=nodes,
            transfers=[row for one in collected for row in one.transfers],
            samples=[*self._samples, *(row for one in collected for row in one.samples)],
            transactions=transaction_rows(
                plan,
                {node: halves for one in collected for node, halves in one.asked.items()},
                {node: halves for one in collected for node, halves in one.answered.items()},
                self._addresses,
            ),
        )

    def close(self) -> None:
        """End all processes."""
        if self._sampler is not None:
            self._sampler.kill()
        gevent.joinall([gevent.spawn(host.close) for host in self._hosts])

    # --- Failing ----------------------------------------------------------------------------

    def fail(self, reason: str) -> None:
        """Give the trial up; the first reason counts."""
        if self.failure is None:
            self.failure = reason
        self._failed.set()
        self._settled.set()
        for answer in self._answers.values():
            if not answer.ready():
                answer.set_exception(TrialFailed(self.failure))

    def _raise_if_failed(self) -> None:
        if self.failure is not None:
            raise TrialFailed(self.failure)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except HostLost as lost:
            self.fail(str(lost))
            raise TrialFailed(self.failure) from lost

    # --- Asking -----------------------------------------------------------------------------

    def _to_all(self, order: Order) -> list[tuple[NodeClient, Order]]:
        return [(host, order) for host in self._hosts]

    def _ask_all(
        self,
        orders: Sequence[tuple[NodeClient, Order]],
        kind: type[R],
        seconds: float,
        what: str,
    ) -> list[R]:
        answers = [host.ask(order, kind) for host, order in orders]
        return [
            result(answer, kind, seconds, f"{host.tenancy.name}: {what}")
            for answer, (host, _) in zip(answers, orders, strict=True)
        ]


def _list_clients(clients: Sequence[int]) -> str:
    if len(clients) == 1:
        return f"client {clients[0]}"
    named = ", ".join(str(client) for client in clients[:8])
    return f"clients {named}" + (f" and {len(clients) - 8} more" if len(clients) > 8 else "")
