"""The file host: answers requests, and decides whose bytes leave next.

A transaction has four steps: the request arrives; the host interprets it and finds the file; the
response leaves; the client takes it. The third is where the uplink is shared: block by block, the
next one chosen when the last has left, round robin over the connections that have something to send
and room to send it (`fair`), or all to the one that asked first (`first come first served`). Without
a limit on the uplink there is nothing to share: a response leaves whole, by sendfile.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus

from servers.conditions import Unsatisfiable, not_modified, wanted_range
from servers.files import Elsewhere, Files, Page, Resource
from servers.http1 import BadRequest, Body, Headers, Request, ResponseHead
from servers.settings import Sharing
from testbed.node import (
    Departed,
    Effect,
    Event,
    HangUp,
    LinkDown,
    LinkId,
    LinkUp,
    Received,
    Send,
    Started,
    Stopping,
    Tally,
    Woken,
    Writable,
)
from testbed.storage import Storage, StorageFault

#: A shaped response leaves in blocks of this size: the grain of fairness. 2 ms at 8 MiB/s.
BLOCK_BYTES = 16 * 1024

#: Requests that may wait on one connection behind the one being answered.
PIPELINE_LIMIT = 64

#: A connection without a request for so long is closed.
IDLE_SECONDS = 60.0

#: How often idle connections are looked for.
TICK_SECONDS = 5.0


class _Connection:
    """One client's connection: what it asked for, and what is being sent."""

    __slots__ = ("active_at", "closing", "offset", "remaining", "requests", "storage", "writable")

    def __init__(self, now: float) -> None:
        self.requests: deque[Request] = deque()
        self.storage: Storage | None = None
        self.offset = 0
        self.remaining = 0
        self.closing = False
        self.writable = True
        self.active_at = now


class FileHost:
    """A node that serves files.

    Args:
      files: What there is.
      sharing: How the uplink is shared among responses.
      block_bytes: Grain of a shaped uplink; None for an unlimited one.
      wall_clock: Unix time, for the Date header. Nothing is decided by it.
      finishes: Whether responses that have begun are finished after `Stopping`.
    """

    def __init__(
        self,
        files: Files,
        sharing: Sharing = "fair",
        block_bytes: int | None = BLOCK_BYTES,
        wall_clock: Callable[[], float] | None = None,
        *,
        finishes: bool = False,
    ) -> None:
        self.tally = Tally()
        self._files = files
        self._fair = sharing == "fair"
        self._block_bytes = block_bytes
        self._wall_clock = wall_clock
        self._finishes = finishes
        self._stopping = False
        self._connections: OrderedDict[LinkId, _Connection] = OrderedDict()
        self._sending: OrderedDict[LinkId, _Connection] = OrderedDict()
        """Connections with a response under way, in the order of their turns."""
        self._uplink_busy = False
        self._next_tick: float | None = None
        self._date = ""
        self._date_at = -1.0

    @property
    def deadline(self) -> float | None:
        """The next look for idle connections."""
        return self._next_tick

    @property
    def is_idle(self) -> bool:
        """Whether no response is under way."""
        return not self._sending

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event and say what should happen."""
        out: list[Effect] = []
        match event:
            case Received(link, message):
                self._received(link, message, now, out)
            case Departed(link, writable):
                self._uplink_busy = False
                self._set_writable(link, writable)
                self._pump(out)
            case Writable(link):
                self._set_writable(link, True)
                self._pump(out)
            case LinkUp(link):
                self._connections[link] = _Connection(now)
            case LinkDown(link):
                self._forget(link)
            case Woken():
                self._close_idle(now, out)
            case Started():
                self._next_tick = now + TICK_SECONDS
            case Stopping():
                self._stop(out)
        return out

    # --- Requests ---------------------------------------------------------------------------

    def _received(self, link: LinkId, message: object, now: float, out: list[Effect]) -> None:
        connection = self._connections.get(link)
        if connection is None or connection.closing:
            return
        connection.active_at = now
        if isinstance(message, BadRequest):
            self._refuse(link, message, now, out)
            return
        if not isinstance(message, Request) or self._stopping:
            return
        self.tally.requests_made += 1
        if len(connection.requests) >= PIPELINE_LIMIT:
            self._refuse(link, BadRequest(429, "too many requests in a row"), now, out)
            return
        connection.requests.append(message)
        if link not in self._sending:
            self._answer_next(link, connection, now, out)
        self._pump(out)

    def _refuse(self, link: LinkId, bad: BadRequest, now: float, out: list[Effect]) -> None:
        """Answer and hang up, unless a response under way would be cut by the answer."""
        if link not in self._sending:
            headers = (*self._common(now), ("Connection", "close"))
            out.append(Send(link, self._text(bad.status, headers, bad.reason)))
        self._forget(link)
        out.append(HangUp(link, bad.reason, violation=True))

    def _answer_next(
        self, link: LinkId, connection: _Connection, now: float, out: list[Effect]
    ) -> None:
        """Answer requests until one has a body that must be sent in turns."""
        while connection.requests and link not in self._sending:
            request = connection.requests.popleft()
            connection.closing = not request.keep_alive
            common = self._common(now)
            if connection.closing:
                common = (*common, ("Connection", "close"))
            head, resource, offset, size = self._respond(request, common)
            out.append(Send(link, head))
            if request.method == "GET" and resource is not None and size:
                connection.storage = resource.storage
                connection.offset, connection.remaining = offset, size
                self._sending[link] = connection
                return
            self.tally.requests_served += 1
            if connection.closing:
                self._forget(link)
                out.append(HangUp(link, "answered"))
                return

    def _respond(
        self, request: Request, common: Headers
    ) -> tuple[ResponseHead, Resource | None, int, int]:
        """Decide on one request: the head, and which part of which file follows it."""
        if request.method not in ("GET", "HEAD"):
            allow = (*common, ("Allow", "GET, HEAD"))
            return self._text(405, allow, "only GET and HEAD", request), None, 0, 0
        found = self._files.find(request.target)
        if found is None:
            return self._text(404, common, "no such file", request), None, 0, 0
        if isinstance(found, Elsewhere):
            moved = (*common, ("Location", found.location))
            return self._text(301, moved, "moved", request), None, 0, 0
        if isinstance(found, Page):
            headers = (*common, ("Content-Type", found.content_type))
            return self._page(200, headers, found.content, request), None, 0, 0
        return self._respond_with_file(request, common, found)

    def _respond_with_file(
        self, request: Request, common: Headers, resource: Resource
    ) -> tuple[ResponseHead, Resource | None, int, int]:
        about = (*common, ("ETag", resource.etag), ("Accept-Ranges", "bytes"))
        if resource.last_modified is not None:
            about = (*about, ("Last-Modified", resource.last_modified))
        if not_modified(request.headers, resource):
            return ResponseHead(304, about), None, 0, 0
        size = resource.storage.size_bytes
        about = (*about, ("Content-Type", resource.content_type))
        # A range is defined for GET alone (RFC 9110 section 14.2).
        part = None
        if request.method == "GET":
            try:
                part = wanted_range(request.headers, resource)
            except Unsatisfiable:
                whole = (*common, ("Content-Range", f"bytes */{size}"))
                return self._text(416, whole, "no such range", request), None, 0, 0
        if part is None:
            return ResponseHead(200, (*about, ("Content-Length", str(size)))), resource, 0, size
        offset, length = part
        headers = (
            *about,
            ("Content-Range", f"bytes {offset}-{offset + length - 1}/{size}"),
            ("Content-Length", str(length)),
        )
        return ResponseHead(206, headers), resource, offset, length

    # --- Responses made of text -------------------------------------------------------------

    def _common(self, now: float) -> Headers:
        """Headers of every response; the date is formatted once a second."""
        if self._wall_clock is None:
            return ()
        if now - self._date_at >= 1.0 or not self._date:
            self._date = formatdate(self._wall_clock(), usegmt=True)
            self._date_at = now
        return (("Date", self._date),)

    def _text(
        self, status: int, headers: Headers, text: str, request: Request | None = None
    ) -> ResponseHead:
        content = f"{status} {HTTPStatus(status).phrase}: {text}\n".encode()
        return self._page(status, (*headers, ("Content-Type", "text/plain")), content, request)

    @staticmethod
    def _page(status: int, headers: Headers, content: bytes, request: Request | None) -> ResponseHead:
        headers = (*headers, ("Content-Length", str(len(content))))
        is_head = request is not None and request.method == "HEAD"
        return ResponseHead(status, headers, b"" if is_head else content)

    # --- The uplink -------------------------------------------------------------------------

    def _set_writable(self, link: LinkId, writable: bool) -> None:
        connection = self._connections.get(link)
        if connection is not None:
            connection.writable = writable

    def _pump(self, out: list[Effect]) -> None:
        """Send the next block, if the uplink is free and somebody is due one."""
        if self._uplink_busy or (self._stopping and not self._finishes):
            return
        due = next(((k, c) for k, c in self._sending.items() if c.writable), None)
        if due is None:
            return
        link, connection = due
        assert connection.storage is not None
        size = min(connection.remaining, self._block_bytes or connection.remaining)
        try:
            payload = connection.storage.read(connection.offset, size)
        except StorageFault:
            # The head promised more than there is: only a cut connection says so (RFC 9112 sec. 8).
            self._forget(link)
            out.append(HangUp(link, "storage failed"))
            return
        self._uplink_busy = True
        connection.offset += size
        connection.remaining -= size
        out.append(Send(link, Body(payload)))
        if connection.remaining:
            if self._fair:
                self._sending.move_to_end(link)
            return
        del self._sending[link]
        connection.storage = None
        self.tally.requests_served += 1
        if connection.closing or self._stopping:
            self._forget(link)
            out.append(HangUp(link, "answered"))
        elif connection.requests:
            self._answer_next(link, connection, connection.active_at, out)

    # --- Coming and going -------------------------------------------------------------------

    def _forget(self, link: LinkId) -> None:
        self._connections.pop(link, None)
        self._sending.pop(link, None)

    def _close_idle(self, now: float, out: list[Effect]) -> None:
        self._next_tick = now + TICK_SECONDS
        for link, connection in list(self._connections.items()):
            if link not in self._sending and now - connection.active_at > IDLE_SECONDS:
                self._forget(link)
                out.append(HangUp(link, "idle"))

    def _stop(self, out: list[Effect]) -> None:
        self._stopping = True
        self._next_tick = None
        if self._finishes:
            for link in [link for link in self._connections if link not in self._sending]:
                self._forget(link)
                out.append(HangUp(link, "stopping"))
