"""A decoder that gives what follows each other as one message, for links that no line paces.

A read of 256 KiB brings sixteen blocks of one piece, or thousands of requests. Here they become one
`BlockRun` or `RequestRun`: the node is asked once, and the blocks already lie side by side in memory,
so that a piece is hashed and written in a few parts instead of one for each block.
"""

from __future__ import annotations

from peers.messages import BLOCK_HEADER_BYTES, Block, BlockRun, Request, RequestRun
from peers.torrent import BLOCK_BYTES
from peers.wire.decode import Buffer, PeerDecoder
from peers.wire.frames import (
    BLOCK_HEADER,
    BLOCK_ID,
    HEAD_AND_SPAN,
    MAX_BLOCK_BYTES,
    REQUEST_ID,
)
from testbed.node import Message

#: Blocks land in buffers of at most so many bytes: the most that one block of a piece may keep alive
#: while the rest of that piece comes from elsewhere.
LANDING_BYTES = 1 << 20

_REQUEST_BYTES = HEAD_AND_SPAN.size


class RunDecoder(PeerDecoder):
    """The reading end of a peer link that gives runs where it can."""

    def __init__(self, piece_count: int | None, piece_bytes: int) -> None:
        """`piece_bytes`: the torrent's. No run leaves its piece."""
        super().__init__(piece_count)
        self._landing_bytes = min(piece_bytes, LANDING_BYTES)
        self._landing = memoryview(b"")
        """Where the blocks of one part of one piece land, each at its place."""
        self._landing_piece = -1
        self._landing_begin = 0

    def _resume(self, data: memoryview, messages: list[Message]) -> int:
        """Go on with what was unfinished, and then take blocks and requests as far as they go."""
        position = super()._resume(data, messages)
        return self._take_runs(data, position, messages)

    def _take_frame(
        self, data: Buffer, position: int, frame_bytes: int, messages: list[Message]
    ) -> int:
        position = super()._take_frame(data, position, frame_bytes, messages)
        return self._take_runs(data, position, messages)

    def _take_runs(self, data: Buffer, position: int, messages: list[Message]) -> int:
        """Take whole blocks and requests, as long as there is nothing else; give where they end."""
        end = len(data)
        while self._block is None and not self._skip_bytes and end - position >= _REQUEST_BYTES:
            length, kind, _, _ = BLOCK_HEADER.unpack_from(data, position)
            if kind == BLOCK_ID and 9 < length <= 9 + MAX_BLOCK_BYTES:
                position = self._take_blocks(data, position, messages)
            elif kind == REQUEST_ID and length == 13:
                position = self._take_requests(data, position, messages)
            else:
                break
        return position

    def _take_requests(self, data: Buffer, position: int, messages: list[Message]) -> int:
        """Take a request and those that go on where it ends."""
        unpack, end = HEAD_AND_SPAN.unpack_from, len(data) - _REQUEST_BYTES
        _, _, piece, begin, length = unpack(data, position)
        position += _REQUEST_BYTES
        stop = begin + length
        last = length
        while last == BLOCK_BYTES and position <= end:
            prefix, kind, next_piece, next_begin, last = unpack(data, position)
            if (prefix, kind, next_piece, next_begin) != (13, REQUEST_ID, piece, stop):
                break
            if not 0 < last <= BLOCK_BYTES:
                break
            stop += last
            position += _REQUEST_BYTES
        if stop == begin + length:
            messages.append(Request(piece, begin, length))
        else:
            messages.append(RequestRun(piece, begin, stop - begin))
        return position

    def _take_blocks(self, data: Buffer, position: int, messages: list[Message]) -> int:
        """Take a block and those that go on where it ends; the last may be there in part."""
        unpack, end = BLOCK_HEADER.unpack_from, len(data)
        length, _, piece, begin = unpack(data, position)
        size = length - 9
        landing, start = self._land(piece, begin, size)
        at = start
        while True:
            position += BLOCK_HEADER_BYTES
            there = end - position
            if there < size:
                landing[at : at + there] = data[position:]
                self._block = (piece, begin + at - start, landing[at : at + size])
                self._block_filled_bytes = there
                position = end
                break
            landing[at : at + size] = data[position : position + size]
            position += size
            at += size
            if size != BLOCK_BYTES or end - position < BLOCK_HEADER_BYTES:
                break
            length, kind, next_piece, next_begin = unpack(data, position)
            size = length - 9
            follows = kind == BLOCK_ID and next_piece == piece and next_begin == begin + at - start
            if not follows or not 0 < size <= min(BLOCK_BYTES, len(landing) - at):
                break
        if at - start > BLOCK_BYTES:
            messages.append(BlockRun(piece, begin, at - start, landing[start:at]))
        elif at > start:
            messages.append(Block(piece, begin, at - start, landing[start:at]))
        return position

    def _land(self, piece: int, begin: int, size: int) -> tuple[memoryview, int]:
        """Say in which buffer a block lands, and at which place of it."""
        start = begin - self._landing_begin
        if piece != self._landing_piece or not 0 <= start <= len(self._landing) - size:
            start = begin % self._landing_bytes
            if size > self._landing_bytes - start:
                return memoryview(bytearray(size)), 0
            self._landing = memoryview(bytearray(self._landing_bytes))
            self._landing_piece = piece
            self._landing_begin = begin - start
        return self._landing, start
