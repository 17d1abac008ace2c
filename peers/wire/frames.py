"""The frames of the peer protocol: ids, sizes and bounds. Both directions read these tables.

After the handshake everything is a length prefix of four bytes, then that many bytes: one for the
id and the fields, big endian. A length of zero, without an id, is a keep-alive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct

from peers.messages import (
    CHOKE,
    HAVE_ALL,
    HAVE_NONE,
    INTERESTED,
    NOT_INTERESTED,
    UNCHOKE,
    AllowedFast,
    Cancel,
    Have,
    RejectRequest,
    Request,
    SuggestPiece,
)
from testbed.node import Message

HANDSHAKE = Struct(">20s8s20s20s")
HANDSHAKE_PREFIX = b"\x13BitTorrent protocol"

LENGTH = Struct(">I")
HEAD = Struct(">IB")
HEAD_AND_INDEX = Struct(">IBI")
HEAD_AND_SPAN = Struct(">IBIII")
BLOCK_HEADER = Struct(">IBII")
PORT = Struct(">IBH")

MAX_MESSAGE_BYTES = 1 << 20
"""No message is longer. A bitfield of this size is of eight million pieces."""

MAX_BLOCK_BYTES = 128 * 1024
"""Nobody asks for more at once: clients close a link over requests beyond 16 to 128 KiB."""

HAVE_ID = 4
BITFIELD_ID = 5
REQUEST_ID = 6
BLOCK_ID = 7
PORT_ID = 9
EXTENDED_ID = 20

CONSTANTS: Mapping[int, Message] = {
    0: CHOKE,
    1: UNCHOKE,
    2: INTERESTED,
    3: NOT_INTERESTED,
    14: HAVE_ALL,
    15: HAVE_NONE,
}
"""Messages that are an id and nothing else."""

INDEXED: Mapping[int, Callable[[int], Message]] = {HAVE_ID: Have, 13: SuggestPiece, 17: AllowedFast}
"""Messages about one piece."""

SPANNED: Mapping[int, Callable[[int, int, int], Message]] = {
    REQUEST_ID: Request,
    8: Cancel,
    16: RejectRequest,
}
"""Messages about a span of one piece: piece, begin, length."""

LENGTHS: Mapping[int, tuple[int, int]] = {
    **dict.fromkeys(CONSTANTS, (1, 1)),
    **dict.fromkeys(INDEXED, (5, 5)),
    **dict.fromkeys(SPANNED, (13, 13)),
    BITFIELD_ID: (1, MAX_MESSAGE_BYTES),
    # An empty block is file content that is none; no request asks for it.
    BLOCK_ID: (10, 9 + MAX_BLOCK_BYTES),
    PORT_ID: (3, 3),
    EXTENDED_ID: (2, MAX_MESSAGE_BYTES),
}
"""By id: the least and the greatest value of the length prefix. An id that is absent is unknown."""
