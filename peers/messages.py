"""What peers say to each other: BEP 3, the fast extension (BEP 6) and the extension frame (BEP 10).

These are facts, not bytes: `peers.wire` turns them into bytes and back, the simulator carries them
as they are and charges `size_bytes`. Messages without fields have one instance each, in capitals.

A run is several requests, or several blocks, in one message of ours: on the wire each of them has a
frame of its own, and remotes see no difference. A gigabyte is 61,000 blocks; where no line paces them,
what a node does for each costs more than moving its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from peers.torrent import BLOCK_BYTES
from testbed.node import FileSlice, Payload

FAST_BIT = 0x04
"""In the last reserved byte of a handshake: the fast extension (BEP 6)."""

EXTENDED_BIT = 0x10
"""In the sixth reserved byte of a handshake: the extension frame (BEP 10)."""

FAST_RESERVED = bytes([0, 0, 0, 0, 0, 0, 0, FAST_BIT])
"""Reserved bytes of a peer that speaks the fast extension and nothing else."""

HANDSHAKE_BYTES = 68
BLOCK_HEADER_BYTES = 13
"""Length prefix, id, piece and begin: all of a Block that is not file content."""


class Handshake(msgspec.Struct, frozen=True, gc=False):
    """The first message of each side. `info_hash` and `peer_id` have 20 bytes, `reserved` has 8."""

    info_hash: bytes
    peer_id: bytes
    reserved: bytes = FAST_RESERVED

    size_bytes: ClassVar[int] = HANDSHAKE_BYTES
    payload_bytes: ClassVar[int] = 0

    @property
    def supports_fast(self) -> bool:
        """Whether the sender speaks BEP 6."""
        return bool(self.reserved[7] & FAST_BIT)

    @property
    def supports_extended(self) -> bool:
        """Whether the sender speaks BEP 10."""
        return bool(self.reserved[5] & EXTENDED_BIT)


class KeepAlive(msgspec.Struct, frozen=True, gc=False):
    """Nothing to say, but still here."""

    size_bytes: ClassVar[int] = 4
    payload_bytes: ClassVar[int] = 0


class Choke(msgspec.Struct, frozen=True, gc=False):
    """The sender will not serve requests for now."""

    size_bytes: ClassVar[int] = 5
    payload_bytes: ClassVar[int] = 0


class Unchoke(msgspec.Struct, frozen=True, gc=False):
    """The sender will serve requests."""

    size_bytes: ClassVar[int] = 5
    payload_bytes: ClassVar[int] = 0


class Interested(msgspec.Struct, frozen=True, gc=False):
    """The sender lacks a piece that the receiver holds."""

    size_bytes: ClassVar[int] = 5
    payload_bytes: ClassVar[int] = 0


class NotInterested(msgspec.Struct, frozen=True, gc=False):
    """The receiver holds nothing that the sender lacks."""

    size_bytes: ClassVar[int] = 5
    payload_bytes: ClassVar[int] = 0


class Have(msgspec.Struct, frozen=True, gc=False):
    """The sender has one more verified piece."""

    piece: int

    size_bytes: ClassVar[int] = 9
    payload_bytes: ClassVar[int] = 0


class HaveMany(msgspec.Struct, frozen=True, gc=False):
    """Several `Have`, sent together.

    `held` is a bitfield of `width` bits, as an integer; piece 0 is the highest bit.
    """

    held: int
    width: int

    payload_bytes: ClassVar[int] = 0

    @property
    def size_bytes(self) -> int:
        """Bytes on the wire."""
        return Have.size_bytes * self.held.bit_count()

    def each(self) -> Iterator[Have]:
        """Give them one by one."""
        held = self.held
        while held:
            top = held.bit_length()
            yield Have(self.width - top)
            held ^= 1 << (top - 1)


class Bitfield(msgspec.Struct, frozen=True, gc=False):
    """Every piece the sender holds; the high bit of the first byte is piece 0."""

    bits: bytes

    payload_bytes: ClassVar[int] = 0

    @property
    def size_bytes(self) -> int:
        """Bytes on the wire."""
        return 5 + len(self.bits)


class Request(msgspec.Struct, frozen=True, gc=False):
    """Send me `length` bytes of `piece`, from `begin` on."""

    piece: int
    begin: int
    length: int

    size_bytes: ClassVar[int] = 17
    payload_bytes: ClassVar[int] = 0


class Block(msgspec.Struct, frozen=True, gc=False):
    """File content: `length` bytes of `piece`, from `begin` on. BEP 3 calls this message `piece`.

    `payload` has exactly `length` bytes.
    """

    piece: int
    begin: int
    length: int
    payload: Payload

    @property
    def size_bytes(self) -> int:
        """Bytes on the wire."""
        return BLOCK_HEADER_BYTES + self.length

    @property
    def payload_bytes(self) -> int:
        """Bytes of file content."""
        return self.length


class RequestRun(msgspec.Struct, frozen=True, gc=False):
    """Requests for blocks that follow each other: of `BLOCK_BYTES` each, the last may be shorter.

    `begin` is a multiple of `BLOCK_BYTES`, `length` that of all of them.
    """

    piece: int
    begin: int
    length: int

    payload_bytes: ClassVar[int] = 0

    @property
    def size_bytes(self) -> int:
        """Bytes on the wire."""
        return Request.size_bytes * blocks_in(self.length)

    def requests(self) -> Iterator[Request]:
        """Give them one by one."""
        for begin, length in _spans(self.begin, self.length):
            yield Request(self.piece, begin, length)


class BlockRun(msgspec.Struct, frozen=True, gc=False):
    """Blocks that follow each other: of `BLOCK_BYTES` each, the last may be shorter.

    `begin` is a multiple of `BLOCK_BYTES`. `payload` has exactly `length` bytes: those of all of them.
    """

    piece: int
    begin: int
    length: int
    payload: Payload

    @property
    def end(self) -> int:
        """Where in the piece the last of them ends."""
        return self.begin + self.length

    @property
    def size_bytes(self) -> int:
        """Bytes on the wire."""
        return BLOCK_HEADER_BYTES * blocks_in(self.length) + self.length

    @property
    def payload_bytes(self) -> int:
        """Bytes of file content."""
        return self.length

    def blocks(self) -> Iterator[Block]:
        """Give them one by one; their payloads are parts of this one's."""
        for begin, length in _spans(self.begin, self.length):
            yield Block(self.piece, begin, length, _cut(self.payload, begin - self.begin, length))


def blocks_in(length: int) -> int:
    """Say how many blocks a run of `length` bytes has."""
    return -(-length // BLOCK_BYTES)


def _spans(begin: int, length: int) -> Iterator[tuple[int, int]]:
    for offset in range(0, length, BLOCK_BYTES):
        yield begin + offset, min(BLOCK_BYTES, length - offset)


def _cut(payload: Payload, start: int, length: int) -> Payload:
    if isinstance(payload, FileSlice):
        return FileSlice(payload.file, payload.offset + start, length)
    return memoryview(payload)[start : start + length]


class Cancel(msgspec.Struct, frozen=True, gc=False):
    """Do not send what this request asked for."""

    piece: int
    begin: int
    length: int

    size_bytes: ClassVar[int] = 17
    payload_bytes: ClassVar[int] = 0


class Port(msgspec.Struct, frozen=True, gc=False):
    """Where the sender's DHT node listens (BEP 5). Understood, and of no use here."""

    port: int

    size_bytes: ClassVar[int] = 7
    payload_bytes: ClassVar[int] = 0


class SuggestPiece(msgspec.Struct, frozen=True, gc=False):
    """You may like this piece (BEP 6)."""

    piece: int

    size_bytes: ClassVar[int] = 9
    payload_bytes: ClassVar[int] = 0


class HaveAll(msgspec.Struct, frozen=True, gc=False):
    """Instead of a bitfield: the sender holds every piece (BEP 6)."""

    size_bytes: ClassVar[int] = 5
    payload_bytes: ClassVar[int] = 0


class HaveNone(msgspec.Struct, frozen=True, gc=False):
    """Instead of a bitfield: the sender holds no piece (BEP 6)."""

    size_bytes: ClassVar[int] = 5
    payload_bytes: ClassVar[int] = 0


class RejectRequest(msgspec.Struct, frozen=True, gc=False):
    """This request will not be served (BEP 6)."""

    piece: int
    begin: int
    length: int

    size_bytes: ClassVar[int] = 17
    payload_bytes: ClassVar[int] = 0


class AllowedFast(msgspec.Struct, frozen=True, gc=False):
    """This piece is served even while choked (BEP 6)."""

    piece: int

    size_bytes: ClassVar[int] = 9
    payload_bytes: ClassVar[int] = 0


class Extended(msgspec.Struct, frozen=True, gc=False):
    """A message of an extension (BEP 10); `kind` 0 is the extension handshake."""

    kind: int
    payload: bytes

    payload_bytes: ClassVar[int] = 0

    @property
    def size_bytes(self) -> int:
        """Bytes on the wire."""
        return 6 + len(self.payload)


KEEP_ALIVE = KeepAlive()
CHOKE = Choke()
UNCHOKE = Unchoke()
INTERESTED = Interested()
NOT_INTERESTED = NotInterested()
HAVE_ALL = HaveAll()
HAVE_NONE = HaveNone()

PeerMessage = (
    Handshake
    | KeepAlive
    | Choke
    | Unchoke
    | Interested
    | NotInterested
    | Have
    | HaveMany
    | Bitfield
    | Request
    | Block
    | RequestRun
    | BlockRun
    | Cancel
    | Port
    | SuggestPiece
    | HaveAll
    | HaveNone
    | RejectRequest
    | AllowedFast
    | Extended
)
