"""A node host: a trio process that runs some of the nodes of one trial, and does what Locust says.

    python -m loadtests.node_host PARENT-PID NAME

Its standard input is one end of a socket pair; Locust has the other. When that ends, the parent is
gone and this process ends at once, whatever it is doing. It is started by Locust, never by hand.
"""

from __future__ import annotations

import functools
import gc
import math
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import trio

from loadtests.control import (
    AwaitAnnouncement,
    Begin,
    Collect,
    Crashed,
    Drain,
    Drained,
    Finished,
    Join,
    Leave,
    Move,
    Order,
    Prepare,
    Prepared,
    Progress,
    Ready,
    Replace,
    Report,
    SetUp,
    Start,
    Started,
    Verified,
    Verify,
    encode_frame,
    order_decoder,
)
from loadtests.processes import die_with_parent, ignore_terminal_interrupts
from loadtests.samples import SAMPLE_SECONDS
from loadtests.tenants import Tenants
from loadtests.trace import Tracer
from testbed.errors import LocalMisuse, ScenarioError
from testbed.sockets import raise_open_file_limit
from testbed.storage import StorageFault

READ_BYTES = 64 * 1024

#: An origin that has not found its tracker by then never will: loopback answers in milliseconds.
ANNOUNCE_SECONDS = 10.0
ANNOUNCE_POLL_SECONDS = 0.002

EXIT_CRASHED = 70

#: As many as the kernel gives: how many are needed was checked before the run.
ALL_OPEN_FILES = 1 << 20


class HostFault(Exception):
    """Something outside this process kept it from its task: one line, no traceback."""


class NodeHost:
    """Does what Locust orders, in order, and reports."""

    def __init__(self) -> None:
        self._outbox, self._to_send = trio.open_memory_channel[Report](math.inf)
        self._tenants: Tenants | None = None
        self._tracer: Tracer | None = None
        self._running = trio.CancelScope()

    @property
    def tenants(self) -> Tenants:
        """The nodes that live here."""
        if self._tenants is None:
            raise LocalMisuse("a node host was given an order before it was prepared")
        return self._tenants

    async def run(self, control: socket.socket) -> None:
        """Serve one trial; ends only by the end of the process."""
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(control))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, stream)
            nursery.start_soon(self._read, stream, nursery)

    async def _write(self, stream: trio.SocketStream) -> None:
        async for report in self._to_send:
            try:
                await stream.send_all(encode_frame(report))
            except trio.BrokenResourceError:
                _parent_is_gone()

    async def _read(self, stream: trio.SocketStream, nursery: trio.Nursery) -> None:
        decoder = order_decoder()
        orders, to_do = trio.open_memory_channel[Order](math.inf)
        nursery.start_soon(self._obey, to_do, nursery)
        while True:
            try:
                data = await stream.receive_some(READ_BYTES)
            except trio.BrokenResourceError:
                _parent_is_gone()
            if not data:
                _parent_is_gone()
            for order in decoder.feed(bytes(data)):
                # Joins are done at once, not behind what is waited for.
                if isinstance(order, Join):
                    self.tenants.start(order.node_id, order.scheduled_seconds)
                else:
                    orders.send_nowait(order)

    async def _obey(self, to_do: trio.MemoryReceiveChannel[Order], nursery: trio.Nursery) -> None:
        async for order in to_do:
            match order:
                case Prepare():
                    self._prepare(order)
                case SetUp(node_ids, known):
                    self._report(Ready(self.tenants.set_up(node_ids, known)))
                case Begin(started_at):
                    self._begin(started_at, nursery)
                case Start(node_ids):
                    for node_id in node_ids:
                        self.tenants.start(node_id, self.tenants.world.now())
                    self._report(Started())
                case AwaitAnnouncement(node_id):
                    await self._await_announcement(node_id)
                    self._report(Started())
                case Leave(at_seconds):
                    self.tenants.leave_at(at_seconds)
                case Move(at_seconds):
                    self.tenants.move_at(at_seconds)
                case Replace(at_seconds):
                    self.tenants.replace_at(at_seconds)
                case Drain(seconds):
                    self._report(Drained(await self._drain(seconds), self.tenants.moved))
                case Verify():
                    self._report(Verified(self.tenants.verify()))
                case Collect(addresses, moved):
                    self._report(self.tenants.collect(addresses, moved))

    def _report(self, report: Report) -> None:
        self._outbox.send_nowait(report)

    # --- Orders -----------------------------------------------------------------------------

    def _prepare(self, order: Prepare) -> None:
        if order.plan.trace:
            path = Path(order.plan.folder) / f"trace-{order.process}.jsonl"
            self._tracer = Tracer(path)
        self._tenants = Tenants(
            order.plan,
            order.node_ids,
            order.process,
            self._client_finished,
            None if self._tracer is None else self._tracer.wrap,
        )
        self._report(Prepared())

    def _begin(self, started_at: float, nursery: trio.Nursery) -> None:
        # A collection is a pause in which no node is served, while blocks have a deadline. What a
        # trial leaves behind in cycles is small and goes with the process.
        gc.collect()
        gc.freeze()
        gc.disable()
        tenants = self.tenants
        tenants.world.started_at = started_at
        tenants.meter.begin()
        nursery.start_soon(self._live)

    async def _live(self) -> None:
        with self._running:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.tenants.world.run)
                nursery.start_soon(self._sample)

    async def _sample(self) -> None:
        tenants = self.tenants
        due = trio.current_time()
        while True:
            tenants.sample()
            self._report(
                Progress(
                    tenants.done,
                    tenants.downloaded_payload_bytes,
                    tenants.world.now(),
                    tenants.counters(),
                )
            )
            due = max(due + SAMPLE_SECONDS, trio.current_time())
            await trio.sleep_until(due)

    async def _await_announcement(self, tracker: int) -> None:
        with trio.move_on_after(ANNOUNCE_SECONDS):
            while not self.tenants.requests_served(tracker):  # noqa: ASYNC110
                await trio.sleep(ANNOUNCE_POLL_SECONDS)
            return
        raise HostFault(f"the origin did not announce itself within {ANNOUNCE_SECONDS:.0f} s")

    async def _drain(self, seconds: float) -> bool:
        tenants = self.tenants
        tenants.sample()
        tenants.leave_all()
        clean = await tenants.world.drain(seconds)
        tenants.sample()
        self._running.cancel()
        if self._tracer is not None:
            self._tracer.flush()
        return clean

    def _client_finished(self, finished: Finished) -> None:
        self._report(finished)


def _parent_is_gone() -> NoReturn:
    os._exit(0)


def main() -> None:
    """Run one node host until its parent closes the socket."""
    die_with_parent(int(sys.argv[1]))
    ignore_terminal_interrupts()
    raise_open_file_limit(ALL_OPEN_FILES)
    control = socket.socket(fileno=os.dup(0))
    control.setblocking(False)
    try:
        trio.run(functools.partial(NodeHost().run, control))
    except BaseException as error:
        traceback.print_exc()
        _say_last(control, Crashed(reason_of(error)))
        sys.exit(EXIT_CRASHED)


def reason_of(error: BaseException) -> str:
    """Say in one line what went wrong; of several errors, the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, (HostFault, StorageFault, ScenarioError)):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}"
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _say_last(control: socket.socket, report: Report) -> None:
    try:
        control.setblocking(True)
        control.sendall(encode_frame(report))
    except OSError:
        pass  # Nobody is there to hear it; the log has the traceback.


if __name__ == "__main__":
    main()
