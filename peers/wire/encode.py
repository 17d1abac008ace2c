"""Peer messages to bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from peers.messages import (
    KEEP_ALIVE,
    Bitfield,
    Block,
    BlockRun,
    Extended,
    Handshake,
    HaveMany,
    KeepAlive,
    Port,
    RequestRun,
)
from peers.torrent import BLOCK_BYTES, MAX_PIECE_BYTES
from peers.wire.frames import (
    BITFIELD_ID,
    BLOCK_HEADER,
    BLOCK_ID,
    CONSTANTS,
    EXTENDED_ID,
    HANDSHAKE,
    HANDSHAKE_PREFIX,
    HAVE_ID,
    HEAD,
    HEAD_AND_INDEX,
    HEAD_AND_SPAN,
    INDEXED,
    LENGTH,
    PORT,
    PORT_ID,
    REQUEST_ID,
    SPANNED,
)
from testbed.errors import LocalMisuse
from testbed.node import FileSlice, Message
from testbed.wire import FramedSlice, Part

Encoder = Callable[[Any], Sequence[Part]]

#: Where the blocks of a piece begin, packed.
_BEGINS = [LENGTH.pack(begin) for begin in range(0, MAX_PIECE_BYTES, BLOCK_BYTES)]


def encode(message: Message) -> Sequence[Part]:
    """Give the bytes of a peer message; a Block's payload is the last part, uncopied.

    Raises:
      LocalMisuse: not a peer message, or a Block whose payload is not of its length.
    """
    encoder = _ENCODERS.get(type(message))
    if encoder is None:
        raise LocalMisuse(f"a peer link carries peer messages, not {type(message).__name__}")
    return encoder(message)


def _encode_handshake(message: Handshake) -> Sequence[Part]:
    # struct would pad or cut these without a word.
    if (len(message.reserved), len(message.info_hash), len(message.peer_id)) != (8, 20, 20):
        raise LocalMisuse(f"a handshake has 8, 20 and 20 bytes of fields, not {message!r}")
    return (HANDSHAKE.pack(HANDSHAKE_PREFIX, message.reserved, message.info_hash, message.peer_id),)


def _encode_bitfield(message: Bitfield) -> Sequence[Part]:
    return (HEAD.pack(1 + len(message.bits), BITFIELD_ID), message.bits)


def _encode_extended(message: Extended) -> Sequence[Part]:
    head = HEAD.pack(2 + len(message.payload), EXTENDED_ID)
    return (head + bytes((message.kind,)), message.payload)


def _encode_port(message: Port) -> Sequence[Part]:
    return (PORT.pack(3, PORT_ID, message.port),)


def _encode_block(message: Block) -> Sequence[Part]:
    payload = message.payload
    length = message.length
    # A payload of another length would shift every later byte of the link.
    if (len(payload) if isinstance(payload, bytes) else payload.nbytes) != length:
        raise LocalMisuse(f"a block of {length} bytes has a payload of another length")
    return (BLOCK_HEADER.pack(9 + length, BLOCK_ID, message.piece, message.begin), payload)


def _encode_have_many(message: HaveMany) -> Sequence[Part]:
    pack = HEAD_AND_INDEX.pack
    return (b"".join([pack(5, HAVE_ID, have.piece) for have in message.each()]),)


def _heads_of_run(message: RequestRun | BlockRun, prefix: int, kind: int) -> tuple[list[bytes], int]:
    """Give prefix, id, piece and begin of each frame but the last, and where that one begins."""
    first = message.begin // BLOCK_BYTES
    last = first + (message.length - 1) // BLOCK_BYTES
    same = HEAD_AND_INDEX.pack(prefix, kind, message.piece)
    return [same + begin for begin in _BEGINS[first:last]], last * BLOCK_BYTES


def _encode_requests(message: RequestRun) -> Sequence[Part]:
    heads, begin = _heads_of_run(message, 13, REQUEST_ID)
    length = message.begin + message.length - begin
    heads.append(HEAD_AND_SPAN.pack(13, REQUEST_ID, message.piece, begin, BLOCK_BYTES)[:-4])
    return (LENGTH.pack(BLOCK_BYTES).join(heads) + LENGTH.pack(length),)


def _encode_blocks(message: BlockRun) -> Sequence[Part]:
    payload = message.payload
    if (len(payload) if isinstance(payload, bytes) else payload.nbytes) != message.length:
        raise LocalMisuse(f"blocks of {message.length} bytes have a payload of another length")
    heads, begin = _heads_of_run(message, 9 + BLOCK_BYTES, BLOCK_ID)
    heads.append(BLOCK_HEADER.pack(9 + message.end - begin, BLOCK_ID, message.piece, begin))
    if isinstance(payload, FileSlice):
        return (FramedSlice(payload, heads, BLOCK_BYTES),)
    view = memoryview(payload)
    parts: list[Part] = []
    for number, head in enumerate(heads):
        parts += (head, view[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES])
    return parts


def _constant(encoded: bytes) -> Encoder:
    parts = (encoded,)
    return lambda message: parts


def _indexed(message_id: int) -> Encoder:
    pack = HEAD_AND_INDEX.pack
    return lambda message: (pack(5, message_id, message.piece),)


def _spanned(message_id: int) -> Encoder:
    pack = HEAD_AND_SPAN.pack
    return lambda message: (pack(13, message_id, message.piece, message.begin, message.length),)


_ENCODERS: Mapping[type, Encoder] = {
    Handshake: _encode_handshake,
    KeepAlive: _constant(LENGTH.pack(KEEP_ALIVE.size_bytes - 4)),
    HaveMany: _encode_have_many,
    Bitfield: _encode_bitfield,
    Block: _encode_block,
    BlockRun: _encode_blocks,
    RequestRun: _encode_requests,
    Port: _encode_port,
    Extended: _encode_extended,
    **{type(message): _constant(HEAD.pack(1, key)) for key, message in CONSTANTS.items()},
    **{kind: _indexed(key) for key, kind in INDEXED.items() if isinstance(kind, type)},
    **{kind: _spanned(key) for key, kind in SPANNED.items() if isinstance(kind, type)},
}
