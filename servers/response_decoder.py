"""The client's side of HTTP/1.1: bytes of a file host to heads and file content."""

from __future__ import annotations

from http import HTTPStatus

import httptools

from servers.heads import header
from servers.http1 import Body, ResponseHead
from servers.limits import CONTENT_LIMIT_BYTES, HEAD_LIMIT_BYTES, HEADER_LIMIT
from testbed.errors import ProtocolViolation
from testbed.node import Message


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
        self._headers.append(header(name, value))

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
