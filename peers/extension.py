"""The extension protocol (BEP 10): who speaks what, and the one dictionary that says so.

Each side chooses the ids under which it wants to be spoken to. The dictionary may be sent again when
something in it has changed; what is absent then stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from peers import bencoding
from peers.bencoding import Bencoded, BencodingError
from peers.messages import EXTENDED_BIT, FAST_BIT, Extended
from peers.torrent import MAX_TORRENT_BYTES
from testbed.errors import ProtocolViolation

HANDSHAKE_KIND = 0

METADATA = b"ut_metadata"
"""The info dictionary, for those who have a magnet link (BEP 9)."""
EXCHANGE = b"ut_pex"
"""Addresses of other peers (BEP 11)."""

OUR_IDS: Mapping[bytes, int] = {METADATA: 1, EXCHANGE: 2}
"""Under which ids we want to be spoken to."""

RESERVED = bytes([0, 0, 0, 0, 0, EXTENDED_BIT, 0, FAST_BIT])
"""Reserved bytes of a handshake: the fast extension and this one."""

CLIENT_VERSION = b"swarm-or-server 0.1"

MAX_HANDSHAKE_BYTES = 16 << 10
MAX_EXTENSIONS = 64
"""Bounds of memory for each link; clients name about ten."""


@dataclass(frozen=True, slots=True)
class ExtensionHandshake:
    """What one side says of itself. None, or an absent id, says nothing."""

    ids: Mapping[bytes, int] = field(default_factory=dict)
    """By name: the id to send that extension's messages under; zero switches it off."""
    metadata_bytes: int | None = None
    """Size of the info dictionary."""
    port: int | None = None
    """Where the sender listens."""
    request_queue: int | None = None
    """How many requests the sender keeps waiting."""
    upload_only: bool | None = None
    """The sender wants nothing any more (BEP 21)."""
    your_host: str = ""
    """The receiver's address as the sender sees it."""

    def encode(self) -> Extended:
        """Give the message."""
        said: dict[bytes, Bencoded] = {b"m": dict(self.ids), b"v": CLIENT_VERSION}
        if self.metadata_bytes is not None:
            said[b"metadata_size"] = self.metadata_bytes
        if self.port is not None:
            said[b"p"] = self.port
        if self.request_queue is not None:
            said[b"reqq"] = self.request_queue
        if self.upload_only is not None:
            said[b"upload_only"] = int(self.upload_only)
        if self.your_host:
            said[b"yourip"] = ip_address(self.your_host).packed
        return Extended(HANDSHAKE_KIND, bencoding.encode(said))

    @staticmethod
    def decode(payload: bytes) -> ExtensionHandshake:
        """Read the payload. What is unknown is passed over, and what is out of range says nothing.

        Raises:
          ProtocolViolation: no dictionary, or too long.
        """
        said = read_dictionary(payload)
        named = said.get(b"m", {})
        if not isinstance(named, dict) or len(named) > MAX_EXTENSIONS:
            raise ProtocolViolation(reason="bad extension handshake")
        upload_only = _number(said, b"upload_only", 1)
        return ExtensionHandshake(
            ids={
                name: kind
                for name, kind in named.items()
                if name in OUR_IDS and isinstance(kind, int) and 0 <= kind <= 255
            },
            metadata_bytes=_number(said, b"metadata_size", MAX_TORRENT_BYTES) or None,
            port=_number(said, b"p", 65535) or None,
            request_queue=_number(said, b"reqq", 1 << 20),
            upload_only=None if upload_only is None else bool(upload_only),
            your_host=_host(said.get(b"yourip")),
        )

    def updated(self, newer: ExtensionHandshake) -> ExtensionHandshake:
        """Give what is known after another one came."""
        return replace(
            newer,
            ids={**self.ids, **newer.ids},
            metadata_bytes=newer.metadata_bytes or self.metadata_bytes,
            port=newer.port or self.port,
            request_queue=self.request_queue if newer.request_queue is None else newer.request_queue,
            upload_only=self.upload_only if newer.upload_only is None else newer.upload_only,
            your_host=newer.your_host or self.your_host,
        )


def read_dictionary(payload: bytes, max_bytes: int = MAX_HANDSHAKE_BYTES) -> dict[bytes, Bencoded]:
    """Read the dictionary that an extension message is.

    Raises:
      ProtocolViolation: it is none, or too long.
    """
    try:
        said = bencoding.decode(payload, max_bytes=max_bytes)
    except BencodingError:
        raise ProtocolViolation(reason="bad extension message") from None
    if not isinstance(said, dict):
        raise ProtocolViolation(reason="bad extension message")
    return said


def _number(said: Mapping[bytes, Bencoded], key: bytes, most: int) -> int | None:
    value = said.get(key)
    return value if isinstance(value, int) and 0 <= value <= most else None


def _host(packed: Bencoded | None) -> str:
    if isinstance(packed, bytes) and len(packed) in (4, 16):
        return str(ip_address(packed))
    return ""
