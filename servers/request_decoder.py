"""The host's side of HTTP/1.1: bytes of a client to requests.

A decoder never raises for what a client sent: it gives a `BadRequest` that says which answer is due
and ignores what follows, as the framing of such bytes cannot be trusted (RFC 9112 section 6.3).
"""

from __future__ import annotations

import re
from http import HTTPStatus

from msgspec.structs import replace

from servers.chunked import BodyReader, ChunkedBody, LengthBody, MalformedBody
from servers.heads import METHODS_WITH_BODY, HeadParser, Refused, check_line
from servers.http1 import UNKNOWN_LENGTH, Body, BodyEnd, Request, RequestBegun
from servers.limits import HEAD_LIMIT_BYTES, LINE_LIMIT_BYTES
from testbed.node import Message

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]")

#: Lines that end without a carriage return end a head too, which the parser then refuses; waiting
#: for a better end would leave who typed them without an answer.
_HEAD_END = re.compile(rb"\n\r?\n")

#: A client asks in the same words again and again, and many clients of one kind in the same: whole
#: heads up to this size are parsed once. A quarter of what a request costs, and it is bounded.
KNOWN_HEAD_BYTES = 1024
KNOWN_HEADS = 1024

_BEGUN = RequestBegun()
_BODY_END = BodyEnd()


class KnownHeads:
    """What the decoders of one wire share: the parser, and heads it has seen lately."""

    def __init__(self, *, takes_bodies: bool, tells_beginnings: bool) -> None:
        self.takes_bodies = takes_bodies
        self.tells_beginnings = tells_beginnings
        self.parser = HeadParser(takes_bodies=takes_bodies)
        self.requests: dict[bytes, Request] = {}

    def keep(self, head: bytes, request: Request) -> None:
        """Remember a request that ends with its head and leaves the connection open."""
        if len(self.requests) >= KNOWN_HEADS:
            self.requests.clear()
        self.requests[head] = request


class RequestDecoder:
    """Bytes of a client to `Request`s, or to one last `BadRequest`.

    Heads are cut out here and parsed whole, so that the limits are exact and what a client gets does
    not depend on how the network cuts its bytes. Bodies that nobody wants are passed over.
    """

    __slots__ = (
        "_begun",
        "_body",
        "_body_wanted",
        "_buffer",
        "_ended",
        "_last",
        "_searched",
        "_shared",
    )

    def __init__(self, shared: KnownHeads) -> None:
        self._shared = shared
        self._buffer = bytearray()
        self._searched = 0
        """So much of the buffer is known to hold no end of a head."""
        self._begun = False
        """Somebody was told of what has arrived of a request that cannot be given yet."""
        self._body: BodyReader | None = None
        self._body_wanted = False
        self._last: Request | None = None
        """The request whose body is being read; given after it if nobody wants the body."""
        self._ended = False

    @property
    def in_payload(self) -> bool:
        """Whether a body that somebody wants is on its way."""
        return self._body is not None and self._body_wanted

    @property
    def is_between_messages(self) -> bool:
        """Whether the next byte is the first of a request."""
        return not self._buffer and self._body is None and not self._ended

    def feed(self, data: memoryview) -> list[Message]:
        """Take bytes, give the requests they complete."""
        if not self._buffer and self._body is None and not self._ended:
            known = self._shared.requests.get(bytes(data)) if len(data) <= KNOWN_HEAD_BYTES else None
            if known is not None:
                return [known]
        messages: list[Message] = []
        try:
            self._read(data, messages)
        except Refused as refused:
            messages.append(refused.bad_request)
            self._ended = True
        if self._ended:
            self._buffer.clear()
            self._body = None
        elif not self._begun and (self._buffer or (self._body is not None and not self._body_wanted)):
            self._begun = True
            if self._shared.tells_beginnings:
                messages.append(_BEGUN)
        return messages

    def _read(self, data: memoryview, messages: list[Message]) -> None:
        while not self._ended:
            if self._body is not None:
                data = data[self._read_body(self._body, data, messages) :]
                if self._body is not None:
                    return
                continue
            self._buffer += data
            head = self._cut_head()
            if head is None:
                return
            request = self._shared.parser.parse(head)
            if not request.body_bytes:
                self._begun = False
                messages.append(request)
                self._ended = not request.keep_alive
                if request.keep_alive and not self._buffer and len(head) <= KNOWN_HEAD_BYTES:
                    self._shared.keep(head, request)
            else:
                self._begin_body(request, messages)
            # What is behind the head: the buffer is only for heads that are not whole.
            data = memoryview(bytes(self._buffer))
            self._buffer.clear()

    def _begin_body(self, request: Request, messages: list[Message]) -> None:
        size = request.body_bytes
        self._body = ChunkedBody() if size == UNKNOWN_LENGTH else LengthBody(size)
        self._body_wanted = self._shared.takes_bodies and request.method in METHODS_WITH_BODY
        self._last = request
        if self._body_wanted:
            self._begun = False
            messages.append(request)

    def _read_body(self, body: BodyReader, data: memoryview, messages: list[Message]) -> int:
        payloads: list[memoryview] = []
        try:
            consumed = body.read(data, payloads)
        except MalformedBody:
            raise Refused(HTTPStatus.BAD_REQUEST, "malformed chunk") from None
        finally:
            if self._body_wanted:
                # Copied: the bytes are only lent, and a message may wait for its turn on a shaped line.
                messages.extend(Body(bytes(payload)) for payload in payloads)
        if body.done:
            last, self._body, self._last = self._last, None, None
            assert last is not None  # A body is the body of a request.
            self._begun = False
            messages.append(_BODY_END if self._body_wanted else replace(last, body_bytes=0))
            self._ended = not last.keep_alive
        return consumed

    def _cut_head(self) -> bytes | None:
        """Take a head off the buffer, or refuse what can never become one."""
        buffer = self._buffer
        if not self._searched:
            # Empty lines before a request are passed over (RFC 9112 section 2.2).
            if buffer.startswith((b"\r", b"\n")):
                del buffer[: len(buffer) - len(buffer.lstrip(b"\r\n"))]
            if buffer and not _TOKEN.match(buffer):
                raise Refused(HTTPStatus.BAD_REQUEST, "not HTTP")
        line_end = buffer.find(b"\n", 0, LINE_LIMIT_BYTES)
        if line_end >= 0:
            check_line(bytes(buffer[: line_end + 1]))
        elif len(buffer) >= LINE_LIMIT_BYTES:
            raise Refused(HTTPStatus.REQUEST_URI_TOO_LONG, "target too long")
        end = _HEAD_END.search(buffer, max(0, self._searched - 2), HEAD_LIMIT_BYTES)
        if end is None:
            self._searched = len(buffer)
            if len(buffer) >= HEAD_LIMIT_BYTES:
                raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head too large")
            return None
        head = bytes(buffer[: end.end()])
        del buffer[: end.end()]
        self._searched = 0
        return head
