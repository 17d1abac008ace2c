"""HTTP/1.1 as bytes: httptools parses, this module keeps the limits.

A decoder never raises for what a client sent: it gives a `BadRequest` that says which answer is due
and ignores what follows, as the framing of such bytes cannot be trusted (RFC 9112 section 6.3). On
the client's side a broken response is a `ProtocolViolation`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus

import httptools

from servers.http1 import BadRequest, Body, Headers, Request, ResponseHead
from testbed.errors import ProtocolViolation
from testbed.node import Message
from testbed.wire import Decoder, Part

#: nginx allows 8 KiB a line and 32 KiB in all; a download needs a few hundred bytes.
HEAD_LIMIT_BYTES = 16 * 1024
HEADER_LIMIT = 100
TARGET_LIMIT_BYTES = 8 * 1024

#: A request line: the target, and room for method and version.
LINE_LIMIT_BYTES = TARGET_LIMIT_BYTES + 64

#: Bodies of requests are read and thrown away up to here; beyond, it is not worth our downlink.
REQUEST_BODY_LIMIT_BYTES = 64 * 1024

#: Answers that are no file content: error pages, a tracker's answer.
CONTENT_LIMIT_BYTES = 1024 * 1024

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]")
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ ([!-~]+) HTTP/([0-9]\.[0-9])\r\n")

#: Lines that end without a carriage return end a head too, which the parser then refuses; waiting
#: for a better end would leave who typed them without an answer.
_HEAD_END = re.compile(rb"\n\r?\n")


class Http:
    """The wire of a file host, or, with `bodies_are_payload` off, of a tracker."""

    def __init__(self, *, bodies_are_payload: bool = True) -> None:
        self._bodies_are_payload = bodies_are_payload

    def decoder(self, *, dialled: bool) -> Decoder:
        """The dialling side reads responses, the other requests."""
        if dialled:
            return ResponseDecoder(bodies_are_payload=self._bodies_are_payload)
        return RequestDecoder()

    def encode(self, message: Message) -> Sequence[Part]:
        """Give the bytes of a message."""
        if isinstance(message, Body):
            return (message.payload,)
        if isinstance(message, ResponseHead):
            start = f"HTTP/1.1 {message.status} {message.phrase}\r\n"
            return (_head(start, message.headers) + message.content,)
        if isinstance(message, Request):
            return (_head(f"{message.method} {message.target} HTTP/1.1\r\n", message.headers),)
        raise TypeError(f"{type(message).__name__} is not sent over HTTP")


def _head(start: str, headers: Headers) -> bytes:
    lines = [start, *(f"{name}: {value}\r\n" for name, value in headers), "\r\n"]
    return "".join(lines).encode("latin-1")


def _header(name: bytes, value: bytes) -> tuple[str, str]:
    # The parser leaves the space behind a value, which is no part of it (RFC 9112 section 5).
    return name.decode("latin-1"), value.rstrip(b" \t").decode("latin-1")


class _Refused(Exception):
    """What arrived is no request; this is the answer to it."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.bad_request = BadRequest(int(status), reason)


class RequestDecoder:
    """Bytes of a client to `Request`s, or to one last `BadRequest`.

    Heads are cut out here and parsed whole, so that the limits are exact and what a client gets does
    not depend on how the network cuts its bytes. Bodies are passed over: nothing served here takes one.
    """

    in_payload = False

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._buffer = bytearray()
        self._searched = 0
        """So much of the buffer is known to hold no end of a head."""
        self._body_missing = 0
        self._pending: Request | None = None
        """A request whose body has not arrived yet."""
        self._ended = False
        self._headers: list[tuple[str, str]] = []
        self._keep_alive = False

    def feed(self, data: memoryview) -> list[Message]:
        """Take bytes, give the requests they complete."""
        messages: list[Message] = []
        if self._ended:
            return messages
        self._buffer += data
        try:
            while (request := self._next()) is not None:
                messages.append(request)
                self._ended = not request.keep_alive
        except _Refused as refused:
            messages.append(refused.bad_request)
            self._ended = True
        if self._ended:
            self._buffer.clear()
        return messages

    def _next(self) -> Request | None:
        """Take one request off the buffer, if there is a whole one."""
        if self._ended:
            return None
        buffer = self._buffer
        if self._pending is None:
            head = self._cut_head()
            if head is None:
                return None
            self._pending = self._parse(head)
        if self._body_missing:
            passed = min(self._body_missing, len(buffer))
            self._parser.feed_data(bytes(buffer[:passed]))
            del buffer[:passed]
            self._body_missing -= passed
            if self._body_missing:
                return None
        request, self._pending = self._pending, None
        return request

    def _cut_head(self) -> bytes | None:
        """Take a head off the buffer, or refuse what can never become one."""
        buffer = self._buffer
        if not self._searched:
            # Empty lines before a request are passed over (RFC 9112 section 2.2).
            del buffer[: len(buffer) - len(buffer.lstrip(b"\r\n"))]
            if buffer and not _TOKEN.match(buffer):
                raise _Refused(HTTPStatus.BAD_REQUEST, "not HTTP")
        line_end = buffer.find(b"\n", 0, LINE_LIMIT_BYTES)
        if line_end >= 0:
            _check_line(bytes(buffer[: line_end + 1]))
        elif len(buffer) >= LINE_LIMIT_BYTES:
            raise _Refused(HTTPStatus.REQUEST_URI_TOO_LONG, "target too long")
        end = _HEAD_END.search(buffer, max(0, self._searched - 2), HEAD_LIMIT_BYTES)
        if end is None:
            self._searched = len(buffer)
            if len(buffer) >= HEAD_LIMIT_BYTES:
                raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head too large")
            return None
        head = bytes(buffer[: end.end()])
        del buffer[: end.end()]
        self._searched = 0
        return head

    def _parse(self, head: bytes) -> Request:
        self._headers = []
        try:
            self._parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            # Upgrading is an offer (RFC 9110 section 7.8); we go on with HTTP/1.1.
            self._parser = httptools.HttpRequestParser(self)
        except httptools.HttpParserInvalidMethodError:
            raise _Refused(HTTPStatus.NOT_IMPLEMENTED, "unknown method") from None
        except httptools.HttpParserError:
            raise _Refused(HTTPStatus.BAD_REQUEST, _fault(head)) from None
        method, target, version = head[: head.index(b"\r")].decode("latin-1").split(" ")
        self._body_missing = self._body_bytes(version)
        return Request(method, target, tuple(self._headers), self._keep_alive)

    def _body_bytes(self, version: str) -> int:
        """Check what the headers say of the message itself; give the size of the body to come."""
        if len(self._headers) > HEADER_LIMIT:
            raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers")
        names = [name.lower() for name, _ in self._headers]
        hosts = names.count("host")
        if hosts > 1 or (not hosts and version == "HTTP/1.1"):
            raise _Refused(HTTPStatus.BAD_REQUEST, "not one Host")
        if "transfer-encoding" in names:
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "body without a length")
        if "content-length" not in names:
            return 0
        size = int(self._headers[names.index("content-length")][1])
        if size > REQUEST_BODY_LIMIT_BYTES:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body too large")
        if size and "upgrade" in names:
            # The parser passes over bodies of upgrades; where the next head begins is uncertain.
            raise _Refused(HTTPStatus.BAD_REQUEST, "upgrade with a body")
        if size and "expect" in names:
            raise _Refused(HTTPStatus.EXPECTATION_FAILED, "expectation failed")
        return size

    # --- Callbacks of the parser ------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append(_header(name, value))

    def on_headers_complete(self) -> None:
        version_allows = self._parser.get_http_version() == "1.1"
        self._keep_alive = version_allows and self._parser.should_keep_alive()


def _check_line(line: bytes) -> None:
    """Refuse a request line that is none, before the rest of the head is waited for."""
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise _Refused(HTTPStatus.BAD_REQUEST, "malformed request line")
    if len(match[1]) > TARGET_LIMIT_BYTES:
        raise _Refused(HTTPStatus.REQUEST_URI_TOO_LONG, "target too long")
    if match[2] not in (b"1.1", b"1.0"):
        raise _Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "version not supported")


def _fault(head: bytes) -> str:
    """Name what the parser refused, for counting: lengths are how requests are smuggled."""
    names = [line.partition(b":")[0].lower() for line in head.split(b"\n")[1:]]
    if b"content-length" in names and (
        b"transfer-encoding" in names or names.count(b"content-length") > 1
    ):
        return "ambiguous length"
    return "malformed header"


class ResponseDecoder:
    """Bytes of a file host to heads and file content."""

    def __init__(self, *, bodies_are_payload: bool) -> None:
        self._bodies_are_payload = bodies_are_payload
        self._parser = httptools.HttpResponseParser(self)
        self._messages: list[Message] = []
        self._head_bytes = 0
        self._start()

    def _start(self) -> None:
        self._headers: list[tuple[str, str]] = []
        self._header_bytes = 0
        self._content: list[bytes] = []
        self._content_bytes = 0
        self._in_head = True
        self.in_payload = False

    def feed(self, data: memoryview) -> list[Message]:
        """Take bytes, give what they complete.

        Raises:
          ProtocolViolation: this is no HTTP response, or not one of a size we take.
        """
        self._messages = []
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            cause = error.__context__
            if isinstance(cause, ProtocolViolation):
                raise cause from None
            raise ProtocolViolation("malformed response") from error
        if self._in_head and self._head_bytes > 2 * HEAD_LIMIT_BYTES:
            # Headers are counted once they are whole; this one is not going to be.
            raise ProtocolViolation("head too large")
        return self._messages

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self._headers) >= HEADER_LIMIT:
            raise ProtocolViolation("too many headers")
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > HEAD_LIMIT_BYTES:
            raise ProtocolViolation("head too large")
        self._headers.append(_header(name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._status = self._parser.get_status_code()
        if self._bodies_are_payload and self._status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            self.in_payload = True
            self._messages.append(ResponseHead(self._status, tuple(self._headers)))

    def on_body(self, part: bytes) -> None:
        if self.in_payload:
            self._messages.append(Body(part))
            return
        self._content_bytes += len(part)
        if self._content_bytes > CONTENT_LIMIT_BYTES:
            raise ProtocolViolation("content too large")
        self._content.append(part)

    def on_message_complete(self) -> None:
        if not self.in_payload:
            content = b"".join(self._content)
            if self._status >= HTTPStatus.OK:  # Interim answers say only: wait (section 15.2).
                self._messages.append(ResponseHead(self._status, tuple(self._headers), content))
        self._start()
