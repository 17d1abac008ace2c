"""Peer messages to bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from peers.messages import (
    KEEP_ALIVE,
    Bitfield,
    Block,
    Extended,
    Handshake,
    KeepAlive,
    Port,
)
from peers.wire.frames import (
    BITFIELD_ID,
    BLOCK_HEADER,
    BLOCK_ID,
    CONSTANTS,
    EXTENDED_ID,
    HANDSHAKE,
    HANDSHAKE_PREFIX,
    HEAD,
    HEAD_AND_INDEX,
    HEAD_AND_SPAN,
    INDEXED,
    LENGTH,
    PORT,
    PORT_ID,
    SPANNED,
)
from testbed.errors import LocalMisuse
from testbed.node import Message
from testbed.wire import Part

Encoder = Callable[[Any], Sequence[Part]]


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
    Bitfield: _encode_bitfield,
    Block: _encode_block,
    Port: _encode_port,
    Extended: _encode_extended,
    **{type(message): _constant(HEAD.pack(1, key)) for key, message in CONSTANTS.items()},
    **{kind: _indexed(key) for key, kind in INDEXED.items() if isinstance(kind, type)},
    **{kind: _spanned(key) for key, kind in SPANNED.items() if isinstance(kind, type)},
}
