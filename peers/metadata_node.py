"""A node that has a magnet link and wants the torrent: it asks peers for the info dictionary (BEP 9).

It finds peers as any other does, and says of itself only that it has nothing. Each of a few sources is
asked for the whole of it; the first whole that fits the info hash ends the search.
"""

from __future__ import annotations

from peers import bencoding
from peers.bencoding import BencodingError
from peers.core.introduction import TRACKER_WIRE, Introduction
from peers.core.session import Session
from peers.core.state import PeerConfig
from peers.extension import HANDSHAKE_KIND, METADATA, OUR_IDS, RESERVED, ExtensionHandshake
from peers.magnet import Magnet
from peers.messages import HAVE_NONE, Extended, Handshake
from peers.metadata import MetadataCopy, MetadataKind, MetadataMessage
from peers.torrent import MAX_TORRENT_BYTES, Torrent, TorrentError, torrent_of
from testbed.errors import ProtocolViolation
from testbed.node import (
    DialFailed,
    Effect,
    Event,
    Finished,
    HangUp,
    LinkDown,
    LinkId,
    LinkUp,
    Received,
    Send,
    Started,
    Stopping,
    Tally,
    Woken,
)

TICK_SECONDS = 0.5

PATIENCE_SECONDS = 10.0
"""A source from which nothing came for so long is given up: it is silent, or too slow."""

PARTS_UNDER_WAY = 4
"""Parts asked for at a time from one source."""

MAX_SOURCES = 3
"""Copies on their way at a time; each may take as much memory as a torrent."""

LEFT_BYTES = 1
"""How much is missing is not known yet; zero would make it a seed."""


class _Source(Session):
    """One connected peer, and its copy of the dictionary."""

    __slots__ = ("copy", "metadata_id", "progress_at")

    def __init__(self, event: LinkUp, now: float) -> None:
        super().__init__(event.link, event.remote, dialled=event.dialled, now=now)
        self.copy: MetadataCopy | None = None
        self.metadata_id = 0
        self.progress_at = now


class MetadataNode:
    """Fetches the info dictionary that a magnet link stands for."""

    def __init__(self, config: PeerConfig, magnet: Magnet) -> None:
        self.tally = Tally()
        self.torrent: Torrent | None = None
        """What was found."""
        self._config = config
        self._magnet = magnet
        self._introduction = Introduction(config, magnet.info_hash)
        self._sources: dict[LinkId, _Source] = {}
        self._port: int | None = None
        self._next_tick: float | None = None
        self._finished = False

    @property
    def deadline(self) -> float | None:
        """The next look after sources and tracker."""
        return self._next_tick

    @property
    def peers_connected(self) -> int:
        """Links that are open to peers."""
        return len(self._sources)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event and say what should happen."""
        out: list[Effect] = []
        match event:
            case Started(address):
                self._port = address[1] or None
                self._introduction.started(address, now)
                self._next_tick = now + TICK_SECONDS
            case Stopping():
                self._next_tick = None
                self._finished = True
            case LinkUp():
                self._link_up(event, now, out)
            case DialFailed(remote, wire):
                if wire == TRACKER_WIRE:
                    self._introduction.tracker_failed(now)
                else:
                    self._introduction.dialled(remote)
            case LinkDown(link):
                if self._sources.pop(link, None) is None:
                    self._introduction.tracker_down(link, now)
            case Received():
                self._received(event, now, out)
            case Woken() if self._next_tick is not None:
                self._next_tick = now + TICK_SECONDS
                for source in list(self._sources.values()):
                    if now - source.progress_at > PATIENCE_SECONDS:
                        self._part(source, "no metadata", out)
        if not self._finished:
            self._start_copies(now, out)
            out.extend(self._introduction.orders(self._sources.values(), now, leeching=True))
        return out

    # --- Connections ------------------------------------------------------------------------

    def _link_up(self, event: LinkUp, now: float, out: list[Effect]) -> None:
        if event.wire == TRACKER_WIRE:
            peer_id = self._config.peer_id
            out.extend(self._introduction.tracker_up(event.link, peer_id, LEFT_BYTES, now))
            return
        self._introduction.dialled(event.remote)
        if self._finished or (not event.dialled and len(self._sources) >= self._config.neighbours):
            out.append(HangUp(event.link, "enough neighbours"))
            return
        self._sources[event.link] = _Source(event, now)
        if event.dialled:
            out.append(Send(event.link, self._handshake()))

    def _handshake(self) -> Handshake:
        return Handshake(self._magnet.info_hash, self._config.peer_id, RESERVED)

    def _part(self, source: _Source, reason: str, out: list[Effect], *, fault: bool = False) -> None:
        del self._sources[source.link]
        out.append(HangUp(source.link, reason, violation=fault))

    # --- Messages ---------------------------------------------------------------------------

    def _received(self, event: Received, now: float, out: list[Effect]) -> None:
        source = self._sources.get(event.link)
        if source is None:
            links = len(self._sources)
            if self._introduction.tracker_answered(event.link, event.message, links, now):
                out.append(HangUp(event.link, "answered"))
            return
        try:
            match event.message:
                case Handshake() as handshake:
                    self._on_handshake(source, handshake, out)
                case Extended(kind, payload) if source.peer_id:
                    self._on_extended(source, kind, payload, now, out)
                case _ if not source.peer_id:
                    raise ProtocolViolation(reason="no handshake")
        except ProtocolViolation as violation:
            self._part(source, violation.reason, out, fault=True)

    def _on_handshake(self, source: _Source, message: Handshake, out: list[Effect]) -> None:
        if source.peer_id:
            raise ProtocolViolation(reason="a second handshake")
        if message.info_hash != self._magnet.info_hash:
            raise ProtocolViolation(reason="another torrent")
        if message.peer_id == self._config.peer_id:
            self._part(source, "myself", out)
            return
        if not message.supports_extended:
            self._part(source, "no extensions", out)
            return
        source.peer_id = message.peer_id
        if not source.dialled:
            out.append(Send(source.link, self._handshake()))
        if message.supports_fast:
            out.append(Send(source.link, HAVE_NONE))
        said = ExtensionHandshake(ids={METADATA: OUR_IDS[METADATA]}, port=self._port)
        out.append(Send(source.link, said.encode()))

    def _on_extended(
        self, source: _Source, kind: int, payload: bytes, now: float, out: list[Effect]
    ) -> None:
        if kind == HANDSHAKE_KIND:
            said = ExtensionHandshake.decode(payload)
            if METADATA in said.ids:
                source.metadata_id = said.ids[METADATA]
            if source.copy is None and said.metadata_bytes and source.metadata_id:
                source.copy = MetadataCopy(self._magnet.info_hash, said.metadata_bytes)
            return
        if kind != OUR_IDS[METADATA] or source.copy is None:
            return
        message = MetadataMessage.decode(payload)
        if message is None or message.kind is MetadataKind.REQUEST:
            return
        if message.kind is MetadataKind.REJECT:
            self._part(source, "metadata refused", out)
            return
        source.progress_at = now
        whole = source.copy.take(message)
        if whole is not None:
            self._found(whole, out)

    def _found(self, whole: bytes, out: list[Effect]) -> None:
        self._finished = True
        self._next_tick = None
        try:
            info = bencoding.decode(whole, max_bytes=MAX_TORRENT_BYTES)
            if not isinstance(info, dict):
                raise TorrentError("info must be a dictionary")
            self.torrent = torrent_of(info, next(iter(self._magnet.trackers), ""))
        except (BencodingError, TorrentError) as error:
            # It has the hash that was asked for: the link is to a torrent that is of no use.
            out.append(Finished(False, str(error)))
            return
        out.append(Finished(True))

    def _start_copies(self, now: float, out: list[Effect]) -> None:
        """Ask the first few sources for what they are not asked for yet."""
        copying = [source for source in self._sources.values() if source.copy is not None]
        for source in copying[:MAX_SOURCES]:
            assert source.copy is not None
            while (request := source.copy.next_request(PARTS_UNDER_WAY)) is not None:
                out.append(Send(source.link, Extended(source.metadata_id, request.encode())))
        for source in copying[MAX_SOURCES:]:
            source.progress_at = now  # It has not been asked.
