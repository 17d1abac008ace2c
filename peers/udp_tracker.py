"""Trackers over UDP (BEP 15): datagrams of both sides, without a socket or a clock.

Who announces must first ask for a connection id, which proves that it lives where it says: without one
a forged sender could have a tracker send peers to anybody. Our tracker keeps none of them: an id is a
keyed hash of the asker's host and the minute, good for one to two minutes, as the BEP asks.
"""

from __future__ import annotations

from hashlib import blake2s
from ipaddress import IPv4Address, IPv6Address, ip_address
from random import Random
from struct import Struct

from peers.announce import (
    DEFAULT_INTERVAL_SECONDS,
    DEFAULT_NUMWANT,
    MAX_INTERVAL_SECONDS,
    MAX_NUMWANT,
    MAX_REASON_BYTES,
    MIN_INTERVAL_SECONDS,
    AnnounceError,
    AnnounceRequest,
    AnnounceResponse,
)
from peers.registry import MAX_SCRAPED, Registry, ScrapeEntry
from testbed.node import Address

PROTOCOL_ID = 0x41727101980
CONNECT, ANNOUNCE, SCRAPE, ERROR = range(4)
EVENTS = ("", "completed", "started", "stopped")

MAX_DATAGRAM_BYTES = 4096
"""Longer than any request or answer here; the rest of a longer one is lost on reading."""

CONNECTION_SECONDS = 60.0
"""A connection id is good in the minute it was given in, and the one after."""

_HEAD = Struct(">QII")
_CONNECTED = Struct(">IIQ")
_ANNOUNCE = Struct(">QII20s20sQQQIIIiH")
_ANNOUNCED = Struct(">IIIII")
_REPLY = Struct(">II")
_COUNTS = Struct(">III")
_HASH_BYTES = 20


class UdpTracker:
    """Our tracker's answers. `secret` is random and known to nobody else."""

    def __init__(self, registry: Registry, secret: bytes) -> None:
        self._registry = registry
        self._secret = secret

    def answer(self, datagram: bytes, remote: Address, now: float) -> bytes | None:
        """Answer one datagram. What is not of this protocol gets none, however it was meant."""
        if len(datagram) < _HEAD.size:
            return None
        connection, action, transaction = _HEAD.unpack_from(datagram)
        if action == CONNECT and connection == PROTOCOL_ID:
            return _CONNECTED.pack(CONNECT, transaction, self._connection_id(remote[0], now))
        if connection not in (
            self._connection_id(remote[0], now),
            self._connection_id(remote[0], now - CONNECTION_SECONDS),
        ):
            return None
        try:
            if action == ANNOUNCE:
                return self._announce(datagram, transaction, remote, now)
            if action == SCRAPE:
                return self._scrape(datagram, transaction, now)
        except AnnounceError as error:
            return _error(transaction, str(error))
        return _error(transaction, "unknown action")

    def _connection_id(self, host: str, now: float) -> int:
        minute = int(now // CONNECTION_SECONDS)
        digest = blake2s(f"{host} {minute}".encode(), key=self._secret, digest_size=8).digest()
        return int.from_bytes(digest, "big")

    def _announce(self, datagram: bytes, transaction: int, remote: Address, now: float) -> bytes:
        if len(datagram) < _ANNOUNCE.size:  # What may follow are options (BEP 41).
            raise AnnounceError("the announce is too short")
        fields = _ANNOUNCE.unpack_from(datagram)
        info_hash, peer_id, downloaded, left, uploaded, event, _, _, numwant, port = fields[3:]
        if event >= len(EVENTS) or not port:
            raise AnnounceError("event must be in 0..3, and port in 1..65535")
        request = AnnounceRequest(
            info_hash=info_hash,
            peer_id=peer_id,
            port=port,
            uploaded=uploaded,
            downloaded=downloaded,
            left=left,
            event=EVENTS[event],
            numwant=DEFAULT_NUMWANT if numwant < 0 else min(numwant, MAX_NUMWANT),
        )
        response = self._registry.announce(request, remote[0], now)
        if response.failure_reason:
            raise AnnounceError(response.failure_reason)
        head = _ANNOUNCED.pack(
            ANNOUNCE,
            transaction,
            response.interval_seconds,
            response.incomplete,
            response.complete,
        )
        # The family of the addresses is that of the datagram.
        version = ip_address(remote[0]).version
        peers = [(ip_address(host), port) for host, port in response.peers]
        return head + b"".join(
            host.packed + port.to_bytes(2, "big") for host, port in peers if host.version == version
        )

    def _scrape(self, datagram: bytes, transaction: int, now: float) -> bytes:
        packed = datagram[_HEAD.size :]
        if not packed or len(packed) % _HASH_BYTES or len(packed) > MAX_SCRAPED * _HASH_BYTES:
            raise AnnounceError(f"a scrape has 1 to {MAX_SCRAPED} info hashes of 20 bytes")
        hashes = [packed[at : at + _HASH_BYTES] for at in range(0, len(packed), _HASH_BYTES)]
        entries = [self._registry.scrape(info_hash, now) or ScrapeEntry() for info_hash in hashes]
        return _REPLY.pack(SCRAPE, transaction) + b"".join(
            _COUNTS.pack(entry.complete, entry.downloaded, entry.incomplete) for entry in entries
        )


def _error(transaction: int, reason: str) -> bytes:
    return _REPLY.pack(ERROR, transaction) + reason.encode()[:MAX_REASON_BYTES]


class UdpAnnounce:
    """One announce, from our side: the first datagram, then an answer to each that comes.

    A datagram may be lost; who announces begins anew when there is no answer in time.
    """

    def __init__(self, request: AnnounceRequest, remote: Address, rng: Random) -> None:
        self.response: AnnounceResponse | None = None
        """The tracker's answer, when it has come."""
        self._request = request
        self._is_ipv6 = ":" in remote[0]
        self._rng = rng
        self._transaction = rng.getrandbits(32)
        self._connected = False

    def first(self) -> bytes:
        """Give the datagram to begin with."""
        return _HEAD.pack(PROTOCOL_ID, CONNECT, self._transaction)

    def take(self, datagram: bytes) -> bytes | None:
        """Take a datagram; give the next to send, if any. Strangers' datagrams are passed over.

        Raises:
          AnnounceError: the tracker's answer is malformed.
        """
        if len(datagram) < _REPLY.size or self.response is not None:
            return None
        action, transaction = _REPLY.unpack_from(datagram)
        if transaction != self._transaction:
            return None
        if action == ERROR:
            reason = datagram[_REPLY.size :][:MAX_REASON_BYTES].decode(errors="replace")
            self.response = AnnounceResponse(failure_reason=reason or "no reason given")
            return None
        if action == CONNECT and not self._connected and len(datagram) >= _CONNECTED.size:
            self._connected = True
            return self._announce(_CONNECTED.unpack_from(datagram)[2])
        if action == ANNOUNCE and self._connected:
            self.response = self._read(datagram)
        return None

    def _announce(self, connection: int) -> bytes:
        request = self._request
        self._transaction = self._rng.getrandbits(32)
        return _ANNOUNCE.pack(
            connection,
            ANNOUNCE,
            self._transaction,
            request.info_hash,
            request.peer_id,
            request.downloaded,
            request.left,
            request.uploaded,
            EVENTS.index(request.event),
            0,
            self._rng.getrandbits(32),
            request.numwant,
            request.port,
        )

    def _read(self, datagram: bytes) -> AnnounceResponse:
        size = 18 if self._is_ipv6 else 6
        packed = datagram[_ANNOUNCED.size :]
        if len(datagram) < _ANNOUNCED.size or len(packed) % size:
            raise AnnounceError("the answer is cut short")
        _, _, interval, incomplete, complete = _ANNOUNCED.unpack_from(datagram)
        kind = IPv6Address if self._is_ipv6 else IPv4Address
        peers = [
            (
                str(kind(packed[at : at + size - 2])),
                int.from_bytes(packed[at + size - 2 : at + size], "big"),
            )
            for at in range(0, len(packed), size)
        ]
        interval = interval or DEFAULT_INTERVAL_SECONDS
        return AnnounceResponse(
            peers=tuple(peer for peer in peers if peer[1]),
            interval_seconds=min(max(interval, MIN_INTERVAL_SECONDS), MAX_INTERVAL_SECONDS),
            complete=complete,
            incomplete=incomplete,
        )
