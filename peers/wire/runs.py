"""A decoder that gives what follows each other as one message, for links that no line paces.

A read of 256 KiB brings fifteen blocks of one piece, or thousands of requests. Here they become one
`BlockRun` or `RequestRun`: the node is asked once, and the blocks already lie side by side in memory,
so that a piece is hashed and written in a few parts instead of one for each block. The heads of many
frames are taken apart and compared in one step, which is a tenth of what they take one by one.
"""

from __future__ import annotations

from functools import cache
from struct import Struct

from peers.messages import BLOCK_HEADER_BYTES, Block, BlockRun, Request, RequestRun
from peers.torrent import BLOCK_BYTES
from peers.wire.decode import Buffer, PeerDecoder
from peers.wire.frames import BLOCK_HEADER, BLOCK_ID, HEAD_AND_SPAN, MAX_BLOCK_BYTES, REQUEST_ID
from testbed.node import Message

#: Blocks land in buffers of at most so many bytes: the most that one block of a piece may keep alive
#: while the rest of that piece comes from elsewhere.
LANDING_BYTES = 1 << 20

_REQUEST_BYTES = HEAD_AND_SPAN.size
_FRAME_BYTES = BLOCK_HEADER_BYTES + BLOCK_BYTES

#: So many frames are compared at a time.
_AT_A_TIME = 64


@cache
def _heads(frames: int) -> Struct:
    """Takes the heads of so many whole blocks, and nothing of their payload."""
    return Struct(">" + f"IBII{BLOCK_BYTES}x" * frames)


@cache
def _requests(frames: int) -> Struct:
    """Takes so many requests."""
    return Struct(">" + "IBIII" * frames)


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
        """Take blocks and requests, as long as there is nothing else; give where they end."""
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

    # --- Requests ---------------------------------------------------------------------------

    def _take_requests(self, data: Buffer, position: int, messages: list[Message]) -> int:
        """Take a request and those that go on where it ends; give where the next frame starts."""
        piece, begin, length = HEAD_AND_SPAN.unpack_from(data, position)[2:]
        position += _REQUEST_BYTES
        stop, last = begin + length, length
        if begin % BLOCK_BYTES == 0:
            while last == BLOCK_BYTES and len(data) - position >= _REQUEST_BYTES:
                lengths = _lengths_that_follow(data, position, piece, stop)
                if not lengths:
                    break
                position += len(lengths) * _REQUEST_BYTES
                stop += sum(lengths)
                last = lengths[-1]
        if stop == begin + length:
            messages.append(Request(piece, begin, length))
        else:
            messages.append(RequestRun(piece, begin, stop - begin))
        return position

    # --- Blocks -----------------------------------------------------------------------------

    def _take_blocks(self, data: Buffer, position: int, messages: list[Message]) -> int:
        """Take a block and those that go on where it ends; give where the next frame starts.

        A block of which a part is missing is opened: the next call of `feed` goes on with it.
        """
        length, _, piece, begin = BLOCK_HEADER.unpack_from(data, position)
        size = length - 9
        landing, start = self._land(piece, begin, size)
        there = len(data) - position - BLOCK_HEADER_BYTES
        if there < size:
            landing[start : start + there] = data[position + BLOCK_HEADER_BYTES :]
            self._block = (piece, begin, landing[start : start + size])
            self._block_filled_bytes = there
            return len(data)
        blocks = 1
        if size == BLOCK_BYTES and begin % BLOCK_BYTES == 0:
            most = min((len(data) - position) // _FRAME_BYTES, (len(landing) - start) // BLOCK_BYTES)
            blocks = _blocks_that_follow(data, position, piece, begin, most)
        at = start
        for _ in range(blocks):
            position += BLOCK_HEADER_BYTES
            landing[at : at + size] = data[position : position + size]
            position += size
            at += size
        if blocks > 1:
            messages.append(BlockRun(piece, begin, at - start, landing[start:at]))
        else:
            messages.append(Block(piece, begin, size, landing[start:at]))
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


def _lengths_that_follow(data: Buffer, position: int, piece: int, begin: int) -> tuple[int, ...]:
    """Give the lengths of the requests here that go on at `begin`; the last may be shorter."""
    count = min((len(data) - position) // _REQUEST_BYTES, _AT_A_TIME)
    fields = _requests(count).unpack_from(data, position)
    begins = tuple(range(begin, begin + count * BLOCK_BYTES, BLOCK_BYTES))
    lengths = fields[4::5]
    if (
        fields[0::5] == (13,) * count
        and fields[1::5] == (REQUEST_ID,) * count
        and fields[2::5] == (piece,) * count
        and fields[3::5] == begins
        and lengths == (BLOCK_BYTES,) * count
    ):
        return lengths
    for number in range(count):
        head = fields[5 * number : 5 * number + 4]
        if head != (13, REQUEST_ID, piece, begins[number]) or not 0 < lengths[number] <= BLOCK_BYTES:
            return lengths[:number]
        if lengths[number] < BLOCK_BYTES:
            return lengths[: number + 1]
    return lengths


def _blocks_that_follow(data: Buffer, position: int, piece: int, begin: int, most: int) -> int:
    """Say how many whole blocks follow each other here, of `most` that there may be at least one."""
    fields = _heads(most).unpack_from(data, position)
    begins = tuple(range(begin, begin + most * BLOCK_BYTES, BLOCK_BYTES))
    if (
        fields[0::4] == (9 + BLOCK_BYTES,) * most
        and fields[1::4] == (BLOCK_ID,) * most
        and fields[2::4] == (piece,) * most
        and fields[3::4] == begins
    ):
        return most
    for number in range(1, most):
        head = fields[4 * number : 4 * number + 4]
        if head != (9 + BLOCK_BYTES, BLOCK_ID, piece, begins[number]):
            return number
    return most
