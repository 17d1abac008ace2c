"""The two ways a request's body is delimited (RFC 9112 section 6): a length, or chunks.

Strict, because two readers of one connection that disagree on where a body ends is how requests are
smuggled: a size is hexadecimal digits and nothing else, lines end with CR LF, and what does not fit
is refused.
"""

from __future__ import annotations

import re
from typing import Protocol

from servers.limits import CHUNK_LINE_LIMIT_BYTES, TRAILER_LIMIT_BYTES

#: A size of up to 2^60, and extensions, which are allowed and mean nothing here (section 7.1.1).
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\Z")
_TRAILER_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\Z")


class MalformedBody(Exception):
    """The chunks are none."""


class BodyReader(Protocol):
    """Finds the end of one body."""

    done: bool

    def read(self, data: memoryview, payloads: list[memoryview]) -> int:
        """Take content off the start of `data` into `payloads`; give how much was consumed.

        All of `data` is consumed unless the body ends in it.

        Raises:
          MalformedBody: where it ends cannot be known.
        """


class LengthBody:
    """A body of an announced length."""

    def __init__(self, size_bytes: int) -> None:
        self._missing = size_bytes
        self.done = not size_bytes

    def read(self, data: memoryview, payloads: list[memoryview]) -> int:
        """Take what belongs to the body."""
        taken = min(self._missing, len(data))
        if taken:
            payloads.append(data[:taken])
        self._missing -= taken
        self.done = not self._missing
        return taken


class ChunkedBody:
    """A body in chunks. Trailers are passed over."""

    def __init__(self) -> None:
        self.done = False
        self._line = bytearray()
        self._missing = 0
        """Of the chunk being read."""
        self._expects = _SIZE
        self._trailer_bytes = 0

    def read(self, data: memoryview, payloads: list[memoryview]) -> int:
        """Take what belongs to the body."""
        position = 0
        while position < len(data) and not self.done:
            if self._missing:
                taken = min(self._missing, len(data) - position)
                payloads.append(data[position : position + taken])
                self._missing -= taken
                position += taken
                continue
            position += self._read_line(data[position:])
        return position

    def _read_line(self, data: memoryview) -> int:
        limit = TRAILER_LIMIT_BYTES if self._expects == _TRAILER else CHUNK_LINE_LIMIT_BYTES
        room = limit - len(self._line)
        end = bytes(data[:room]).find(b"\n")
        if end < 0:
            if len(data) >= room:
                raise MalformedBody("line too long")
            self._line += data
            return len(data)
        self._line += data[: end + 1]
        line = bytes(self._line)
        self._line.clear()
        if not line.endswith(b"\r\n"):
            raise MalformedBody("line without its end")
        self._take(line[:-2])
        return end + 1

    def _take(self, line: bytes) -> None:
        if self._expects == _AFTER_CHUNK:
            if line:
                raise MalformedBody("chunk longer than its size")
            self._expects = _SIZE
        elif self._expects == _SIZE:
            match = _SIZE_LINE.match(line)
            if match is None:
                raise MalformedBody("no chunk size")
            self._missing = int(match[1], 16)
            self._expects = _AFTER_CHUNK if self._missing else _TRAILER
        elif not line:
            self.done = True
        else:
            self._trailer_bytes += len(line) + 2
            if self._trailer_bytes > TRAILER_LIMIT_BYTES or _TRAILER_LINE.match(line) is None:
                raise MalformedBody("no trailer")


#: What line of a chunked body comes next.
_SIZE, _AFTER_CHUNK, _TRAILER = range(3)
