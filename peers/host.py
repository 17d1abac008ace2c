"""Where one peer, or one tracker, runs by itself: a node in the live world until it is told to stop."""

from __future__ import annotations

import math
import random
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import Enum

import trio

from peers.announce import AnnounceRequest
from peers.build import CLIENT_NAME
from peers.core.introduction import PEER_WIRE, TRACKER_WIRE
from peers.core.peer import PeerNode
from peers.core.state import PIECES_IN_FLIGHT, PeerConfig
from peers.farewell import say_stopped
from peers.registry import Registry
from peers.torrent import Torrent
from peers.tracker import TrackerNode
from peers.tracker_watch import TrackerWatch
from peers.wire import PeerWire
from servers.wire import Http
from testbed.link import Pacer
from testbed.live import LiveStation, LiveWorld
from testbed.node import Address
from testbed.storage import Storage

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

#: Nor how far away they are: 16 blocks on their way from one peer fill 10 Mbit/s at 200 ms.
REQUEST_AHEAD_BLOCKS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerPlan:
    """What a peer is told by hand."""

    torrent: Torrent
    storage: Storage
    held: int
    """Pieces verified in storage already, as a `PieceSpace` set."""
    tracker: Address
    announce_path: str
    host: str = "127.0.0.1"
    port: int = 0
    uplink_bytes_per_second: float = math.inf
    downlink_bytes_per_second: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a peer is. Rates are since the last status."""

    held_bytes: int
    file_bytes: int
    peers: int
    download_bytes_per_second: float
    upload_bytes_per_second: float


@dataclass(slots=True, kw_only=True)
class Reports:
    """Whom to tell what while a peer runs."""

    on_listening: Callable[[Address], None] = lambda address: None
    on_status: Callable[[Status], None] = lambda status: None
    on_tracker: Callable[[str], None] = lambda failure: None
    """Why the tracker does not answer; empty when it does."""


class Ending(Enum):
    """Why a peer left."""

    DONE = "done"
    TIMED_OUT = "timed out"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a peer's time in the swarm went."""

    ending: Ending
    complete: bool
    reason: str
    uploaded_bytes: int
    downloaded_bytes: int
    violations: dict[str, int] = field(default_factory=dict)


# --- A tracker ------------------------------------------------------------------------------


async def track(host: str, port: int, on_listening: Callable[[Address], None]) -> signal.Signals:
    """Introduce peers to each other until SIGINT or SIGTERM, and give the signal that ended it.

    Raises:
      OSError: the address cannot be listened at.
    """
    world = LiveWorld()
    try:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            station = world.add(
                TrackerNode(Registry(rng=random.Random(secrets.randbits(64)))),
                (host, port),
                {TRACKER_WIRE: Http(bodies_are_payload=False)},
                accepts=TRACKER_WIRE,
                uplink=Pacer(math.inf),
                downlink=Pacer(math.inf),
            )
            station.start(0.0)
            async with trio.open_nursery() as nursery:
                await nursery.start(world.run)
                on_listening(station.address)
                ended_by = signal.Signals(await anext(signals))
                await world.drain(DRAIN_SECONDS)
                nursery.cancel_scope.cancel()
    finally:
        world.close()
    return ended_by


# --- A peer ---------------------------------------------------------------------------------


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
        self._peer_id = CLIENT_NAME + b"%012d" % secrets.randbelow(10**12)
        self._world = LiveWorld()
        self._finished = trio.Event()
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
            violations=dict(ledger.violations),
        )

    def _place(self) -> tuple[TrackerWatch, LiveStation]:
        plan = self._plan
        config = PeerConfig(
            peer_id=self._peer_id,
            grants=GRANTS if plan.uplink_bytes_per_second < math.inf else UNSHAPED_GRANTS,
            request_ahead_blocks=REQUEST_AHEAD_BLOCKS,
            pieces_in_flight=4 * PIECES_IN_FLIGHT,
            tracker=plan.tracker,
            announce_path=plan.announce_path,
        )
        rng = random.Random(secrets.randbits(64))
        peer = PeerNode(config, plan.torrent, plan.storage, rng, held=plan.held)
        watch = TrackerWatch(peer, self._on_tracker_news)
        station = self._world.add(
            watch,
            (plan.host, plan.port),
            {
                PEER_WIRE: PeerWire(plan.torrent.piece_count),
                TRACKER_WIRE: Http(bodies_are_payload=False),
            },
            accepts=PEER_WIRE,
            uplink=Pacer(plan.uplink_bytes_per_second),
            downlink=Pacer(plan.downlink_bytes_per_second),
        )
        station.on_finished = lambda _: self._finished.set()
        return watch, station

    def _on_tracker_news(self, failure: str) -> None:
        self._answered = self._answered or not failure
        self._tracker_news.set()
        self._tracker_news = trio.Event()
        self._reports.on_tracker(failure)

    async def _stay(
        self,
        watch: TrackerWatch,
        station: LiveStation,
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
            await trio.sleep_forever()

    async def _end_by_signal(self, signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
        received = await anext(signals)
        self._ending = Ending.INTERRUPTED if received == signal.SIGINT else Ending.TERMINATED
        scope.cancel()

    async def _report(self, peer: PeerNode, station: LiveStation) -> None:
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

    async def _leave(self, watch: TrackerWatch, station: LiveStation) -> None:
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
        if self._answered:
            with trio.move_on_after(FAREWELL_SECONDS):
                await say_stopped(self._plan.tracker, self._plan.announce_path, farewell, address[0])
