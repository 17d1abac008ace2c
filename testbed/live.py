"""The live world: nodes on real sockets and the wall clock, in one trio task.

One task owns an epoll of every socket in the process and a heap of what is due. A task for each
connection is the more usual shape under trio; docs/decisions/0001 has the measurement that decided
against it. The turn is:

    wait for a socket or for the next due time     (the kernel, or trio if that may take long)
    sockets that are ready → messages → nodes
    what is due            → nodes
    links written to       → one sendmsg each
    now and then           → trio: cancellation, signals, other tasks

Sockets are registered once, edge-triggered: a link remembers that it may be readable and stops
reading when its downlink says so, which costs no system call. The kernel's buffers and the sender's
window are the back-pressure.
"""

from __future__ import annotations

import heapq
import itertools
import select
import socket
import time
from collections.abc import Callable, Mapping

import trio

from testbed.link import Pacer
from testbed.live_link import LiveLink
from testbed.live_sending import (
    SEND_BUFFER_BYTES,
    SPARED_UNSENT_BYTES,
    SendingLink,
)
from testbed.node import Address, DialFailed, Node
from testbed.sockets import limit_unsent, listen, new_socket
from testbed.station import STALLED, Station
from testbed.wire import FrameBuffer, Wire

EDGE = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET

#: One turn handles at most so many ready sockets before due timers get their chance again.
EVENTS_A_TURN = 256

#: Waiting goes through trio only if nothing happens for so long: a pass through its loop costs some
#: 30 us of processor time, a wait in the kernel 2 us.
LINGER_SECONDS = 0.001

#: For so long turns follow each other while there is something to do; then trio's other tasks get
#: their chance.
TURNS_SECONDS = 0.002

#: A connection attempt on loopback is answered at once; the rest is a firewall or a dead host.
DIAL_SECONDS = 10.0

#: A remote that takes nothing of what waits for it for so long is down, unless a world says otherwise.
STALL_SECONDS = 30.0

#: How long to wait before accepting again when the process has no descriptor left.
ACCEPT_PAUSE_SECONDS = 0.1

DRAIN_POLL_SECONDS = 0.005

READ_BUFFER_BYTES = 256 * 1024


class LiveWorld:
    """Runs stations on real sockets."""

    def __init__(
        self, started_at: float | None = None, *, stall_seconds: float = STALL_SECONDS
    ) -> None:
        """Make one.

        Args:
          started_at: The monotonic time of the trial's start.
          stall_seconds: A link is down whose remote takes too little of what waits for so long.
        """
        self.stall_seconds = stall_seconds
        self.started_at = time.monotonic() if started_at is None else started_at
        self.stations: list[LiveStation] = []
        self.buffer = memoryview(bytearray(READ_BUFFER_BYTES))
        """What is read comes through here."""
        self.send_buffer = FrameBuffer(SEND_BUFFER_BYTES)
        """What is sent of files and cannot leave by sendfile goes through here."""
        self.worst_lag_seconds = 0.0
        """How late the latest of the due calls was since this was last reset."""
        self.turn = 0
        """The number of this turn. What is asked of the file system may be kept for one turn."""
        self.waiting_links = 0
        """Links for which something waits that the kernel does not take."""
        self.open_links: set[LiveLink] = set()
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._due: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._order = itertools.count()
        self._to_flush: list[SendingLink] = []
        self._next_turn: list[Callable[[], None]] = []
        self._sleep: trio.CancelScope | None = None
        self._sleeps_until = 0.0

    # --- Clock ------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since the trial began."""
        return time.monotonic() - self.started_at

    def call_at(self, when: float, function: Callable[..., None], *args: object) -> None:
        """Call at `when`, or as soon as possible after it."""
        heapq.heappush(self._due, (when, next(self._order), function, args))
        if self._sleep is not None and when < self._sleeps_until:
            self._wake()

    def _wake(self) -> None:
        if self._sleep is not None:
            self._sleep.cancel()

    # --- Sockets ----------------------------------------------------------------------------

    def watch(self, sock: socket.socket, handler: Callable[[int], None]) -> None:
        """Call the handler with epoll's mask whenever the socket has news. Once for each socket."""
        self._handlers[sock.fileno()] = handler
        self._epoll.register(sock.fileno(), EDGE)

    def forget(self, sock: socket.socket) -> None:
        """Stop watching, and close."""
        self._handlers.pop(sock.fileno(), None)
        sock.close()  # The kernel takes a closed descriptor off the epoll.

    def flush_soon(self, link: SendingLink) -> None:
        """Send what the link has at the end of this turn: all messages of one moment together."""
        self._to_flush.append(link)
        self._wake()

    def read_soon(self, link: SendingLink) -> None:
        """Let the link go on reading in the next turn, after everybody else had theirs."""
        self._next_turn.append(link.read)
        self._wake()

    def flush_next_turn(self, link: SendingLink) -> None:
        """Let the link go on sending in the next turn, after everybody else had theirs."""
        self._next_turn.append(link.begin_turn)
        self._wake()

    # --- Stations ---------------------------------------------------------------------------

    def add(
        self,
        node: Node,
        address: Address,
        wires: Mapping[str, Wire],
        *,
        accepts: str | None,
        uplink: Pacer,
        downlink: Pacer,
        latency_seconds: float = 0.0,
        delays: Mapping[str, float] | None = None,
        connection_limit: int = 4096,
        shares_port: bool = False,
    ) -> LiveStation:
        """Give a node a place. With `accepts`, the name of a wire, it listens from now on.

        Other processes may listen at the same port if all of them say `shares_port`.

        Raises:
          OSError: the address cannot be listened at.
        """
        station = LiveStation(self, node, address, wires, uplink, downlink, latency_seconds, delays)
        if accepts is not None:
            station.listen(accepts, connection_limit, shares_port=shares_port)
        self.stations.append(station)
        return station

    # --- The turn ---------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Drive all stations until cancelled.

        Raises:
          Exception: whatever a node raises: a node that raises is a bug of ours.
        """
        task_status.started()
        self.call_at(self.now() + self.stall_seconds / 4, self._find_stalled)
        try:
            while True:
                pause_at = self.now() + TURNS_SECONDS
                while (busy := self._turn()) and self.now() < pause_at:
                    pass
                if busy:
                    await trio.lowlevel.checkpoint()  # A quarter of what it costs to wait.
                else:
                    await self._wait()
        finally:
            self.close()

    def _turn(self) -> bool:
        """Handle what is ready and due; wait a moment for it if need be. False: there was nothing."""
        due = self._due
        patience = LINGER_SECONDS
        if self._next_turn or self._to_flush:
            patience = 0.0
        elif due:
            patience = min(max(0.0, due[0][0] - self.now()), LINGER_SECONDS)
        ready = self._epoll.poll(patience, EVENTS_A_TURN)
        self.turn += 1
        postponed, self._next_turn = self._next_turn, []
        for go_on in postponed:
            go_on()
        handlers = self._handlers
        for descriptor, mask in ready:
            handler = handlers.get(descriptor)
            if handler is not None:
                handler(mask)
        now = self.now()
        worked = bool(ready or postponed or (due and due[0][0] <= now))
        if due and now - due[0][0] > self.worst_lag_seconds:
            self.worst_lag_seconds = now - due[0][0]
        while due and due[0][0] <= now:
            _, _, function, args = heapq.heappop(due)
            function(*args)
        while self._to_flush:
            to_flush, self._to_flush = self._to_flush, []
            for link in to_flush:
                link.flush()
        return worked

    async def _wait(self) -> None:
        if self._next_turn or (self._due and self._due[0][0] <= self.now()):
            await trio.lowlevel.checkpoint()
            return
        self._sleeps_until = self._due[0][0] if self._due else float("inf")
        with trio.move_on_after(max(0.0, self._sleeps_until - self.now())) as self._sleep:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
        self._sleep = None

    def _find_stalled(self) -> None:
        now = self.now()
        for link in sorted(self.open_links, key=lambda link: link.fileno):
            if link.is_stalled(now, self.stall_seconds):
                link.fail(STALLED)
        self.call_at(now + self.stall_seconds / 4, self._find_stalled)

    # --- The end ----------------------------------------------------------------------------

    async def drain(self, seconds: float) -> bool:
        """Let every node begin nothing new, let what is under way arrive, and end all links.

        Returns whether all links came to a clean end in time. Call it while `run` runs.
        """
        for station in self.stations:
            station.stop_listening()
            station.stop()
        with trio.move_on_after(seconds) as scope:
            await self._until(lambda: not any(s.has_payload_under_way for s in self.stations))
            for link in sorted(self.open_links, key=lambda link: link.fileno):
                link.station.let_go(link)
                link.hang_up()
            await self._until(lambda: not self.open_links)
        return not scope.cancelled_caught

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Look again and again: what ends a link is in too many places for an event of its own."""
        while not condition():  # noqa: ASYNC110
            await trio.sleep(DRAIN_POLL_SECONDS)

    def close(self) -> None:
        """Close every socket at once."""
        for station in self.stations:
            station.stop_listening()
        for link in list(self.open_links):
            link.close()
        self._epoll.close()


class LiveStation(Station):
    """A node on real sockets."""

    def __init__(
        self,
        world: LiveWorld,
        node: Node,
        address: Address,
        wires: Mapping[str, Wire],
        uplink: Pacer,
        downlink: Pacer,
        latency_seconds: float,
        delays: Mapping[str, float] | None,
    ) -> None:
        super().__init__(world, node, address, uplink, downlink, latency_seconds, delays)
        self.world = world
        self.wires = wires
        self.shaped = uplink.bytes_per_second < float("inf")
        self.shaped_down = downlink.bytes_per_second < float("inf")
        self.downlink_passed_bytes = 0
        self.least_taken_bytes = 1
        """What a remote must take of what waits for it, in the time after which it is down."""
        self.shortcut: Callable[[LiveLink, memoryview], bool] | None = None
        """Sees what a link has read before its decoder does, when nothing waits to be sent on it; True:
        that was all of a message, and it is answered."""
        self.links_held = 0
        """Links whose bytes have arrived and wait for the downlink's pace."""
        self.accepted_link: Callable[..., LiveLink] = LiveLink
        """Makes the link of a connection that was accepted."""
        self._listener: socket.socket | None = None
        self._accepts = ""
        self._connection_limit = 0
        self._connections = 0

    @property
    def has_payload_under_way(self) -> bool:
        """Whether payload waits for the uplink or for room in a socket."""
        return self._payload_waiting > 0 or any(
            isinstance(link, LiveLink) and link.outbox for link in self.links.values()
        )

    # --- Accepting --------------------------------------------------------------------------

    def listen(self, wire: str, connection_limit: int, *, shares_port: bool = False) -> None:
        """Accept links of this wire; the address learns its port.

        Raises:
          OSError: the address cannot be listened at.
        """
        shaped = self.shaped or self.shaped_down
        self._listener = listen(self.address, shaped=shaped, shares_port=shares_port)
        limit_unsent(self._listener, SPARED_UNSENT_BYTES)
        self.address = self._listener.getsockname()[:2]
        self._accepts = wire
        self._connection_limit = connection_limit
        self.world.watch(self._listener, self._accept)

    def stop_listening(self) -> None:
        """Accept no more."""
        if self._listener is not None:
            self.world.forget(self._listener)
            self._listener = None

    def _accept(self, _mask: int = 0) -> None:
        while self._listener is not None:
            try:
                sock, remote = self._listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # It went away while it waited.
            except OSError:
                # No descriptor left. Those who wait stay in the backlog.
                self.world.call_at(self.clock.now() + ACCEPT_PAUSE_SECONDS, self._accept)
                return
            if len(self.links) >= self._connection_limit:
                self.count_violation("too many connections")
                sock.close()
                continue
            sock.setblocking(False)
            try:
                link = self.accepted_link(
                    self, self.new_link_id(), remote[:2], sock, self._accepts, dialled=False
                )
            except OSError:
                sock.close()  # It went away before the first byte; only under TLS anybody notices.
                continue
            link.come_up()

    # --- Dialling ---------------------------------------------------------------------------

    def dial(self, remote: Address, wire: str) -> None:
        """Open a link; the node hears `LinkUp` or `DialFailed`."""
        sock = new_socket(shaped=self.shaped or self.shaped_down, host=remote[0])
        try:
            if sock.family == socket.AF_INET and hasattr(socket, "IP_BIND_ADDRESS_NO_PORT"):
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
            if (":" in self.address[0]) == (":" in remote[0]):
                sock.bind((self.address[0], 0))
            sock.connect(remote)
        except BlockingIOError:
            pass
        except OSError as error:
            sock.close()
            self.feed(DialFailed(remote, wire, error.strerror or type(error).__name__))
            return
        link = LiveLink(self, self.new_link_id(), remote, sock, wire, dialled=True)
        link.await_connection(DIAL_SECONDS)
