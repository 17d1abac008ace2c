"""Where a magnet link becomes a torrent: a node in the live world that asks peers for the metadata."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import trio

from peers.host import client_id, settle, swarm_config
from peers.metadata_node import MetadataNode
from peers.plan import Ending, Found, MagnetPlan, Reports
from peers.tracker_watch import TrackerWatch
from testbed.live import LiveWorld

#: The links that were used may end for so long.
DRAIN_SECONDS = 1.0


async def find_torrent(plan: MagnetPlan, reports: Reports, *, timeout_seconds: float) -> Found:
    """Ask peers for the torrent of a magnet link, until one has it or time is up.

    Raises:
      OSError: the address cannot be listened at.
    """
    world = LiveWorld(stall_seconds=plan.swarm.limits.stall_seconds)
    finished = trio.Event()
    node = MetadataNode(swarm_config(plan.swarm, client_id()), plan.magnet)
    watch = TrackerWatch(node, reports.on_tracker)
    ending = Ending.DONE
    try:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            station = settle(world, watch, plan.swarm, None)
            station.on_finished = lambda _: finished.set()
            async with trio.open_nursery() as nursery:
                await nursery.start(world.run)
                station.start(world.now())
                reports.on_listening(station.address)
                with trio.move_on_after(timeout_seconds) as waiting:
                    ending = await _first_of(finished, signals)
                if waiting.cancelled_caught:
                    ending = Ending.TIMED_OUT
                await world.drain(DRAIN_SECONDS)
                station.close_datagrams()
                nursery.cancel_scope.cancel()
    finally:
        world.close()
    reason = station.ledger.outcome
    if ending is Ending.DONE and node.torrent is None:
        ending = Ending.FAILED
    return Found(ending=ending, torrent=node.torrent, address=station.address, reason=reason)


async def _first_of(finished: trio.Event, signals: AsyncIterator[int]) -> Ending:
    """Wait for the torrent or for a signal."""
    ending = Ending.DONE

    async def end_by_signal(scope: trio.CancelScope) -> None:
        nonlocal ending
        received = await anext(signals)
        ending = Ending.INTERRUPTED if received == signal.SIGINT else Ending.TERMINATED
        scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(end_by_signal, nursery.cancel_scope)
        await finished.wait()
        nursery.cancel_scope.cancel()
    return ending
