"""What a request is answered with: a status, headers, and which parts of which file follow."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from servers.http1 import BadRequest, Headers
from servers.wire import encode_start
from testbed.node import Payload
from testbed.storage import Storage


@dataclass(frozen=True, slots=True)
class Segment:
    """`size_bytes` of a file from `offset` on, behind some bytes that are none of it."""

    storage: Storage
    offset: int
    size_bytes: int
    framing: bytes = b""


class Answer:
    """One answer, but for what every answer says: `servers.envelope` adds the date and its like.

    An answer does not change once it is made: the same one is given to many clients.

    Args:
      status: The status code.
      headers: All but Date, Connection and Server-Timing; with Content-Length where one is due.
      content: A whole body that is no file content.
      segments: File content that follows instead.
      tail: What follows the last segment.
      whole: All the content of one single segment, if it is at hand; unlimited hosts send it at once.
    """

    __slots__ = ("_start", "content", "headers", "segments", "status", "tail", "whole")

    def __init__(
        self,
        status: int,
        headers: Headers = (),
        content: bytes = b"",
        segments: tuple[Segment, ...] = (),
        tail: bytes = b"",
        whole: Payload | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.content = content
        self.segments = segments
        self.tail = tail
        self.whole = whole
        self._start: bytes | None = None

    @property
    def start(self) -> bytes:
        """Status line and headers as bytes, without the blank line; encoded once."""
        if self._start is None:
            self._start = encode_start(self.status, self.headers)
        return self._start

    def without_content(self) -> Answer:
        """The same for HEAD."""
        return Answer(self.status, self.headers)


def text(status: int, reason: str, headers: Headers = ()) -> Answer:
    """Answer with a line of text for people."""
    content = f"{status} {HTTPStatus(status).phrase}: {reason}\n".encode()
    return page(status, (*headers, ("Content-Type", "text/plain; charset=utf-8")), content)


def page(status: int, headers: Headers, content: bytes) -> Answer:
    """Answer with content that is no file's."""
    return Answer(status, (*headers, ("Content-Length", str(len(content)))), content)


def refusal(bad: BadRequest) -> Answer:
    """Answer what was no request, or came too late, or is too much."""
    headers: Headers = ()
    if bad.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers = (("Retry-After", "1"),)
    return text(bad.status, bad.reason, headers)
