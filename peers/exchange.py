"""Peer exchange (BEP 11): neighbours tell each other of the peers they are connected to.

A message names those who came and those who went since the last one. It is sent right after the
extension handshake, then at most once a minute. A private torrent's peers never do (BEP 27).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from peers import bencoding
from peers.bencoding import Bencoded
from peers.extension import read_dictionary
from testbed.errors import ProtocolViolation
from testbed.node import Address

EXCHANGE_SECONDS = 60.0
"""BEP 11: no more than one message a minute."""

MAX_NAMED = 50
"""BEP 11: no more than 50 came and 50 went in one message, of both families together."""

MAX_MESSAGE_BYTES = 8 << 10
"""More than a hundred addresses need. Clients that name more at first are believed that far."""

SEED_FLAG = 0x02
REACHABLE_FLAG = 0x10


@dataclass(frozen=True, slots=True)
class ExchangeMessage:
    """Who came, with flags, and who went."""

    added: Mapping[Address, int]
    dropped: tuple[Address, ...] = ()

    def encode(self) -> bytes:
        """Give the payload of the extension message."""
        said: dict[bytes, Bencoded] = {}
        for suffix, version in ((b"", 4), (b"6", 6)):
            added = [address for address in self.added if _version(address) == version]
            dropped = [address for address in self.dropped if _version(address) == version]
            said[b"added" + suffix] = b"".join(map(_packed, added))
            said[b"added" + suffix + b".f"] = bytes(self.added[address] for address in added)
            said[b"dropped" + suffix] = b"".join(map(_packed, dropped))
        return bencoding.encode(said)

    @staticmethod
    def decode(payload: bytes) -> ExchangeMessage:
        """Read the payload; addresses that cannot be dialled are left out.

        Raises:
          ProtocolViolation: malformed, or of more addresses than anybody is told of.
        """
        said = read_dictionary(payload, MAX_MESSAGE_BYTES)
        added: dict[Address, int] = {}
        dropped: list[Address] = []
        for suffix, host_bytes in ((b"", 4), (b"6", 16)):
            addresses = _unpacked(said.get(b"added" + suffix, b""), host_bytes)
            flags = said.get(b"added" + suffix + b".f", b"")
            if not isinstance(flags, bytes):
                raise ProtocolViolation(reason="bad peer exchange")
            flags = flags.ljust(len(addresses), b"\0")
            added.update(zip(addresses, flags[: len(addresses)], strict=True))
            dropped += _unpacked(said.get(b"dropped" + suffix, b""), host_bytes)
        dialled = {address: flag for address, flag in added.items() if address[1]}
        return ExchangeMessage(dialled, tuple(dropped))


def _version(address: Address) -> int:
    return 6 if ":" in address[0] else 4


def _packed(address: Address) -> bytes:
    return ip_address(address[0]).packed + address[1].to_bytes(2, "big")


def _unpacked(packed: Bencoded, host_bytes: int) -> list[Address]:
    size = host_bytes + 2
    if not isinstance(packed, bytes) or len(packed) % size:
        raise ProtocolViolation(reason="bad peer exchange")
    kind = IPv4Address if host_bytes == 4 else IPv6Address
    return [
        (
            str(kind(packed[at : at + host_bytes])),
            int.from_bytes(packed[at + host_bytes : at + size], "big"),
        )
        for at in range(0, len(packed), size)
    ]


class ExchangeState:
    """What one neighbour was told, and when it may be told more."""

    __slots__ = ("_interval_seconds", "_told", "due_at", "heard_at")

    def __init__(self, now: float, interval_seconds: float = EXCHANGE_SECONDS) -> None:
        self._interval_seconds = interval_seconds
        self.due_at = now
        self.heard_at: float | None = None
        """When it last told us something."""
        self._told: set[Address] = set()

    def message(self, neighbours: Mapping[Address, int], now: float) -> ExchangeMessage | None:
        """Give what is new since the last message; None if nothing is, or it is too soon.

        Args:
          neighbours: Whom we are connected to, without the receiver, with their flags.
          now: Seconds.
        """
        if now < self.due_at:
            return None
        added = [address for address in neighbours if address not in self._told][:MAX_NAMED]
        dropped = sorted(self._told - neighbours.keys())[:MAX_NAMED]
        if not added and not dropped:
            return None
        self._told.update(added)
        self._told.difference_update(dropped)
        self.due_at = now + self._interval_seconds
        return ExchangeMessage({address: neighbours[address] for address in added}, tuple(dropped))


def worth_dialling(message: ExchangeMessage, *, leeching: bool) -> Iterable[Address]:
    """Give those who came; to a seed other seeds are of no use."""
    for address, flags in message.added.items():
        if leeching or not flags & SEED_FLAG:
            yield address
