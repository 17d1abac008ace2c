"""The simulated world: the same nodes on virtual time, in one heap of calls.

No sockets, no tasks, no codec: messages cross as they are and are charged their `size_bytes`. All
else is as in the live world, because stations and links are the same classes. The loop is

    calls that are due now, in the order in which they were asked for
    the next due time becomes the time

A run is exact and repeatable: nothing but the heap's (time, order of asking) decides what comes next,
and the nodes' own generators decide the rest.

What it leaves out: processors, kernels, timers that are late, TCP. A node answers in no time.
"""

from __future__ import annotations

import gc
import heapq
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from testbed.link import Pacer
from testbed.node import Address, Node, Received
from testbed.simulated_link import SimulatedStation

#: A run of ten thousand nodes and 64 pieces has about 20 million calls.
CALLS_LIMIT = 2_000_000_000

#: What one station takes at a time unless it says otherwise. Nobody runs out of descriptors here, and
#: of ten thousand nodes all are linked to the file host, or to the tracker, at once.
CONNECTIONS_LIMIT = 1_000_000

#: More virtual time than anybody waits for.
SECONDS_LIMIT = 10 * 365 * 86_400.0

Arrival = tuple[Any, Any, int]
"""A link, a control message and its size; or a function, its arguments and 0."""


class SimulationStuck(Exception):
    """The simulation cannot come to its end; the message says why."""


class SimulatedWorld:
    """Runs stations on virtual time, which begins at 0."""

    def __init__(self) -> None:
        self.stations: list[SimulatedStation] = []
        self.time = 0.0
        self.calls_made = 0
        """How many calls the loop has made: what a simulation costs."""
        self.arrived: deque[Arrival] = deque()
        """What crosses without delay: handed over before time moves on, but never inside a node."""
        self._listening: dict[Address, SimulatedStation] = {}
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._asked = 0
        self._stopped = False

    # --- Clock ------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since the trial began."""
        return self.time

    def call_at(self, when: float, function: Callable[..., None], *args: object) -> None:
        """Call at `when`, or now if that has passed; in order of `when`, then of asking."""
        self._asked += 1
        heapq.heappush(self._due, (when, self._asked, function, args))

    def call_soon(self, function: Callable[..., None], *args: object) -> None:
        """Call before time moves on, after all that was asked for in this way before."""
        self.arrived.append((function, args, 0))

    # --- Stations ---------------------------------------------------------------------------

    def add(
        self,
        node: Node,
        address: Address,
        *,
        accepts: str | None,
        uplink: Pacer,
        downlink: Pacer,
        latency_seconds: float = 0.0,
        delays: Mapping[str, float] | None = None,
        loss_fraction: float = 0.0,
        connection_limit: int = CONNECTIONS_LIMIT,
    ) -> SimulatedStation:
        """Give a node a place. With `accepts`, the name of a wire, others can dial it from now on."""
        station = SimulatedStation(
            self,
            node,
            address,
            uplink,
            downlink,
            latency_seconds,
            connection_limit,
            delays,
            loss_fraction,
        )
        if accepts is not None:
            station.accepts = accepts
            self._listening[address] = station
        self.stations.append(station)
        return station

    def listener(self, remote: Address) -> SimulatedStation | None:
        """Who takes links at this address."""
        return self._listening.get(remote)

    def stop_listening(self, station: SimulatedStation) -> None:
        """Let nobody dial this station any more."""
        if self._listening.get(station.address) is station:
            del self._listening[station.address]

    # --- The loop ---------------------------------------------------------------------------

    def stop(self) -> None:
        """Let `run` return once the call that is being made has ended."""
        self._stopped = True

    def run(self, until_seconds: float = SECONDS_LIMIT, calls_limit: int = CALLS_LIMIT) -> bool:
        """Make calls until somebody calls `stop`.

        Args:
          until_seconds: Virtual time at which it ends anyhow.
          calls_limit: How many calls may be made, those of earlier runs included.

        Returns:
          Whether it was stopped. Otherwise that time was reached, or nothing is left to happen, in
          which case the time is that of the last call.

        Raises:
          SimulationStuck: the limit of calls was reached.
        """
        self._stopped = False
        due, arrived, pop = self._due, self.arrived, heapq.heappop
        next_arrival = arrived.popleft
        calls, now = self.calls_made, self.time
        with no_garbage_collection():
            while not self._stopped:
                if arrived:
                    link, message, size = next_arrival()
                    if not size:
                        link(*message)
                    else:  # `simulated_link.deliver`, written out: eleven times a block.
                        station = link.station
                        station.ledger.downloaded_wire_bytes += size
                        if link.up:
                            node = station.node
                            effects = node.handle(Received(link.id, message), now)
                            if effects:
                                station.carry_out(effects, now)
                            deadline = node.deadline
                            if deadline is not None and deadline < station._alarm_at:
                                station.set_alarm(deadline)
                elif due and due[0][0] <= until_seconds:
                    when, _, function, args = pop(due)
                    if when > now:
                        self.time = now = when
                    function(*args)
                else:
                    break
                calls += 1
                if calls >= calls_limit:
                    self.calls_made = calls
                    raise SimulationStuck(
                        f"{calls:,} events within {self.time:g} s: more than the limit"
                    )
        self.calls_made = calls
        if not self._stopped and due and math.isfinite(until_seconds):
            self.time = max(self.time, until_seconds)
        return self._stopped

    # --- The end ----------------------------------------------------------------------------

    def drain(self) -> None:
        """Let every node begin nothing new, let what is under way arrive, and end all links.

        Afterwards every payload byte that was sent has been received.
        """
        for station in self.stations:
            self.stop_listening(station)
            station.stop()
        self.run()
        for station in self.stations:
            station.end_links()
        self.run()


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Nodes and links refer to each other for as long as a world lives: looking for cycles in vain
    costs a third of the time with a thousand nodes."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
