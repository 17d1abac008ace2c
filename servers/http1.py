"""HTTP/1.1 messages as the nodes say them (RFC 9110, RFC 9112).

Facts, not bytes: `servers.wire` turns them into bytes and back. A response is a head, and after it
file content as `Body` messages; a small body that is no file content (an error page, a listing, a
tracker's answer) travels in the head. A request with a body that somebody wants is a `Request`, its
content as `Body` messages, and a `BodyEnd`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

import msgspec

from testbed.node import FileSlice, Payload

Headers = tuple[tuple[str, str], ...]

#: A remote may send any number as its status, so looking one up must not raise.
_PHRASES = {int(status): status.phrase for status in HTTPStatus}


def phrase_of(status: int) -> str:
    """The reason phrase of a status; empty for one that is nobody's standard."""
    return _PHRASES.get(status, "")


def _headers_bytes(headers: Headers) -> int:
    """Size of `name: value\\r\\n` lines and the blank line; names and values are latin-1."""
    return sum(len(name) + len(value) + 4 for name, value in headers) + 2


def find(headers: Headers, name: str) -> str | None:
    """The value of a header, by its lower-case name; the first if there are several."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


def find_all(headers: Headers, name: str) -> str | None:
    """The value of a header that is a list: all its lines as one (RFC 9110 section 5.3)."""
    values = [value for key, value in headers if key.lower() == name]
    return ", ".join(values) if values else None


#: The size of a body that comes in chunks.
UNKNOWN_LENGTH = -1


class Request(msgspec.Struct, frozen=True, gc=False):
    """The head of a request. `target` as on the wire, still percent-encoded."""

    method: str
    target: str
    headers: Headers = ()
    keep_alive: bool = True
    """For a receiver: whether the connection stays open after the answer."""
    body_bytes: int = 0
    """For a receiver: announced content to come as `Body` messages before a `BodyEnd`, if not zero."""
    head_bytes: int = 0
    """For a receiver: what it took on the wire, for the record."""
    prefers_timing: bool = False
    """For a receiver: whether the client wants figures of the answer (`Prefer: server-timing`)."""

    payload_bytes: ClassVar[int] = 0

    @property
    def size_bytes(self) -> int:
        """Bytes on the wire."""
        return len(self.method) + len(self.target) + 12 + _headers_bytes(self.headers)


class RequestBegun(msgspec.Struct, frozen=True, gc=False):
    """For a receiver: of a request something has arrived, and it is not whole yet. Never sent."""

    size_bytes: ClassVar[int] = 0
    payload_bytes: ClassVar[int] = 0


class BodyEnd(msgspec.Struct, frozen=True, gc=False):
    """For a receiver: the body of a request has arrived. Never sent by itself."""

    size_bytes: ClassVar[int] = 0
    payload_bytes: ClassVar[int] = 0


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
        """The reason phrase of the status; see `phrase_of`."""
        return phrase_of(self.status)

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


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """Bytes made ahead, and file content behind them: an answer, or a part of one, in one message."""

    framing: bytes
    payload: Payload = b""

    @property
    def payload_bytes(self) -> int:
        """What of it is file content."""
        payload = self.payload
        return payload.nbytes if isinstance(payload, FileSlice) else len(payload)

    @property
    def size_bytes(self) -> int:
        """Bytes on the wire."""
        return len(self.framing) + self.payload_bytes
