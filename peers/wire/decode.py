"""Bytes to peer messages, whatever way they are split.

A decoder is in one of four places: before the end of the handshake, inside a frame that is kept
until it is whole, inside a block's payload, or inside a frame of unknown id that is skipped.

* File content is copied once, into the block's own buffer, and never kept with anything else.
* A frame that spans calls is kept in `_partial`, and looked at only when it has `_needed` bytes.
* Lengths are checked before anything is kept, so a link holds at most `MAX_MESSAGE_BYTES`.

Indices and spans are not checked here: what they may be depends on the torrent and on the session.
"""

from __future__ import annotations

from peers.messages import (
    BLOCK_HEADER_BYTES,
    HANDSHAKE_BYTES,
    KEEP_ALIVE,
    Bitfield,
    Block,
    Extended,
    Handshake,
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
    HEAD_AND_INDEX,
    HEAD_AND_SPAN,
    INDEXED,
    LENGTH,
    LENGTHS,
    MAX_MESSAGE_BYTES,
    PORT,
    SPANNED,
)
from testbed.errors import ProtocolViolation
from testbed.node import Message

Buffer = memoryview | bytearray

_INDEX_FRAME_BYTES = HEAD_AND_INDEX.size


class PeerDecoder:
    """The reading end of one peer link."""

    def __init__(self, piece_count: int | None = None) -> None:
        """`piece_count`: pieces of the torrent, from which a bitfield's length follows."""
        self.unknown_messages = 0
        """Messages of an id that is not known here. They are skipped."""

        self._lengths = dict(LENGTHS)
        if piece_count is not None:
            bitfield_length = 1 + (piece_count + 7) // 8
            self._lengths[BITFIELD_ID] = (bitfield_length, bitfield_length)

        self._handshaken = False
        self._partial = bytearray()
        self._needed = HANDSHAKE_BYTES

        self._block: tuple[int, int, memoryview] | None = None
        self._block_filled_bytes = 0
        self._skip_bytes = 0

    @property
    def in_payload(self) -> bool:
        """Whether the last byte fed was file content of a block that is not complete yet."""
        return self._block_filled_bytes > 0

    def feed(self, data: memoryview) -> list[Message]:
        """Take the bytes that arrived and give the messages they complete.

        Raises:
          ProtocolViolation: not this protocol, or a length out of bounds.
        """
        messages: list[Message] = []
        position = self._resume(data, messages)
        end = len(data)

        # The commonest frames, whole, without a call each.
        while end - position >= _INDEX_FRAME_BYTES:
            length, kind, index = HEAD_AND_INDEX.unpack_from(data, position)
            if length == 5 and kind in INDEXED:
                messages.append(INDEXED[kind](index))
                position += _INDEX_FRAME_BYTES
            elif length == 1 and kind in CONSTANTS:
                messages.append(CONSTANTS[kind])
                position += 5
            else:
                needed = self._frame_bytes(data, position, end - position)
                if needed > end - position:
                    break
                position = self._take_frame(data, position, needed, messages)

        while position < end:
            needed = self._frame_bytes(data, position, end - position)
            if needed > end - position:
                self._partial += data[position:]
                self._needed = needed
                break
            position = self._take_frame(data, position, needed, messages)
        return messages

    def _resume(self, data: memoryview, messages: list[Message]) -> int:
        """Go on with what the last call left unfinished; give how much of `data` that took."""
        if self._block is not None:
            return self._fill_block(data, 0, messages)
        if self._skip_bytes:
            return self._skip(data, 0)
        position = 0
        partial = self._partial
        while (partial or not self._handshaken) and position < len(data):
            taken = data[position : position + self._needed - len(partial)]
            partial += taken
            position += len(taken)
            if not self._handshaken:
                self._check_handshake(messages)
                continue
            needed = self._frame_bytes(partial, 0, len(partial))
            if needed > len(partial):
                self._needed = needed
                continue
            self._take_frame(partial, 0, needed, messages)
            partial.clear()
            if self._block is not None:
                return self._fill_block(data, position, messages)
            if self._skip_bytes:
                return self._skip(data, position)
        return position

    def _check_handshake(self, messages: list[Message]) -> None:
        """Refuse as soon as it cannot become a handshake; give it once it is whole."""
        partial = self._partial
        if not HANDSHAKE_PREFIX.startswith(partial[: len(HANDSHAKE_PREFIX)]):
            raise ProtocolViolation(reason="bad handshake")
        if len(partial) == HANDSHAKE_BYTES:
            _, reserved, info_hash, peer_id = HANDSHAKE.unpack(partial)
            messages.append(Handshake(info_hash, peer_id, reserved))
            self._handshaken = True
            partial.clear()

    def _frame_bytes(self, data: Buffer, position: int, available: int) -> int:
        """Give how many bytes of this frame to wait for before it can be taken.

        That is the whole frame, but for a block or an unknown id only its head; and as long as the
        head itself is not there, enough of it to know more.
        """
        if available < 4:
            return 4
        (length,) = LENGTH.unpack_from(data, position)
        if length == 0:
            return 4
        if length > MAX_MESSAGE_BYTES:
            raise ProtocolViolation(reason="oversize message")
        if available < 5:
            return 5
        kind = data[position + 4]
        bounds = self._lengths.get(kind)
        if bounds is None:
            return 5
        least, greatest = bounds
        if length > greatest:
            raise ProtocolViolation(reason="oversize message")
        if length < least:
            raise ProtocolViolation(reason="bad length")
        return BLOCK_HEADER_BYTES if kind == BLOCK_ID else 4 + length

    def _take_frame(
        self, data: Buffer, position: int, frame_bytes: int, messages: list[Message]
    ) -> int:
        """Take the frame that starts at `position`, and give where the next one starts.

        All `frame_bytes` of it are there, and its length is within bounds. Only a block or an
        unknown frame goes on after them, in `data` or in later calls.
        """
        position += frame_bytes
        if frame_bytes == 4:
            messages.append(KEEP_ALIVE)
            return position
        start = position - frame_bytes
        kind = data[start + 4]
        if kind == BLOCK_ID:
            length, _, piece, begin = BLOCK_HEADER.unpack_from(data, start)
            # Its own buffer, so that a piece kept in memory does not keep others alive.
            self._block = (piece, begin, memoryview(bytearray(length - 9)))
            return self._fill_block(data, position, messages)
        if kind in CONSTANTS:
            messages.append(CONSTANTS[kind])
        elif kind in INDEXED:
            messages.append(INDEXED[kind](HEAD_AND_INDEX.unpack_from(data, start)[2]))
        elif kind in SPANNED:
            messages.append(SPANNED[kind](*HEAD_AND_SPAN.unpack_from(data, start)[2:]))
        elif kind == BITFIELD_ID:
            messages.append(Bitfield(bytes(data[start + 5 : position])))
        elif kind == EXTENDED_ID:
            messages.append(Extended(data[start + 5], bytes(data[start + 6 : position])))
        elif kind in self._lengths:
            messages.append(Port(PORT.unpack_from(data, start)[2]))
        else:
            self.unknown_messages += 1
            self._skip_bytes = LENGTH.unpack_from(data, start)[0] - 1
            return self._skip(data, position)
        return position

    def _fill_block(self, data: Buffer, position: int, messages: list[Message]) -> int:
        """Copy what there is of the open block's payload; give where `data` goes on after it."""
        assert self._block is not None
        piece, begin, payload = self._block
        filled = self._block_filled_bytes
        taken = min(payload.nbytes - filled, len(data) - position)
        payload[filled : filled + taken] = data[position : position + taken]
        filled += taken
        if filled == payload.nbytes:
            messages.append(Block(piece, begin, filled, payload))
            self._block = None
            filled = 0
        self._block_filled_bytes = filled
        return position + taken

    def _skip(self, data: Buffer, position: int) -> int:
        """Pass over what there is of an unknown frame; give where `data` goes on after it."""
        taken = min(self._skip_bytes, len(data) - position)
        self._skip_bytes -= taken
        return position + taken
