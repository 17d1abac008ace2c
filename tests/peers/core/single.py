"""One peer at a table: the test plays everybody else, message by message."""

from __future__ import annotations

from random import Random
from typing import Any, TypeVar

from peers import messages as m
from peers.core.bitfield import PieceSpace
from peers.core.introduction import PEER_WIRE
from peers.core.peer import PeerNode
from peers.core.state import PeerConfig
from peers.torrent import BLOCK_BYTES, Torrent
from testbed.node import (
    Address,
    Departed,
    Effect,
    Event,
    HangUp,
    LinkId,
    LinkUp,
    Received,
    Send,
    SendEach,
    Started,
    Woken,
)
from tests.peers.core.harness import MemoryStorage, content_of, torrent_of

OWN_ID = b"-SO0001-500000000000"
SLOW_RESERVED = bytes(8)
"""Of a peer that does not speak BEP 6."""

E = TypeVar("E")


class SinglePeer:
    """A peer and what it orders. Pieces have two blocks, the last one a block and a byte."""

    def __init__(self, held: int | None = None, pieces: int = 4, **config: Any) -> None:
        """`held` None makes a seed."""
        size_bytes = (2 * pieces - 1) * BLOCK_BYTES + 1
        self.content = content_of(size_bytes)
        self.torrent: Torrent = torrent_of(self.content, 2 * BLOCK_BYTES)
        self.space = PieceSpace(pieces)
        held = self.space.all if held is None else held
        self.store = MemoryStorage(self.torrent, self.content, held)
        settings = PeerConfig(peer_id=OWN_ID, **config)
        self.node = PeerNode(settings, self.torrent, self.store, Random(1), held=held)
        self.now = 0.0
        self.links = 0
        self.first_effects = self.feed(Started(("10.0.0.9", 6881)))
        """What it ordered when it began."""

    def feed(self, event: Event) -> list[Effect]:
        """One event, and what it leads to."""
        return self.node.handle(event, self.now)

    def say(self, link: LinkId, *messages: Any) -> list[Effect]:
        """Let a remote say something."""
        return [effect for message in messages for effect in self.feed(Received(link, message))]

    def wait(self, seconds: float) -> list[Effect]:
        """Let time pass; the peer is woken whenever it asked to be."""
        until = self.now + seconds
        effects = []
        while (deadline := self.node.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            effects += self.feed(Woken())
        self.now = until
        return effects

    def link(self, *, dialled: bool = False, remote: Address | None = None) -> LinkId:
        """Let a link come up; the handshake is still to come."""
        self.links += 1
        link = LinkId(self.links)
        self.feed(LinkUp(link, remote or (f"10.0.1.{self.links}", 6881), dialled, PEER_WIRE))
        return link

    def hello(self, peer_id: bytes | None = None, *, fast: bool = True) -> m.Handshake:
        """A handshake for this torrent."""
        reserved = m.FAST_RESERVED if fast else SLOW_RESERVED
        return m.Handshake(self.torrent.info_hash, peer_id or b"-XX0001-%012d" % self.links, reserved)

    def join(self, pieces: int = 0, *, fast: bool = True, interested: bool = False) -> LinkId:
        """Let a peer come that has these pieces."""
        link = self.link()
        self.say(link, self.hello(fast=fast), m.Bitfield(self.space.to_wire(pieces)))
        if interested:
            self.say(link, m.INTERESTED)
        return link

    def requests(self, piece: int) -> list[m.Request]:
        """All requests for one piece."""
        return [m.Request(piece, *block) for block in self.torrent.blocks_of(piece)]

    def blocks(self, piece: int, *, corrupt: bool = False) -> list[m.Block]:
        """All blocks of one piece."""
        found = []
        for begin, length in self.torrent.blocks_of(piece):
            start = piece * self.torrent.piece_bytes + begin
            payload = self.content[start : start + length]
            found.append(m.Block(piece, begin, length, bytes(length) if corrupt else payload))
        return found

    def departs(self, link: LinkId, *, writable: bool = True) -> list[Effect]:
        """Say that the block last sent has left."""
        return self.feed(Departed(link, writable))


def sent(effects: list[Effect], link: LinkId, kind: type[E]) -> list[E]:
    """The messages of one kind that were sent on a link."""
    return [
        e.message
        for e in effects
        if ((isinstance(e, Send) and e.link == link) or (isinstance(e, SendEach) and link in e.links))
        and isinstance(e.message, kind)
    ]


def hung_up(effects: list[Effect]) -> list[HangUp]:
    """The links that were ended."""
    return [effect for effect in effects if isinstance(effect, HangUp)]
