"""The exchange of metadata (BEP 9): an info dictionary in parts of 16 KiB, from peer to peer.

Nobody's part can be checked by itself, only the whole by the info hash. So each source is asked for
all of it: what does not fit is then that source's fault and nobody else's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha1

from peers import bencoding
from peers.bencoding import Bencoded
from peers.extension import read_dictionary
from testbed.errors import ProtocolViolation

PART_BYTES = 16 << 10

MAX_HEAD_BYTES = 512
"""The dictionary before a part has three numbers."""


class MetadataKind(IntEnum):
    """What a message is (BEP 9)."""

    REQUEST = 0
    DATA = 1
    REJECT = 2


@dataclass(frozen=True, slots=True)
class MetadataMessage:
    """One message of the exchange; only `DATA` has `data`."""

    kind: MetadataKind
    part: int
    data: bytes = b""
    total_bytes: int = 0

    def encode(self) -> bytes:
        """Give the payload of the extension message."""
        head: dict[bytes, Bencoded] = {b"msg_type": int(self.kind), b"piece": self.part}
        if self.kind is MetadataKind.DATA:
            head[b"total_size"] = self.total_bytes
        return bencoding.encode(head) + self.data

    @staticmethod
    def decode(payload: bytes) -> MetadataMessage | None:
        """Read the payload; None if it is of a kind that is not known, which BEP 9 lets pass.

        Raises:
          ProtocolViolation: malformed, or a part that is too long.
        """
        if len(payload) > MAX_HEAD_BYTES + PART_BYTES:
            raise ProtocolViolation(reason="oversize metadata")
        end = _end_of_dictionary(payload[:MAX_HEAD_BYTES])
        head = read_dictionary(payload[:end])
        kind, part = head.get(b"msg_type"), head.get(b"piece")
        if not isinstance(kind, int) or not isinstance(part, int) or part < 0:
            raise ProtocolViolation(reason="bad metadata message")
        if kind not in MetadataKind.__members__.values():
            return None
        data = payload[end:]
        if len(data) > PART_BYTES:
            raise ProtocolViolation(reason="oversize metadata")
        total = head.get(b"total_size", 0)
        if not isinstance(total, int) or (data and kind != MetadataKind.DATA):
            raise ProtocolViolation(reason="bad metadata message")
        return MetadataMessage(MetadataKind(kind), part, data, total)


def _end_of_dictionary(data: bytes) -> int:
    """Where a flat dictionary of numbers and strings ends; the part follows without a mark."""
    if not data.startswith(b"d"):
        raise ProtocolViolation(reason="bad metadata message")
    at = 1
    while at < len(data):
        first = data[at : at + 1]
        if first == b"e":
            return at + 1
        if first == b"i":
            at = data.find(b"e", at) + 1
            if not at:
                break
        else:
            colon = data.find(b":", at, at + 5)
            if colon < 0 or not data[at:colon].isdigit():
                break
            at = colon + 1 + int(data[at:colon])
    raise ProtocolViolation(reason="bad metadata message")


def part_count(metadata_bytes: int) -> int:
    """How many parts a dictionary of this size has."""
    return -(-metadata_bytes // PART_BYTES)


def answer(info: bytes, request: MetadataMessage) -> MetadataMessage:
    """Answer a request for a part of our info dictionary."""
    if request.part >= part_count(len(info)):
        return MetadataMessage(MetadataKind.REJECT, request.part)
    data = info[request.part * PART_BYTES :][:PART_BYTES]
    return MetadataMessage(MetadataKind.DATA, request.part, data, len(info))


class MetadataCopy:
    """The info dictionary on its way from one source.

    Args:
      info_hash: What the whole must hash to.
      metadata_bytes: Its size, as the source says; not more than `MAX_TORRENT_BYTES`.
    """

    def __init__(self, info_hash: bytes, metadata_bytes: int) -> None:
        self._info_hash = info_hash
        self._bytes = metadata_bytes
        self._parts: list[bytes | None] = [None] * part_count(metadata_bytes)
        self._asked = 0
        self._missing = len(self._parts)

    def next_request(self, under_way: int) -> MetadataMessage | None:
        """Give the next part to ask for, if any is left and fewer than `under_way` wait."""
        came = len(self._parts) - self._missing
        if self._asked == len(self._parts) or self._asked - came >= under_way:
            return None
        self._asked += 1
        return MetadataMessage(MetadataKind.REQUEST, self._asked - 1)

    def take(self, message: MetadataMessage) -> bytes | None:
        """Take one part; gives the whole when it is there.

        Raises:
          ProtocolViolation: a part that was not asked for, of a wrong size, or a wrong whole.
        """
        part = message.part
        if part >= self._asked or self._parts[part] is not None:
            raise ProtocolViolation(reason="metadata that was not asked for")
        if len(message.data) != min(PART_BYTES, self._bytes - part * PART_BYTES):
            raise ProtocolViolation(reason="metadata of wrong length")
        self._parts[part] = message.data
        self._missing -= 1
        if self._missing:
            return None
        whole = b"".join(part for part in self._parts if part is not None)
        if sha1(whole, usedforsecurity=False).digest() != self._info_hash:
            raise ProtocolViolation(reason="wrong metadata")
        return whole
