"""One announce to a tracker, and its answer: BEP 3, compact peers (BEP 23), IPv6 peers (BEP 7).

Both are read from strangers: every field has a bound, and what is out of bounds is refused with
`AnnounceError`, or cut to the bound where a well-meant sender may exceed it (`numwant`, intervals).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from peers import bencoding
from peers.bencoding import MAX_INTEGER, Bencoded, BencodingError
from testbed.errors import LocalMisuse
from testbed.node import Address

EVENTS = ("", "started", "completed", "stopped")
"""What an announce may report; the empty one is a regular announce."""

DEFAULT_NUMWANT = 50
MAX_NUMWANT = 200
"""A peer with more neighbours spends its time on their HAVE messages."""

DEFAULT_INTERVAL_SECONDS = 1800
"""What trackers usually say. Taken from one that says nothing, so that it is not asked each second."""

MIN_INTERVAL_SECONDS = 1
MAX_INTERVAL_SECONDS = 86_400

MAX_QUERY_CHARACTERS = 4096
MAX_RESPONSE_BYTES = 128 * 1024
MAX_RESPONSE_PEERS = 1000
"""The list form needs about 100 bytes a peer, which `MAX_RESPONSE_BYTES` has room for."""

MAX_REASON_BYTES = 512

ENTRY_BYTES = 6
ENTRY6_BYTES = 18
"""One compact peer: its address, IPv4 or IPv6, and two bytes of port."""

CACHED_ADDRESSES = 32_768
"""`ipaddress` takes 3 us for each of fifty peers, and the same ones are named again and again."""

_HOST = re.compile(r"[0-9A-Za-z.:_-]{1,255}", re.ASCII)
_DIGITS = re.compile(rb"-?[0-9]{1,19}")


class AnnounceError(ValueError):
    """Not an announce, or not the answer to one; the message says what is wrong."""


class AnnounceRequest(msgspec.Struct, frozen=True, gc=False):
    """What a peer tells its tracker. `info_hash` and `peer_id` have 20 bytes."""

    info_hash: bytes
    peer_id: bytes
    port: int
    """Where the peer listens; its host is the one the announce comes from."""
    uploaded: int = 0
    downloaded: int = 0
    left: int = 0
    """Bytes of the file still missing. Zero makes a seed."""
    event: str = ""
    numwant: int = DEFAULT_NUMWANT

    def to_query(self) -> str:
        """Give the query part of the announce URL, without the question mark."""
        query = (
            f"info_hash={quote_from_bytes(self.info_hash, safe='')}"
            f"&peer_id={quote_from_bytes(self.peer_id, safe='')}"
            f"&port={self.port}&uploaded={self.uploaded}&downloaded={self.downloaded}"
            f"&left={self.left}&compact=1&numwant={self.numwant}"
        )
        return f"{query}&event={self.event}" if self.event else query

    @staticmethod
    def from_query(query: str) -> AnnounceRequest:
        """Read the query part of an announce URL.

        Unknown fields are passed over, and a missing amount is taken as none. `compact` is among
        them: answers are compact always, which BEP 23 leaves to the tracker. A plus sign is a plus
        sign, as BEP 3 escapes bytes and not forms.

        Raises:
          AnnounceError: a field is missing, repeated or malformed.
        """
        if len(query) > MAX_QUERY_CHARACTERS or not query.isascii():
            raise AnnounceError(f"a query is ASCII of at most {MAX_QUERY_CHARACTERS} characters")
        fields: dict[str, bytes] = {}
        for pair in query.split("&"):
            key, _, value = pair.partition("=")
            if key not in _FIELDS:
                continue
            if key in fields:
                raise AnnounceError(f"{key} is given twice")
            fields[key] = unquote_to_bytes(value)
        event = fields.get("event", b"").decode("latin-1")
        return AnnounceRequest(
            info_hash=_identity(fields, "info_hash"),
            peer_id=_identity(fields, "peer_id"),
            port=_amount(fields, "port", 1, 65535),
            uploaded=_amount(fields, "uploaded", 0, MAX_INTEGER),
            downloaded=_amount(fields, "downloaded", 0, MAX_INTEGER),
            left=_amount(fields, "left", 0, MAX_INTEGER),
            event=event if event in EVENTS else "",
            numwant=_numwant(fields),
        )


_FIELDS = frozenset(AnnounceRequest.__struct_fields__)


def _identity(fields: Mapping[str, bytes], key: str) -> bytes:
    value = fields.get(key, b"")
    if len(value) != 20:
        raise AnnounceError(f"{key} must have 20 bytes, not {len(value)}")
    return value


def _amount(fields: Mapping[str, bytes], key: str, least: int, greatest: int) -> int:
    value = fields.get(key) or b"0"
    number = int(value) if _DIGITS.fullmatch(value) else -1
    if not least <= number <= greatest:
        raise AnnounceError(f"{key} must be a number in {least}..{greatest}, not {value[:30]!r}")
    return number


def _numwant(fields: Mapping[str, bytes]) -> int:
    """Clients say -1 for "as you like", or ask for more than anybody gets."""
    if not fields.get("numwant"):
        return DEFAULT_NUMWANT
    number = _amount(fields, "numwant", -MAX_INTEGER, MAX_INTEGER)
    return DEFAULT_NUMWANT if number < 0 else min(number, MAX_NUMWANT)


class AnnounceResponse(msgspec.Struct, frozen=True):
    """What a tracker answers. With a `failure_reason` nothing else counts."""

    peers: tuple[Address, ...] = ()
    interval_seconds: int = DEFAULT_INTERVAL_SECONDS
    """When to announce again."""
    complete: int = 0
    """Seeds that the tracker knows, and below, leechers."""
    incomplete: int = 0
    failure_reason: str = ""

    def encode(self) -> bytes:
        """Give the body of the answer, with compact peers.

        Raises:
          LocalMisuse: the host of a peer is not an IP address.
        """
        if self.failure_reason:
            return bencoding.encode({b"failure reason": self.failure_reason.encode()})
        packed = [_packed(peer) for peer in self.peers]
        peers = b"".join([entry for entry in packed if len(entry) == ENTRY_BYTES])
        peers6 = b"".join([entry for entry in packed if len(entry) == ENTRY6_BYTES])
        body: dict[bytes, Bencoded] = {
            b"complete": self.complete,
            b"incomplete": self.incomplete,
            b"interval": self.interval_seconds,
            b"peers": peers,
        }
        if peers6:
            body[b"peers6"] = peers6
        return bencoding.encode(body)

    @staticmethod
    def decode(data: bytes) -> AnnounceResponse:
        """Read the body of an answer, whose peers may be compact or a list; IPv4 come first.

        Peers that cannot be dialled (port 0) are left out, and intervals are cut to
        `MIN_INTERVAL_SECONDS`..`MAX_INTERVAL_SECONDS`.

        Raises:
          AnnounceError: not the answer of a tracker, or too long.
        """
        try:
            body = bencoding.decode(data, max_bytes=MAX_RESPONSE_BYTES)
        except BencodingError as error:
            raise AnnounceError(str(error)) from None
        if not isinstance(body, dict):
            raise AnnounceError("an answer is a dictionary")
        reason = body.get(b"failure reason")
        if reason is not None:
            if not isinstance(reason, bytes):
                raise AnnounceError("failure reason must be a string")
            shown = reason[:MAX_REASON_BYTES].decode(errors="replace")
            return AnnounceResponse(failure_reason=shown or "no reason given")
        listed = body.get(b"peers", b"")
        peers = _listed(listed) if isinstance(listed, list) else _compact(listed, ENTRY_BYTES)
        peers += _compact(body.get(b"peers6", b""), ENTRY6_BYTES)
        if len(peers) > MAX_RESPONSE_PEERS:
            raise AnnounceError(f"at most {MAX_RESPONSE_PEERS} peers expected, not {len(peers)}")
        interval = _count(body, b"interval", MAX_INTERVAL_SECONDS, DEFAULT_INTERVAL_SECONDS)
        return AnnounceResponse(
            peers=tuple(peer for peer in peers if peer[1]),
            interval_seconds=max(interval, MIN_INTERVAL_SECONDS),
            complete=_count(body, b"complete", MAX_INTEGER),
            incomplete=_count(body, b"incomplete", MAX_INTEGER),
        )


def _count(body: Mapping[bytes, Bencoded], key: bytes, greatest: int, default: int = 0) -> int:
    value = body.get(key, default)
    if not isinstance(value, int) or value < 0:
        raise AnnounceError(f"{key.decode()} must be a number, zero or more")
    return min(value, greatest)


@lru_cache(maxsize=CACHED_ADDRESSES)
def _packed(peer: Address) -> bytes:
    host, port = peer
    try:
        return ip_address(host).packed + port.to_bytes(2, "big")
    except ValueError:
        raise LocalMisuse(f"compact peers have IP addresses, not {host!r}") from None


@lru_cache(maxsize=CACHED_ADDRESSES)
def _unpacked(entry: bytes) -> Address:
    return str(ip_address(entry[:-2])), int.from_bytes(entry[-2:], "big")


def _compact(packed: Bencoded, entry_bytes: int) -> list[Address]:
    """Read addresses and ports laid end to end."""
    if not isinstance(packed, bytes) or len(packed) % entry_bytes:
        raise AnnounceError(f"compact peers must be a string of {entry_bytes} bytes for each")
    if len(packed) > entry_bytes * MAX_RESPONSE_PEERS:
        raise AnnounceError(f"at most {MAX_RESPONSE_PEERS} peers expected")
    return [_unpacked(packed[at : at + entry_bytes]) for at in range(0, len(packed), entry_bytes)]


def _listed(entries: list[Bencoded]) -> list[Address]:
    """Read the form of BEP 3: a dictionary for each peer."""
    peers: list[Address] = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise AnnounceError("a listed peer must be a dictionary")
        host, port = entry.get(b"ip"), entry.get(b"port")
        if not isinstance(host, bytes) or not _HOST.fullmatch(host.decode("latin-1")):
            raise AnnounceError("ip of a listed peer must be an address or a host name")
        if not isinstance(port, int) or not 0 <= port <= 65535:
            raise AnnounceError("port of a listed peer must be in 0..65535")
        peers.append((host.decode("ascii"), port))
    return peers
