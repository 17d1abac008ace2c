"""GET and HEAD: what there is, as it is wanted (RFC 9110 sections 12 to 14).

The answer to a request depends on the request and on the file, so it is kept with both: the same
request again, for a file that is still the same by one `stat`, gets the same answer. What such an
answer does not notice, a sibling that was added or an index, is looked for again after
`RECHECK_SECONDS`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from servers.answers import Answer, Segment, page, text
from servers.conditions import precondition, range_applies
from servers.dates import format_date
from servers.digests import WAIT_SECONDS, Digests, wants_digest
from servers.encodings import SUFFIXES, accepted_codings, prefers_json
from servers.files import Elsewhere, Files, Folder, Page, Refusal, Resource, identity_of
from servers.http1 import Headers, Request, find_all
from servers.listing import Order, as_html, as_json, read_listing
from servers.methods import Later
from servers.ranges import Unsatisfiable, wanted_parts
from testbed.live_sending import SENDFILE_FROM_BYTES
from testbed.node import FileSlice, Payload
from testbed.storage import StorageFault

#: Answers kept, and with each of them an open file.
ANSWERS_KEPT = 256

#: Files up to this size are kept in memory with their answer: 4 MiB for all of them at most. Larger
#: ones leave by sendfile, which is less work than to copy them.
IN_MEMORY_BYTES = SENDFILE_FROM_BYTES

#: After so long an answer that was kept is worked out again.
RECHECK_SECONDS = 1.0


class _Kept:
    """An answer, and what it holds good for."""

    __slots__ = ("answer", "resource", "until")

    def __init__(self, answer: Answer, resource: Resource, until: float) -> None:
        self.answer = answer
        self.resource = resource
        self.until = until


class Reading:
    """Answers GET and HEAD for what is in `files`.

    Args:
      files: What there is.
      digests: Of what there is; None leaves them out.
      wall_clock: Unix time; None where files have no dates.
      secret: Makes the boundary between several parts one that no file can have in it on purpose.
    """

    def __init__(
        self,
        files: Files,
        digests: Digests | None = None,
        wall_clock: Callable[[], float] | None = None,
        secret: bytes = b"",
    ) -> None:
        self._files = files
        self._digests = digests
        self._wall_clock = wall_clock
        self._secret = secret
        self._kept: dict[Request, _Kept] = {}

    def begin(self, request: Request, now: float) -> Answer | Later:
        """Answer one request; later, if it wants a digest that takes a while."""
        kept = self._kept.get(request)
        if kept is not None:
            if now < kept.until and self._files.is_current(kept.resource):
                return kept.answer
            del self._kept[request]
        found = self._files.find(request.target)
        if isinstance(found, Folder) and found.index is not None and not _for_program(request):
            found = found.index
        if isinstance(found, Resource):
            return self._resource(request, found, now)
        if isinstance(found, Folder):
            answer = _listing(request, found)
        elif found is None:
            answer = text(HTTPStatus.NOT_FOUND, "no such file")
        elif isinstance(found, Page):
            headers: Headers = (("Content-Type", found.content_type), ("Cache-Control", "no-store"))
            answer = page(HTTPStatus.OK, headers, found.content)
        elif isinstance(found, Elsewhere):
            query = "?" * ("?" in request.target) + request.target.partition("?")[2]
            location = (("Location", found.location + query),)
            answer = text(HTTPStatus.MOVED_PERMANENTLY, "moved", location)
        else:
            answer = _refusal(found)
        return answer.without_content() if request.method == "HEAD" else answer

    def _resource(self, request: Request, plain: Resource, now: float) -> Answer | Later:
        resource, varies = self._negotiated(request, plain)
        wish = wants_digest(find_all(request.headers, "want-repr-digest"))
        digest, settled = None, True
        if self._digests is not None and wish is not False:
            digest = self._digests.of(resource)
            settled = digest is not None or not self._digests.is_coming(resource)
            if wish and not settled:
                return _WithDigest(self, self._digests, request, plain, resource, now + WAIT_SECONDS)
        answer = self._answer(request, resource, varies=varies, digest=digest)
        if settled:
            self._keep(request, answer, resource, now)
        return answer

    def finish(self, request: Request, plain: Resource) -> Answer:
        """Answer with what is known of the digest by now."""
        resource, varies = self._negotiated(request, plain)
        digest = self._digests.of(resource) if self._digests is not None else None
        return self._answer(request, resource, varies=varies, digest=digest)

    def _keep(self, request: Request, answer: Answer, resource: Resource, now: float) -> None:
        if resource.identity is None:
            return  # Nothing to tell versions apart by, and nothing to gain.
        if len(self._kept) >= ANSWERS_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[request] = _Kept(answer, resource, now + RECHECK_SECONDS)

    def _negotiated(self, request: Request, plain: Resource) -> tuple[Resource, bool]:
        """The form of the file that the client likes best, and whether there are several."""
        siblings = {}
        for coding, suffix in SUFFIXES:
            sibling = self._files.encoded(plain, suffix, coding)
            if sibling is not None:
                siblings[coding] = sibling
        if siblings:
            for coding, _ in accepted_codings(find_all(request.headers, "accept-encoding")):
                if coding in siblings:
                    return siblings[coding], True
        return plain, bool(siblings)

    def _answer(
        self, request: Request, resource: Resource, *, varies: bool, digest: str | None
    ) -> Answer:
        headers = request.headers
        about: Headers = (("ETag", resource.etag), ("Accept-Ranges", "bytes"))
        modified = resource.modified_seconds
        unix_now = self._wall_clock() if self._wall_clock is not None else None
        if modified is not None and (unix_now is None or modified <= unix_now):
            # One that lies in the future must not be sent (section 8.8.2.1).
            about = (*about, ("Last-Modified", format_date(modified)))
        if varies:
            about = (*about, ("Vary", "Accept-Encoding"))
        status = precondition(request.method, headers, resource)
        if status is HTTPStatus.NOT_MODIFIED:
            return Answer(status, about)
        if status is not None:
            answer = text(status, "the file is another one")
            return answer.without_content() if request.method == "HEAD" else answer
        if resource.coding is not None:
            about = (*about, ("Content-Encoding", resource.coding))
        if digest is not None:
            about = (*about, ("Repr-Digest", digest))
        size = resource.storage.size_bytes
        # A range is defined for GET alone (section 14.2).
        wanted = find_all(headers, "range") if request.method == "GET" else None
        if wanted is not None and range_applies(headers, resource, unix_now):
            try:
                parts = wanted_parts(wanted, size)
            except Unsatisfiable:
                return text(416, "no such range", (("Content-Range", f"bytes */{size}"),))
            if parts is not None:
                return self._partial(resource, about, parts)
        about = (*about, ("Content-Type", resource.content_type), ("Content-Length", str(size)))
        if request.method == "HEAD" or not size:
            return Answer(HTTPStatus.OK, about)
        return _single(HTTPStatus.OK, about, resource, 0, size)

    def _partial(self, resource: Resource, about: Headers, parts: list[tuple[int, int]]) -> Answer:
        size = resource.storage.size_bytes
        if len(parts) == 1:
            offset, length = parts[0]
            about = (
                *about,
                ("Content-Type", resource.content_type),
                ("Content-Range", f"bytes {offset}-{offset + length - 1}/{size}"),
                ("Content-Length", str(length)),
            )
            return _single(HTTPStatus.PARTIAL_CONTENT, about, resource, offset, length)
        token = hashlib.sha256(self._secret + resource.etag.encode("latin-1")).hexdigest()[:32]
        segments = []
        for offset, length in parts:
            framing = (
                f"\r\n--{token}\r\nContent-Type: {resource.content_type}\r\n"
                f"Content-Range: bytes {offset}-{offset + length - 1}/{size}\r\n\r\n"
            )
            segments.append(Segment(resource.storage, offset, length, framing.encode("latin-1")))
        tail = f"\r\n--{token}--\r\n".encode()
        total = len(tail) + sum(len(part.framing) + part.size_bytes for part in segments)
        about = (
            *about,
            ("Content-Type", f"multipart/byteranges; boundary={token}"),
            ("Content-Length", str(total)),
        )
        return Answer(HTTPStatus.PARTIAL_CONTENT, about, segments=tuple(segments), tail=tail)


class _WithDigest:
    """An answer that waits for a digest."""

    def __init__(
        self,
        reading: Reading,
        digests: Digests,
        request: Request,
        plain: Resource,
        resource: Resource,
        until: float,
    ) -> None:
        self._reading = reading
        self._digests = digests
        self._request = request
        self._plain = plain
        self._resource = resource
        self._until = until

    def poll(self, now: float) -> Answer | None:
        """Answer when the digest is there, or has taken too long."""
        waits = self._digests.of(self._resource) is None and self._digests.is_coming(self._resource)
        if waits and now < self._until:
            return None
        return self._reading.finish(self._request, self._plain)

    def abandon(self) -> None:
        """The digest is computed for the next one who wants it."""


def _single(status: int, headers: Headers, resource: Resource, offset: int, size: int) -> Answer:
    segment = Segment(resource.storage, offset, size)
    return Answer(status, headers, segments=(segment,), whole=_at_hand(resource, offset, size))


def _at_hand(resource: Resource, offset: int, size: int) -> Payload | None:
    """The content, read if it is small; None if it cannot be read now: whoever sends it finds out."""
    try:
        payload = resource.storage.read(offset, size)
        if not isinstance(payload, FileSlice) or size > IN_MEMORY_BYTES:
            return payload
        content = os.pread(payload.file, size, offset)
        if resource.identity != identity_of(os.fstat(payload.file)) or len(content) != size:
            return payload  # It is being changed. Nothing of it is kept.
    except (OSError, StorageFault):
        return None
    return content


@dataclass(frozen=True, slots=True)
class _Made:
    """Validators of what is made on the spot."""

    etag: str
    modified_seconds: float | None = None


def _for_program(request: Request) -> bool:
    return prefers_json(find_all(request.headers, "accept"))


def _listing(request: Request, folder: Folder) -> Answer:
    as_program = _for_program(request)
    order = Order.of(request.target.partition("?")[2])
    try:
        listing = read_listing(folder.descriptor, folder.path, order)
    except OSError:
        return text(HTTPStatus.INTERNAL_SERVER_ERROR, "cannot be read")
    kind = "application/json" if as_program else "text/html; charset=utf-8"
    content = as_json(listing) if as_program else as_html(listing, order)
    made = _Made(f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    # A listing is another one a moment later; who has this one can ask whether it still is.
    about = (("ETag", made.etag), ("Vary", "Accept"), ("Cache-Control", "no-cache"))
    status = precondition(request.method, request.headers, made)
    if status is HTTPStatus.NOT_MODIFIED:
        return Answer(status, about)
    if status is not None:
        return text(status, "the listing is another one")
    return page(HTTPStatus.OK, (*about, ("Content-Type", kind)), content)


def _refusal(refusal: Refusal) -> Answer:
    retry: Headers = ()
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        retry = (("Retry-After", "1"),)
    return text(refusal.status, refusal.reason, retry)
