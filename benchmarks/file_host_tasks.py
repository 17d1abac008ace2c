"""The same file host with a task for each connection, to measure it (decision 8).

Run as `python -m servers` is. Everything but the engine is the host's own: limits, log, counters, the
shortcut. Each socket has a trio task that waits until it can be read, or written to while something
waits, and calls what the engine would have called. One more task does what is due.
"""

from __future__ import annotations

import heapq
import select
import socket
import sys
from collections.abc import Callable
from typing import Any

import trio

import servers.host
from servers.__main__ import main
from testbed.live import LiveWorld
from testbed.live_link import LiveLink

Handler = Callable[[int], None]


class _Turns(trio.abc.Instrument):
    """A turn of the world is a pass through trio's loop: what it looks at was asked for before."""

    def __init__(self, world: LiveWorld) -> None:
        self._world = world

    def after_io_wait(self, timeout: float) -> None:
        self._world.turn += 1


class TaskWorld(LiveWorld):
    """A live world whose sockets have a task each."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._nursery: trio.Nursery | None = None
        self._before: list[tuple[socket.socket, Handler]] = []
        """Watched before the world ran."""
        self._something_due = trio.Event()

    def watch(self, sock: socket.socket, handler: Handler) -> None:
        """Give the socket a task."""
        if self._nursery is None:
            self._before.append((sock, handler))
        else:
            self._nursery.start_soon(self._attend, sock, handler)

    def forget(self, sock: socket.socket) -> None:
        """End its task, and close."""
        trio.lowlevel.notify_closing(sock.fileno())
        sock.close()

    def call_at(self, when: float, function: Callable[..., None], *args: object) -> None:
        """Call at `when`, or as soon as possible after it."""
        heapq.heappush(self._due, (when, next(self._order), function, args))
        if self._due[0][0] == when:
            self._something_due.set()

    def _wake(self) -> None:
        self._something_due.set()

    async def _attend(self, sock: socket.socket, handler: Handler) -> None:
        link = getattr(handler, "__self__", None)
        outbox = link.outbox if isinstance(link, LiveLink) else ()
        try:
            while sock.fileno() >= 0:
                if outbox:
                    await trio.lowlevel.wait_writable(sock.fileno())
                    handler(select.EPOLLOUT)
                else:
                    await trio.lowlevel.wait_readable(sock.fileno())
                    handler(select.EPOLLIN)
                self._flush()
        except trio.ClosedResourceError:
            return  # It was forgotten while its task waited.

    def _flush(self) -> None:
        to_flush, self._to_flush = self._to_flush, []
        for link in to_flush:
            link.flush()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Drive all stations until cancelled."""
        trio.lowlevel.add_instrument(_Turns(self))
        try:
            async with trio.open_nursery() as self._nursery:
                for sock, handler in self._before:
                    self.watch(sock, handler)
                task_status.started()
                await self._do_what_is_due()
        finally:
            self.close()

    async def _do_what_is_due(self) -> None:
        self.call_at(self.now() + self.stall_seconds / 4, self._find_stalled)
        while True:
            self._something_due = trio.Event()
            postponed, self._next_turn = self._next_turn, []
            for go_on in postponed:
                go_on()
            now = self.now()
            while self._due[0][0] <= now:
                _, _, function, args = heapq.heappop(self._due)
                function(*args)
            self._flush()
            with trio.move_on_after(max(0.0, self._due[0][0] - self.now())):
                await self._something_due.wait()


if __name__ == "__main__":
    servers.host.LiveWorld = TaskWorld  # type: ignore[misc]
    sys.exit(main())
