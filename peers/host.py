"""Where one peer runs by itself: a node in the live world until it is done, or told to stop."""

from __future__ import annotations

import math
import random
import secrets
import signal
from collections.abc import AsyncIterator

import trio

from peers.announce import AnnounceRequest
from peers.build import CLIENT_NAME
from peers.core.introduction import PEER_WIRE, TRACKER_WIRE
from peers.core.peer import PeerNode
from peers.core.state import PIECES_IN_FLIGHT, PeerConfig
from peers.farewell import say_stopped
from peers.plan import Ending, Outcome, PeerPlan, Reports, Status, SwarmPlan
from peers.strangers import Strangers
from peers.tracker_watch import TrackerWatch
from peers.udp_link import PeerStation
from peers.wire import PeerWire
from servers.wire import Http
from testbed.link import Pacer
from testbed.live import LiveWorld
from testbed.node import Node
from testbed.station import Station

#: What is under way when a peer is told to stop may go on for so long.
DRAIN_SECONDS = 5.0

#: The tracker has so long to take note that a peer has completed or is leaving.
FAREWELL_SECONDS = 2.0

#: How often the peer says how far it is.
REPORT_SECONDS = 0.5

#: By hand nobody says how fast the others are. Four grants keep an uplink full towards peers that
#: take a half of it each; an unshaped one waits for round trips only.
GRANTS = 4
UNSHAPED_GRANTS = 8

#: Nor how far away they are: 16 blocks on their way from one peer fill 10 Mbit/s at 200 ms. Without a
#: limit of our own 64: with those of a piece, no more than the 250 that others take unless they say so.
REQUEST_AHEAD_BLOCKS = 16
UNPACED_REQUEST_AHEAD_BLOCKS = 64


def client_id() -> bytes:
    """Give a peer a peer id of its own (BEP 20)."""
    return CLIENT_NAME + b"%012d" % secrets.randbelow(10**12)


def swarm_config(plan: SwarmPlan, peer_id: bytes) -> PeerConfig:
    """Give the settings of a peer of which nobody knows how fast and far away the others are."""
    tracker = plan.tracker
    return PeerConfig(
        peer_id=peer_id,
        grants=GRANTS if plan.uplink_bytes_per_second < math.inf else UNSHAPED_GRANTS,
        request_ahead_blocks=UNPACED_REQUEST_AHEAD_BLOCKS if plan.unlimited else REQUEST_AHEAD_BLOCKS,
        in_runs=plan.unlimited,
        pieces_in_flight=4 * PIECES_IN_FLIGHT,
        tracker=None if tracker is None else tracker.address,
        announce_path="/" if tracker is None else tracker.path,
        known_peers=plan.peers,
        neighbours=plan.neighbours,
        limits=plan.limits,
        extensions=True,
    )


def settle(
    world: LiveWorld,
    node: Node,
    plan: SwarmPlan,
    piece_count: int | None,
    run_piece_bytes: int | None = None,
) -> PeerStation:
    """Give a peer its place. For `piece_count` and `run_piece_bytes` see `PeerWire`.

    Raises:
      OSError: the address cannot be listened at.
    """
    wire = PeerWire(piece_count, run_piece_bytes=run_piece_bytes)
    station = PeerStation(
        world,
        node,
        (plan.host, plan.port),
        {PEER_WIRE: wire, TRACKER_WIRE: Http(bodies_are_payload=False)},
        Pacer(plan.uplink_bytes_per_second),
        Pacer(plan.downlink_bytes_per_second),
        udp_tracker=plan.tracker is not None and plan.tracker.udp,
    )
    Strangers(station, plan.limits)
    station.listen(PEER_WIRE, plan.limits.connections)
    world.stations.append(station)
    return station


async def take_part(
    plan: PeerPlan, reports: Reports, *, timeout_seconds: float, seed_seconds: float
) -> Outcome:
    """Be a peer of a swarm: download what is missing, then seed, then leave properly.

    Args:
      plan: Which peer.
      reports: Whom to tell what.
      timeout_seconds: The download has so long; infinity for as long as it takes.
      seed_seconds: How long to stay once complete. Infinity: until a signal.

    Raises:
      OSError: the address cannot be listened at.
    """
    return await _Participation(plan, reports).run(timeout_seconds, seed_seconds)


class _Participation:
    """One peer's stay in a swarm."""

    def __init__(self, plan: PeerPlan, reports: Reports) -> None:
        self._plan = plan
        self._reports = reports
        self._peer_id = client_id()
        self._world = LiveWorld(stall_seconds=plan.swarm.limits.stall_seconds)
        self._finished = trio.Event()
        self._failed = trio.Event()
        self._tracker_news = trio.Event()
        self._answered = False
        self._ending = Ending.FAILED

    async def run(self, timeout_seconds: float, seed_seconds: float) -> Outcome:
        try:
            # Signals are caught before the address is told: who reads it may send one at once.
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                watch, station = self._place()
                async with trio.open_nursery() as nursery:
                    await nursery.start(self._world.run)
                    station.start(self._world.now())
                    self._reports.on_listening(station.address)
                    async with trio.open_nursery() as stay:
                        stay.start_soon(self._end_by_signal, signals, stay.cancel_scope)
                        stay.start_soon(self._report, watch.peer, station)
                        await self._stay(watch, station, timeout_seconds, seed_seconds)
                        stay.cancel_scope.cancel()
                    await self._leave(watch, station)
                    station.close_datagrams()
                    nursery.cancel_scope.cancel()
        finally:
            self._world.close()
        ledger = station.ledger
        return Outcome(
            ending=self._ending,
            complete=watch.peer.is_complete,
            reason=ledger.outcome,
            uploaded_bytes=ledger.uploaded_payload_bytes,
            downloaded_bytes=ledger.downloaded_payload_bytes,
            held=watch.peer.held,
            violations=dict(ledger.violations),
            limits_hit=dict(watch.peer.limits_hit),
        )

    def _place(self) -> tuple[TrackerWatch[PeerNode], PeerStation]:
        plan = self._plan
        rng = random.Random(secrets.randbits(64))
        config = swarm_config(plan.swarm, self._peer_id)
        peer = PeerNode(config, plan.torrent, plan.storage, rng, held=plan.held)
        watch = TrackerWatch(peer, self._on_tracker_news)
        runs_of = plan.torrent.piece_bytes if plan.swarm.unlimited else None
        station = settle(self._world, watch, plan.swarm, plan.torrent.piece_count, runs_of)
        station.on_finished = self._on_finished
        return watch, station

    def _on_finished(self, station: Station) -> None:
        self._finished.set()
        if not station.ledger.verified:
            self._failed.set()

    def _on_tracker_news(self, failure: str) -> None:
        self._answered = self._answered or not failure
        self._tracker_news.set()
        self._tracker_news = trio.Event()
        self._reports.on_tracker(failure)

    async def _stay(
        self,
        watch: TrackerWatch[PeerNode],
        station: PeerStation,
        timeout_seconds: float,
        seed_seconds: float,
    ) -> None:
        with trio.move_on_after(timeout_seconds) as download:
            await self._finished.wait()
        if download.cancelled_caught:
            self._ending = Ending.TIMED_OUT
            return
        if not station.ledger.verified:
            return
        self._ending = Ending.DONE
        with trio.move_on_after(seed_seconds):
            await self._failed.wait()
            self._ending = Ending.FAILED

    async def _end_by_signal(self, signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
        received = await anext(signals)
        self._ending = Ending.INTERRUPTED if received == signal.SIGINT else Ending.TERMINATED
        scope.cancel()

    async def _report(self, peer: PeerNode, station: PeerStation) -> None:
        file_bytes = self._plan.torrent.file_bytes
        ledger = station.ledger
        then, down, up = self._world.now(), 0, 0
        while True:
            await trio.sleep(REPORT_SECONDS)
            now = self._world.now()
            seconds = now - then
            self._reports.on_status(
                Status(
                    held_bytes=file_bytes - peer.left_bytes,
                    file_bytes=file_bytes,
                    peers=peer.peers_connected,
                    download_bytes_per_second=(ledger.downloaded_payload_bytes - down) / seconds,
                    upload_bytes_per_second=(ledger.uploaded_payload_bytes - up) / seconds,
                )
            )
            then, down, up = now, ledger.downloaded_payload_bytes, ledger.uploaded_payload_bytes

    async def _leave(self, watch: TrackerWatch[PeerNode], station: PeerStation) -> None:
        """Let the tracker know, end what is under way, and close all links."""
        with trio.move_on_after(FAREWELL_SECONDS):
            # The announce that says `completed` goes first.
            while self._answered and watch.announcing:
                await self._tracker_news.wait()
        address = station.address
        await self._world.drain(DRAIN_SECONDS)
        ledger = station.ledger
        farewell = AnnounceRequest(
            info_hash=self._plan.torrent.info_hash,
            peer_id=self._peer_id,
            port=address[1],
            uploaded=ledger.uploaded_payload_bytes,
            downloaded=ledger.downloaded_payload_bytes,
            left=watch.peer.left_bytes,
            event="stopped",
            numwant=0,
        )
        tracker = self._plan.swarm.tracker
        if self._answered and tracker is not None:
            with trio.move_on_after(FAREWELL_SECONDS):
                await say_stopped(tracker, farewell, address[0])
