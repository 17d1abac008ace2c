"""The head of a request, whole, to a `Request`: httptools parses, this module keeps the rules."""

from __future__ import annotations

import re
from http import HTTPStatus

import httptools

from servers.http1 import UNKNOWN_LENGTH, BadRequest, Headers, Request, find_all
from servers.limits import HEADER_LIMIT, REQUEST_BODY_LIMIT_BYTES, TARGET_LIMIT_BYTES

#: Methods that carry content somewhere (RFC 9110 section 9.3, RFC 5789).
METHODS_WITH_BODY = frozenset({"PUT", "POST", "PATCH"})

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/([0-9]\.[0-9])\r\n")


class Refused(Exception):
    """What arrived is no request; `bad_request` is the answer to it."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.bad_request = BadRequest(int(status), reason)


def header(name: bytes, value: bytes) -> tuple[str, str]:
    """Make text of a header field."""
    # The parser leaves the space behind a value, which is no part of it (RFC 9112 section 5).
    return name.decode("latin-1"), value.rstrip(b" \t").decode("latin-1")


def check_line(line: bytes) -> None:
    """Refuse a request line that is none, before the rest of the head is waited for.

    Raises:
      Refused: it is none.
    """
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise Refused(HTTPStatus.BAD_REQUEST, "malformed request line")
    if len(match[2]) > TARGET_LIMIT_BYTES:
        raise Refused(HTTPStatus.REQUEST_URI_TOO_LONG, "target too long")
    if match[3] not in (b"1.1", b"1.0"):
        raise Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "version not supported")


class HeadParser:
    """Parses heads, one after another, of any number of connections.

    The parser of httptools never sees a body: bodies are delimited by `servers.chunked`. So it stands
    between two messages after each head, and one serves all connections; only after a head that
    announces a body, an upgrade or the end of its connection a fresh one takes its place.

    Args:
      takes_bodies: Whether somebody wants the bodies of requests. Otherwise they are passed over.
    """

    def __init__(self, *, takes_bodies: bool) -> None:
        self._takes_bodies = takes_bodies
        self._parser = httptools.HttpRequestParser(self)
        self._headers: list[tuple[str, str]] = []
        self._keep_alive = False
        self._complete = False

    def parse(self, head: bytes) -> Request:
        """Parse a head that ends with its blank line; its request line has been checked.

        Raises:
          Refused: it is malformed, or asks for what we do not do.
        """
        self._headers = []
        self._complete = False
        upgrade = False
        try:
            self._parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            # Upgrading is an offer (RFC 9110 section 7.8); we go on with HTTP/1.1.
            upgrade = True
        except httptools.HttpParserInvalidMethodError:
            raise Refused(HTTPStatus.NOT_IMPLEMENTED, "unknown method") from None
        except httptools.HttpParserError:
            raise Refused(HTTPStatus.BAD_REQUEST, _fault(head)) from None
        finally:
            if upgrade or not (self._complete and self._keep_alive):
                self._parser = httptools.HttpRequestParser(self)
        method, target, version = head[: head.index(b"\r")].decode("latin-1").split(" ")
        body_bytes = self._body_bytes(method, version, upgrade=upgrade)
        headers = tuple(self._headers)
        return Request(
            method,
            target,
            headers,
            keep_alive=self._keep_alive,
            body_bytes=body_bytes,
            head_bytes=len(head),
            prefers_timing=_prefers_timing(headers),
        )

    def _body_bytes(self, method: str, version: str, *, upgrade: bool) -> int:
        """Check what the headers say of the message itself; give the size of the body to come."""
        if len(self._headers) > HEADER_LIMIT:
            raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers")
        names = [name.lower() for name, _ in self._headers]
        hosts = names.count("host")
        if hosts > 1 or (not hosts and version == "HTTP/1.1"):
            raise Refused(HTTPStatus.BAD_REQUEST, "not one Host")
        wanted = self._takes_bodies and method in METHODS_WITH_BODY
        size = 0
        if "transfer-encoding" in names:
            self._check_coding(names, version, wanted=wanted)
            size = UNKNOWN_LENGTH
        elif "content-length" in names:
            size = int(self._headers[names.index("content-length")][1])
            if size > REQUEST_BODY_LIMIT_BYTES and not wanted:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body too large")
        if size and (upgrade or "upgrade" in names):
            # Whether the body comes in the old protocol or the new is uncertain.
            raise Refused(HTTPStatus.BAD_REQUEST, "upgrade with a body")
        if size and "expect" in names:
            expected = self._headers[names.index("expect")][1].lower()
            if not wanted or expected != "100-continue":
                raise Refused(HTTPStatus.EXPECTATION_FAILED, "expectation failed")
        return size

    def _check_coding(self, names: list[str], version: str, *, wanted: bool) -> None:
        if "content-length" in names or version != "HTTP/1.1":
            raise Refused(HTTPStatus.BAD_REQUEST, "ambiguous length")
        if not wanted:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "body without a length")
        codings = [value for name, value in self._headers if name.lower() == "transfer-encoding"]
        if [coding.strip().lower() for coding in codings] != ["chunked"]:
            raise Refused(HTTPStatus.NOT_IMPLEMENTED, "unknown transfer coding")

    # --- Callbacks of the parser ------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field."""
        self._headers.append(header(name, value))

    def on_headers_complete(self) -> None:
        """Note what the parser made of version and Connection."""
        version_allows = self._parser.get_http_version() == "1.1"
        self._keep_alive = version_allows and self._parser.should_keep_alive()

    def on_message_complete(self) -> None:
        """Note that no body is announced: the parser is ready for the next head."""
        self._complete = True


def _prefers_timing(headers: Headers) -> bool:
    """Whether there is `Prefer: server-timing` (RFC 7240): figures cost bytes."""
    value = find_all(headers, "prefer")
    return value is not None and any(
        item.partition(";")[0].strip().lower() == "server-timing" for item in value.split(",")
    )


def _fault(head: bytes) -> str:
    """Name what the parser refused, for counting: lengths are how requests are smuggled."""
    names = [line.partition(b":")[0].lower() for line in head.split(b"\n")[1:]]
    if b"content-length" in names and (
        b"transfer-encoding" in names or names.count(b"content-length") > 1
    ):
        return "ambiguous length"
    return "malformed header"
