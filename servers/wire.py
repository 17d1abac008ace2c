"""HTTP/1.1 as bytes: which decoder a link gets, and what a message is on the wire."""

from __future__ import annotations

from collections.abc import Sequence

from servers.http1 import Body, Encoded, Headers, Request, ResponseHead, phrase_of
from servers.request_decoder import KnownHeads, RequestDecoder
from servers.response_decoder import ResponseDecoder
from testbed.node import Message
from testbed.wire import Decoder, Part


class Http:
    """The wire of a file host, or of a tracker.

    Args:
      bodies_are_payload: Off for a tracker, whose answers are no file content.
      takes_bodies: Whether the host wants the bodies of requests, as for uploads.
    """

    def __init__(self, *, bodies_are_payload: bool = True, takes_bodies: bool = False) -> None:
        self._bodies_are_payload = bodies_are_payload
        self.known = KnownHeads(takes_bodies=takes_bodies, tells_beginnings=bodies_are_payload)

    def decoder(self, *, dialled: bool) -> Decoder:
        """The dialling side reads responses, the other requests."""
        if dialled:
            return ResponseDecoder(bodies_are_payload=self._bodies_are_payload)
        return RequestDecoder(self.known)

    def encode(self, message: Message) -> Sequence[Part]:
        """Give the bytes of a message."""
        if isinstance(message, Encoded):
            return (message.framing, message.payload) if message.payload_bytes else (message.framing,)
        if isinstance(message, Body):
            return (message.payload,)
        if isinstance(message, ResponseHead):
            return (encode_start(message.status, message.headers) + b"\r\n" + message.content,)
        if isinstance(message, Request):
            start = f"{message.method} {message.target} HTTP/1.1\r\n"
            return (start.encode("latin-1") + encode_headers(message.headers) + b"\r\n",)
        raise TypeError(f"{type(message).__name__} is not sent over HTTP")


def encode_start(status: int, headers: Headers) -> bytes:
    """Give the status line and the headers, without the blank line."""
    start = f"HTTP/1.1 {status} {phrase_of(status)}\r\n"
    return start.encode("latin-1") + encode_headers(headers)


def encode_headers(headers: Headers) -> bytes:
    """Give a line for each header."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers]).encode("latin-1")
