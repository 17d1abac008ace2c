"""HTTP/1.1 as bytes: httptools parses, this module keeps the limits.

A decoder never raises for what a client sent: it gives a `BadRequest` that says which answer is due
and ignores what follows, as the framing of such bytes cannot be trusted (RFC 9112 section 6.3). On
the client's side a broken response is a `ProtocolViolation`.
"""

from __future__ import annotations

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

#: Bodies of requests are read and thrown away up to here; beyond, it is not worth our downlink.
REQUEST_BODY_LIMIT_BYTES = 64 * 1024

#: Answers that are no file content: error pages, a tracker's answer.
CONTENT_LIMIT_BYTES = 1024 * 1024


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


class _Refused(Exception):
    """Raised inside a parser callback to end parsing with this answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class RequestDecoder:
    """Bytes of a client to `Request`s, or to one last `BadRequest`."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._messages: list[Message] = []
        self._refused = False
        self._head_bytes = 0
        self._start()

    in_payload = False

    def _start(self) -> None:
        self._target = b""
        self._headers: list[tuple[str, str]] = []
        self._in_head = True
        self._body_bytes = 0
        self._lengths = 0

    def feed(self, data: memoryview) -> list[Message]:
        """Take bytes, give the requests they complete."""
        if self._refused:
            return []
        self._messages = []
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
            if self._in_head and self._head_bytes > HEAD_LIMIT_BYTES:
                raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head too large")
        except httptools.HttpParserUpgrade:
            self._refuse(HTTPStatus.BAD_REQUEST, "upgrade not supported")
        except _Refused as refused:
            self._refuse(refused.status, refused.reason)
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, _Refused):
                self._refuse(cause.status, cause.reason)
            else:
                self._refuse(HTTPStatus.BAD_REQUEST, "malformed request")
        return self._messages

    def _refuse(self, status: int, reason: str) -> None:
        self._refused = True
        self._messages.append(BadRequest(int(status), reason))

    # --- Callbacks of the parser ------------------------------------------------------------

    def on_url(self, part: bytes) -> None:
        self._target += part
        if len(self._target) > TARGET_LIMIT_BYTES:
            raise _Refused(HTTPStatus.REQUEST_URI_TOO_LONG, "target too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self._headers) >= HEADER_LIMIT:
            raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers")
        key = name.decode("latin-1")
        if key.lower() in ("content-length", "transfer-encoding"):
            self._lengths += 1
            if self._lengths > 1:
                raise _Refused(HTTPStatus.BAD_REQUEST, "ambiguous length")
        self._headers.append((key, value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        if self._parser.get_http_version() not in ("1.1", "1.0"):
            raise _Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "version not supported")

    def on_body(self, part: bytes) -> None:
        self._body_bytes += len(part)
        if self._body_bytes > REQUEST_BODY_LIMIT_BYTES:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body too large")

    def on_message_complete(self) -> None:
        request = Request(
            self._parser.get_method().decode("latin-1"),
            self._target.decode("latin-1"),
            tuple(self._headers),
            self._parser.should_keep_alive(),
        )
        self._messages.append(request)
        self._start()


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
        if self._in_head and self._head_bytes > HEAD_LIMIT_BYTES:
            raise ProtocolViolation("head too large")
        return self._messages

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self._headers) >= HEADER_LIMIT:
            raise ProtocolViolation("too many headers")
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

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
            self._messages.append(ResponseHead(self._status, tuple(self._headers), content))
        self._start()
