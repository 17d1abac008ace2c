"""What a live link needs to know of a protocol: bytes to messages, and messages to bytes.

The simulator needs none of this: messages cross it as they are and are charged `size_bytes`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from testbed.node import FileSlice, Message


class FrameBuffer:
    """Memory that framed slices are read into on their way out, cut into frames beforehand."""

    def __init__(self, size_bytes: int) -> None:
        self.whole = memoryview(bytearray(size_bytes))
        self._cut: dict[int, list[memoryview]] = {}

    def frames_of(self, frame_bytes: int) -> list[memoryview]:
        """Give it in frames of this size, as many as fit."""
        frames = self._cut.get(frame_bytes)
        if frames is None:
            starts = range(0, self.whole.nbytes - frame_bytes + 1, frame_bytes)
            frames = [self.whole[start : start + frame_bytes] for start in starts]
            self._cut[frame_bytes] = frames
        return frames


class FramedSlice:
    """File content on its way out, with a head before every so many bytes of it.

    A hundred blocks are one of these, read by one call and sent by another. What the kernel has not
    taken is read again when it has room: nothing of a file waits in memory for a slow remote.

    Args:
      content: All of it, without the heads.
      heads: One for each frame, all of the same length.
      frame_bytes: Content of each frame; of the last what is left.
    """

    __slots__ = ("content", "frame_bytes", "head_bytes", "heads", "nbytes", "sent_bytes")

    def __init__(self, content: FileSlice, heads: Sequence[bytes], frame_bytes: int) -> None:
        self.content = content
        self.heads = heads
        self.head_bytes = len(heads[0])
        self.frame_bytes = frame_bytes
        self.nbytes = content.nbytes + self.head_bytes * len(heads)
        """With heads."""
        self.sent_bytes = 0
        """Of those, what has left already."""

    def _content_before(self, sent_bytes: int) -> int:
        """How much of the first `sent_bytes` is content."""
        frames, within = divmod(sent_bytes, self.head_bytes + self.frame_bytes)
        return frames * self.frame_bytes + max(0, within - self.head_bytes)

    def account(self, taken_bytes: int) -> int:
        """Take note that so many more bytes have left; give how many of them were content."""
        before = self._content_before(self.sent_bytes)
        self.sent_bytes += taken_bytes
        return self._content_before(self.sent_bytes) - before

    def read(self, buffer: FrameBuffer) -> tuple[list[bytes | memoryview], int]:
        """Read on into a buffer that is lent, and give what to send next: heads, and parts of it.

        Returns:
          What to send, and how many bytes that is.

        Raises:
          OSError: the file cannot be read, or was truncated.
        """
        frame, within = divmod(self.sent_bytes, self.head_bytes + self.frame_bytes)
        skipped = max(0, within - self.head_bytes)
        content = self.content
        # Every frame lies at the same place of the buffer, whatever of the first has left.
        frames = buffer.frames_of(self.frame_bytes)
        heads = self.heads[frame : frame + len(frames)]
        whole = min(content.nbytes - frame * self.frame_bytes, len(heads) * self.frame_bytes)
        room = buffer.whole[skipped:whole]
        start = content.offset + frame * self.frame_bytes + skipped
        if os.preadv(content.file, [room], start) != room.nbytes:
            raise OSError("file was truncated")
        parts: list[bytes | memoryview] = [b""] * (2 * len(heads))
        parts[::2] = heads
        parts[1::2] = frames[: len(heads)]
        last = (len(heads) - 1) * self.frame_bytes
        if whole - last < self.frame_bytes:
            parts[-1] = buffer.whole[last:whole]
        if within:
            parts[0] = heads[0][within:]
            parts[1] = parts[1][skipped:]
        return parts, whole + len(heads) * self.head_bytes - within


Part = bytes | bytearray | memoryview | FileSlice | FramedSlice
"""A piece of an encoded message that is sent without being copied."""


class Decoder(Protocol):
    """The reading end of one link."""

    def feed(self, data: memoryview) -> list[Message]:
        """Take the bytes that arrived and give the messages they complete.

        `data` is only lent: it is overwritten after the call.

        Raises:
          ProtocolViolation: the remote broke the protocol; the link is of no more use.
        """

    @property
    def in_payload(self) -> bool:
        """Whether the last byte fed was file content of a message that is not complete yet."""


class Wire(Protocol):
    """One protocol, as bytes."""

    def decoder(self, *, dialled: bool) -> Decoder:
        """Give a new link its decoder. `dialled`: this side opened the link."""

    def encode(self, message: Message) -> Sequence[Part]:
        """Give the bytes of a message.

        If it has payload, that is the last part, and of those before it every view and file slice. A
        framed slice is a message of its own: it has its heads.
        """
