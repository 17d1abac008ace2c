"""What a request is answered with: a head, and which part of which file follows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

from servers.conditions import Unsatisfiable, not_modified, wanted_range
from servers.files import Elsewhere, Files, Page, Refusal, Resource
from servers.http1 import BadRequest, Headers, Request, ResponseHead
from testbed.storage import Storage

ALLOWED_METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Answer:
    """A head, and after it `size_bytes` of `storage` from `offset` on; often none."""

    head: ResponseHead
    storage: Storage | None = None
    offset: int = 0
    size_bytes: int = 0


class Answers:
    """Answers requests for what is in `files`.

    Args:
      files: What there is.
      wall_clock: Unix time, for the Date header. Nothing is decided by it. None leaves it out.
    """

    def __init__(self, files: Files, wall_clock: Callable[[], float] | None) -> None:
        self._files = files
        self._wall_clock = wall_clock
        self._date = ""
        self._date_at = -1.0

    def to(self, request: Request, now: float, *, closing: bool) -> Answer:
        """Answer one request. `closing`: the connection ends with this answer."""
        common = self._common(now, closing=closing)
        if request.method not in ALLOWED_METHODS:
            allow = (*common, ("Allow", ", ".join(ALLOWED_METHODS)))
            return Answer(_text(405, allow, "only GET and HEAD"))
        found = self._files.find(request.target)
        if isinstance(found, Resource):
            return _file(request, common, found)
        if found is None:
            head = _text(404, common, "no such file")
        elif isinstance(found, Page):
            head = _page(200, (*common, ("Content-Type", found.content_type)), found.content)
        elif isinstance(found, Elsewhere):
            head = _text(301, (*common, ("Location", found.location)), "moved")
        else:
            head = _refusal(found, common)
        if request.method == "HEAD":
            head = ResponseHead(head.status, head.headers)
        return Answer(head)

    def refusal(self, bad: BadRequest, now: float) -> ResponseHead:
        """Answer what was no request. The connection ends with it."""
        return _text(bad.status, self._common(now, closing=True), bad.reason)

    def _common(self, now: float, *, closing: bool) -> Headers:
        """Headers of every answer; the date is formatted once a second."""
        close: Headers = (("Connection", "close"),) if closing else ()
        if self._wall_clock is None:
            return close
        if now - self._date_at >= 1.0 or not self._date:
            self._date = formatdate(self._wall_clock(), usegmt=True)
            self._date_at = now
        return (("Date", self._date), *close)


def _file(request: Request, common: Headers, resource: Resource) -> Answer:
    about = (*common, ("ETag", resource.etag), ("Accept-Ranges", "bytes"))
    if resource.last_modified is not None:
        about = (*about, ("Last-Modified", resource.last_modified))
    if not_modified(request.headers, resource):
        return Answer(ResponseHead(304, about))
    size = resource.storage.size_bytes
    about = (*about, ("Content-Type", resource.content_type))
    part = None
    if request.method == "GET":  # A range is defined for GET alone (RFC 9110 section 14.2).
        try:
            part = wanted_range(request.headers, resource)
        except Unsatisfiable:
            whole = (*common, ("Content-Range", f"bytes */{size}"))
            return Answer(_text(416, whole, "no such range"))
    if part is None:
        head = ResponseHead(200, (*about, ("Content-Length", str(size))))
        sent = size if request.method == "GET" else 0
        return Answer(head, resource.storage, 0, sent)
    offset, length = part
    last = offset + length - 1
    about = (*about, ("Content-Range", f"bytes {offset}-{last}/{size}"))
    head = ResponseHead(206, (*about, ("Content-Length", str(length))))
    return Answer(head, resource.storage, offset, length)


def _refusal(refusal: Refusal, common: Headers) -> ResponseHead:
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        common = (*common, ("Retry-After", "1"))
    return _text(refusal.status, common, refusal.reason)


def _text(status: int, headers: Headers, text: str) -> ResponseHead:
    content = f"{status} {HTTPStatus(status).phrase}: {text}\n".encode()
    return _page(status, (*headers, ("Content-Type", "text/plain")), content)


def _page(status: int, headers: Headers, content: bytes) -> ResponseHead:
    return ResponseHead(status, (*headers, ("Content-Length", str(len(content)))), content)
