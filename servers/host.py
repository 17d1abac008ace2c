"""Where a file host runs by itself: one node in the live world, until it is told to stop."""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import math
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import cast

import trio

from servers.access_log import AccessLog, to_stream
from servers.digests import Digests
from servers.downloader import HTTP_WIRE
from servers.envelope import Envelope
from servers.files import Directory, Files
from servers.host_settings import HostSettings
from servers.methods import Method
from servers.metrics import Metrics, WithMetrics
from servers.node import BLOCK_BYTES, FileHost
from servers.quick import QuickAnswers
from servers.quick_record import QuickRecord
from servers.reading import Reading
from servers.recorder import HasFileno, Recorder
from servers.uploads_routes import storing_methods
from servers.wire import Http
from testbed.link import Pacer
from testbed.live import LiveStation, LiveWorld
from testbed.node import LinkId
from testbed.sockets import raise_open_file_limit
from testbed.tls_link import accept_tls, server_context

#: Beside connections: files on their way and kept, the listener, the epoll, the standard streams.
OTHER_DESCRIPTORS = 640

#: Connections beyond the limit that are told so, all at one time; further ones are closed at once.
REFUSED_AT_ONCE = 64

DRAIN_POLL_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class RunningHost:
    """A host in its place, and what belongs to it."""

    node: FileHost
    station: LiveStation
    recorder: Recorder
    log: AccessLog | None
    scheme: str

    @property
    def url(self) -> str:
        """Where it is reached."""
        host, port = self.station.address
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{port}/"


@contextlib.contextmanager
def placed_host(
    world: LiveWorld,
    settings: HostSettings,
    write_log: Callable[[bytes], object] | None = None,
) -> Iterator[RunningHost]:
    """Give a file host for a directory its place in a live world; it listens from now on.

    Args:
      write_log: Where lines of the log go, in a thread; None: to standard error.

    Raises:
      OSError: directory or certificate cannot be opened, or the address not be listened at.
    """
    station: LiveStation | None = None
    tls = None
    if settings.tls_certificate is not None:
        tls = server_context(settings.tls_certificate, settings.tls_key)

    def socket_of(link: LinkId) -> HasFileno | None:
        found = None if station is None else station.links.get(link)
        return cast("HasFileno | None", found)

    metrics = Metrics(
        lambda: node.connections, lambda: {} if station is None else station.ledger.violations
    )
    log = None
    if settings.log:
        log = AccessLog(world.started_at, write_log or to_stream(sys.stderr.buffer))
    recorder = Recorder(world.now, socket_of, metrics, log)
    digests = Digests()
    files: Files = Directory(settings.directory)
    if settings.metrics:
        files = WithMetrics(files, metrics)
    reading = Reading(files, digests, time.time, os.urandom(16))
    methods: dict[str, Method] = {"GET": reading, "HEAD": reading}
    if settings.writable:
        methods = storing_methods(settings.directory, files, reading, settings.upload_limit_bytes)
    is_shaped = settings.uplink_bytes_per_second < math.inf
    limit = raise_open_file_limit(settings.limits.connections + OTHER_DESCRIPTORS)
    wire = Http(takes_bodies=settings.writable)
    envelope = Envelope(time.time)
    quick = QuickRecord(world, recorder, metrics, log)
    node = FileHost(
        methods,
        envelope,
        settings.sharing,
        BLOCK_BYTES if is_shaped else None,
        settings.limits,
        finishes=True,
        encodes=True,
        service_delay_seconds=settings.service_delay_seconds,
        watch=recorder,
    )
    try:
        station = world.add(
            node,
            (settings.host, settings.port),
            {HTTP_WIRE: wire},
            accepts=HTTP_WIRE,
            shares_port=settings.shares_port,
            uplink=Pacer(settings.uplink_bytes_per_second),
            downlink=Pacer(math.inf),
            connection_limit=max(
                1, min(settings.limits.connections + REFUSED_AT_ONCE, limit - OTHER_DESCRIPTORS)
            ),
        )
        paced_bytes = settings.limits.read_bytes_per_second * world.stall_seconds
        station.least_taken_bytes = max(1, math.ceil(paced_bytes))
        if tls is not None:
            accept_tls(station, tls)
        elif not is_shaped and not settings.service_delay_seconds:
            station.shortcut = QuickAnswers(world, node, methods, envelope, wire.known, quick)
        yield RunningHost(node, station, recorder, log, "http" if tls is None else "https")
    finally:
        quick.close()
        recorder.close()
        if log is not None:
            log.flush()
        digests.close()
        files.close()


async def serve(settings: HostSettings, on_listening: Callable[[str], None] = print) -> signal.Signals:
    """Serve a directory until SIGINT or SIGTERM, and give the signal that ended it.

    After the first signal no connection is accepted and no further request answered; transactions
    under way are finished, for `drain_seconds` at most. A second signal ends them at once.

    Args:
      on_listening: Is told the URL once the host can be reached.

    Raises:
      OSError: the directory cannot be opened, or the address not be listened at.
    """
    world = LiveWorld()
    try:
        # Signals are caught before the address is told: who reads it may send one at once.
        with (
            trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals,
            placed_host(world, settings) as host,
        ):
            host.station.start(0.0)
            async with trio.open_nursery() as nursery:
                await nursery.start(world.run)
                await nursery.start(host.recorder.run)
                if host.log is not None:
                    await nursery.start(host.log.run)
                # What is there by now stays: the collector need not walk through it again, 10 ms
                # in which nobody would be served.
                gc.freeze()
                on_listening(host.url)
                first = signal.Signals(await anext(signals))
                async with trio.open_nursery() as stopping:
                    stopping.start_soon(_cancel_on_signal, signals, stopping.cancel_scope)
                    await drain(world, host, settings.drain_seconds)
                    stopping.cancel_scope.cancel()
                nursery.cancel_scope.cancel()
    finally:
        world.close()
    return first


async def drain(world: LiveWorld, host: RunningHost, seconds: float) -> None:
    """Accept nothing new, let what is under way come to its end, for so long at most."""
    deadline = trio.current_time() + seconds
    host.station.stop_listening()
    host.station.stop()
    with trio.move_on_at(deadline):
        # An upload that arrives, or an answer that is worked out, is under way and sends nothing yet.
        while not host.node.is_idle:  # noqa: ASYNC110
            await trio.sleep(DRAIN_POLL_SECONDS)
        await world.drain(deadline - trio.current_time())


def is_private(host: str) -> bool:
    """Whether only this machine can reach an address: figures may be shown there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _cancel_on_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()
