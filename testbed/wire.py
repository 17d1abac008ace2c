"""What a live link needs to know of a protocol: bytes to messages, and messages to bytes.

The simulator needs none of this: messages cross it as they are and are charged `size_bytes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from testbed.node import FileSlice, Message

Part = bytes | bytearray | memoryview | FileSlice
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
        """Give the bytes of a message. If it has payload, the last part is exactly that."""
