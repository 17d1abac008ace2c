"""HTTP/1.1 messages as the nodes say them (RFC 9110, RFC 9112).

Facts, not bytes: `servers.wire` turns them into bytes and back. A response is a head, and after it
file content as `Body` messages; a small body that is no file content (an error page, a listing, a
tracker's answer) travels in the head.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

import msgspec

from testbed.node import FileSlice, Payload

Headers = tuple[tuple[str, str], ...]

#: A remote may send any number as its status, so looking one up must not raise.
_PHRASES = {int(status): status.phrase for status in HTTPStatus}


def _headers_bytes(headers: Headers) -> int:
    """Size of `name: value\\r\\n` lines and the blank line; names and values are latin-1."""
    return sum(len(name) + len(value) + 4 for name, value in headers) + 2


def find(headers: Headers, name: str) -> str | None:
    """The value of a header, by its lower-case name; the first if there are several."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request without a body. `target` as on the wire, still percent-encoded."""

    method: str
    target: str
    headers: Headers = ()
    keep_alive: bool = True
    """For a receiver: whether the connection stays open after the answer."""

    payload_bytes: ClassVar[int] = 0

    @property
    def size_bytes(self) -> int:
        """Bytes on the wire."""
        return len(self.method) + len(self.target) + 12 + _headers_bytes(self.headers)


class BadRequest(msgspec.Struct, frozen=True, gc=False):
    """What a decoder makes of bytes that are no request: the answer they deserve. Never sent."""

    status: int
    reason: str

    size_bytes: ClassVar[int] = 0
    payload_bytes: ClassVar[int] = 0


class ResponseHead(msgspec.Struct, frozen=True, gc=False):
    """Status line, headers, and the whole body if that is no file content."""

    status: int
    headers: Headers = ()
    content: bytes = b""

    payload_bytes: ClassVar[int] = 0

    @property
    def phrase(self) -> str:
        """The reason phrase of the status; empty for one that is nobody's standard."""
        return _PHRASES.get(self.status, "")

    @property
    def size_bytes(self) -> int:
        """Bytes on the wire."""
        return 15 + len(self.phrase) + _headers_bytes(self.headers) + len(self.content)


class Body(msgspec.Struct, frozen=True, gc=False):
    """A part of the file content of a response; parts may be cut anywhere."""

    payload: Payload

    @property
    def payload_bytes(self) -> int:
        """All of it is file content."""
        payload = self.payload
        return payload.nbytes if isinstance(payload, FileSlice) else len(payload)

    @property
    def size_bytes(self) -> int:
        """Bytes on the wire: no framing, the head said how many come."""
        return self.payload_bytes
