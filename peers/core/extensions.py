"""The extensions of a peer: metadata for those who have a magnet link, and addresses of neighbours.

A peer that can speak the extension protocol (BEP 10) says so in its handshake. Then each side sends a
dictionary: its ids, where it listens, and whether it wants anything (BEP 21). From then on it may ask
for parts of the info dictionary (BEP 9), and both tell of their neighbours (BEP 11) unless the torrent
is private (BEP 27).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address

from peers.core.session import Phase, Session
from peers.core.state import HangUpOrder, PeerState
from peers.exchange import (
    REACHABLE_FLAG,
    SEED_FLAG,
    ExchangeMessage,
    ExchangeState,
    worth_dialling,
)
from peers.extension import EXCHANGE, HANDSHAKE_KIND, METADATA, OUR_IDS, ExtensionHandshake
from peers.messages import Extended
from peers.metadata import MetadataKind, MetadataMessage, answer, part_count
from testbed.node import Address, Effect, LinkId, Send

METADATA_COPIES = 2
"""How often one neighbour is given the whole info dictionary; what it asks beyond that is refused."""

QUICKEST_EXCHANGE_PART = 0.25
"""Of the time between two exchanges: a neighbour that sends more often is not listened to."""


class _Remote:
    """What one neighbour has said in its dictionary, and what it was given."""

    __slots__ = ("exchange", "parts_given", "said", "session")

    def __init__(self, session: Session, now: float, exchange_seconds: float) -> None:
        self.session = session
        self.said = ExtensionHandshake()
        self.exchange = ExchangeState(now, exchange_seconds)
        self.parts_given = 0

    @property
    def address(self) -> Address | None:
        """Where it listens, as far as is known."""
        session = self.session
        if session.dialled:
            return session.remote
        return None if self.said.port is None else (session.remote[0], self.said.port)


class Extensions:
    """Speaks the extensions with all neighbours.

    Args:
      state: What is shared with the rest of the peer.
      on_told: Called with addresses that a neighbour told of.
      hang_up: Ends a connection that is of no use to either side.
    """

    def __init__(
        self,
        state: PeerState,
        on_told: Callable[[Iterable[Address]], None],
        hang_up: HangUpOrder,
    ) -> None:
        self._state = state
        self._on_told = on_told
        self._hang_up = hang_up
        self._remotes: dict[LinkId, _Remote] = {}
        self._port: int | None = None
        private = state.torrent.private
        self._ids = {name: kind for name, kind in OUR_IDS.items() if name != EXCHANGE or not private}

    def started(self, address: Address) -> None:
        """The peer listens at this address."""
        self._port = address[1] or None

    def greet(self, session: Session, now: float, out: list[Effect]) -> None:
        """A neighbour that speaks extensions has come: say what is spoken here."""
        state = self._state
        self._remotes[session.link] = _Remote(session, now, state.config.exchange_seconds)
        said = ExtensionHandshake(
            ids=self._ids,
            metadata_bytes=len(state.torrent.info),
            port=self._port,
            request_queue=state.config.limits.request_queue,
            upload_only=True if not state.missing else None,
            your_host=_ip(session.remote[0]),
        )
        out.append(Send(session.link, said.encode()))

    def forget(self, session: Session) -> None:
        """A neighbour is gone."""
        self._remotes.pop(session.link, None)

    @property
    def addresses(self) -> list[Address]:
        """Where the neighbours listen, as far as is known."""
        return [remote.address for remote in self._remotes.values() if remote.address is not None]

    def completed(self, now: float, out: list[Effect]) -> None:
        """The download is whole: say so, and part from those who want nothing either (BEP 21)."""
        said = ExtensionHandshake(upload_only=True).encode()
        for remote in list(self._remotes.values()):
            out.append(Send(remote.session.link, said))
            self._part(remote, now, out)

    def _part(self, remote: _Remote, now: float, out: list[Effect]) -> None:
        if remote.said.upload_only and not self._state.missing and not self._state.stopping:
            self._hang_up(remote.session, "both want nothing", now, out)

    # --- What neighbours say ----------------------------------------------------------------

    def on_extended(self, session: Session, message: Extended, now: float, out: list[Effect]) -> None:
        """A neighbour says something in an extension. What is unknown is passed over."""
        remote = self._remotes.get(session.link)
        if remote is None:
            return
        if message.kind == HANDSHAKE_KIND:
            remote.said = remote.said.updated(ExtensionHandshake.decode(message.payload))
            self._part(remote, now, out)
            if session.link in self._remotes:
                self._exchange(remote, now, out)
        elif message.kind == OUR_IDS[METADATA]:
            self._on_metadata(remote, MetadataMessage.decode(message.payload), out)
        elif message.kind == self._ids.get(EXCHANGE):
            self._on_exchange(remote, ExchangeMessage.decode(message.payload), now)

    def _on_metadata(self, remote: _Remote, message: MetadataMessage | None, out: list[Effect]) -> None:
        kind = remote.said.ids.get(METADATA)
        if message is None or message.kind is not MetadataKind.REQUEST or not kind:
            return
        info = self._state.torrent.info
        if remote.parts_given >= METADATA_COPIES * part_count(len(info)):
            self._state.hit("metadata asked for again")
            reply = MetadataMessage(MetadataKind.REJECT, message.part)
        else:
            reply = answer(info, message)
            remote.parts_given += 1
        out.append(Send(remote.session.link, Extended(kind, reply.encode())))

    def _on_exchange(self, remote: _Remote, message: ExchangeMessage, now: float) -> None:
        heard_at = remote.exchange.heard_at
        least = QUICKEST_EXCHANGE_PART * self._state.config.exchange_seconds
        if heard_at is None or now - heard_at >= least:
            remote.exchange.heard_at = now
            self._on_told(worth_dialling(message, leeching=bool(self._state.missing)))
        else:
            self._state.hit("peer exchange too soon")

    # --- What they are told -----------------------------------------------------------------

    def look_after(self, now: float, out: list[Effect]) -> None:
        """Tell of neighbours those who may be told again."""
        if EXCHANGE in self._ids:
            for remote in self._remotes.values():
                if now >= remote.exchange.due_at:
                    self._exchange(remote, now, out)

    def _exchange(self, remote: _Remote, now: float, out: list[Effect]) -> None:
        kind = remote.said.ids.get(EXCHANGE)
        if not kind or EXCHANGE not in self._ids or self._state.stopping:
            return
        message = remote.exchange.message(self._neighbours_without(remote), now)
        if message is not None:
            out.append(Send(remote.session.link, Extended(kind, message.encode())))

    def _neighbours_without(self, receiver: _Remote) -> dict[Address, int]:
        everything = self._state.space.all
        found = {}
        for remote in self._remotes.values():
            session, address = remote.session, remote.address
            if remote is receiver or address is None or session.phase is Phase.AWAITING_HANDSHAKE:
                continue
            if not _ip(address[0]):
                continue
            seed = remote.said.upload_only or session.pieces == everything
            found[address] = (SEED_FLAG if seed else 0) | (REACHABLE_FLAG if session.dialled else 0)
        return found


def _ip(host: str) -> str:
    """Give an IP address as it is, and nothing for a name."""
    try:
        ip_address(host)
    except ValueError:
        return ""
    return host
