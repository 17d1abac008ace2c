"""Where a file host runs by itself: one node in the live world, until it is told to stop."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import trio

from servers.access_log import AccessLog
from servers.downloader import HTTP_WIRE
from servers.files import Directory
from servers.node import BLOCK_BYTES, FileHost
from servers.wire import Http
from testbed.link import Pacer
from testbed.live import LiveStation, LiveWorld
from testbed.sockets import raise_open_file_limit

#: What is under way when the host is told to stop may go on for so long.
DRAIN_SECONDS = 10.0

CONNECTION_LIMIT = 4096

#: Beside connections: files on their way, the listener, the epoll, the standard streams.
OTHER_DESCRIPTORS = 512


def place_host(
    world: LiveWorld,
    directory: Path,
    host: str,
    port: int,
    uplink_bytes_per_second: float = math.inf,
) -> LiveStation:
    """Give a file host for a directory its place in a live world; it listens from now on.

    Args:
      port: 0 takes a free one; the station's address has it.
      uplink_bytes_per_second: Shared by all connections; infinity for unlimited.

    Raises:
      OSError: the directory cannot be opened, or the address not be listened at.
    """
    block_bytes = BLOCK_BYTES if uplink_bytes_per_second < math.inf else None
    node = FileHost(Directory(directory), "fair", block_bytes, time.time, finishes=True)
    limit = raise_open_file_limit(CONNECTION_LIMIT + OTHER_DESCRIPTORS)
    return world.add(
        AccessLog(node),
        (host, port),
        {HTTP_WIRE: Http()},
        accepts=HTTP_WIRE,
        uplink=Pacer(uplink_bytes_per_second),
        downlink=Pacer(math.inf),
        connection_limit=max(1, min(CONNECTION_LIMIT, limit - OTHER_DESCRIPTORS)),
    )


async def serve(
    directory: Path,
    host: str,
    port: int,
    uplink_bytes_per_second: float = math.inf,
    on_listening: Callable[[str], None] = print,
) -> signal.Signals:
    """Serve a directory until SIGINT or SIGTERM, and give the signal that ended it.

    After the first signal no connection is accepted and no request answered any more; responses
    under way are finished, for `DRAIN_SECONDS` at most. A second signal ends them at once.

    Args:
      on_listening: Is told the URL once the host can be reached.

    Raises:
      OSError: the directory cannot be opened, or the address not be listened at.
    """
    world = LiveWorld()
    try:
        # Signals are caught before the address is told: who reads it may send one at once.
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            station = place_host(world, directory, host, port, uplink_bytes_per_second)
            station.start(0.0)
            async with trio.open_nursery() as nursery:
                await nursery.start(world.run)
                on_listening(f"http://{station.address[0]}:{station.address[1]}/")
                first = signal.Signals(await anext(signals))
                async with trio.open_nursery() as stopping:
                    stopping.start_soon(_cancel_on_signal, signals, stopping.cancel_scope)
                    await world.drain(DRAIN_SECONDS)
                    stopping.cancel_scope.cancel()
                nursery.cancel_scope.cancel()
    finally:
        world.close()
    return first


async def _cancel_on_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()
