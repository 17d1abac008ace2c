"""The client of a file host: fetches one file, goes on where it was cut off, checks the digest."""

from __future__ import annotations

import hashlib

from servers.choice import OriginChoice
from servers.http1 import Body, Request, ResponseHead, find
from testbed.node import (
    Address,
    Dial,
    DialFailed,
    Effect,
    Event,
    FileSlice,
    Finished,
    HangUp,
    LinkDown,
    LinkId,
    LinkUp,
    Observe,
    Received,
    Send,
    Started,
    Stopping,
    Tally,
    Transfer,
    Woken,
)
from testbed.storage import Storage, StorageFault

HTTP_WIRE = "http"

#: Attempts in a row that bring no byte before the download is given up, and the pauses between them:
#: 0.1, 0.2, 0.4 … seconds. A server that restarts has some three seconds.
ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.1


class Downloader:
    """A node that downloads one file from an origin.

    Args:
      origin: Address of the file host, or how one of several is chosen: again after each failure, as
        all of them have the same file under the same entity tag.
      path: Percent-encoded absolute path of the file.
      storage: Where the file goes; its size is the size that is expected.
      expected_sha256: What the content must hash to, or None where it cannot differ (simulation).
    """

    def __init__(
        self,
        origin: Address | OriginChoice,
        path: str,
        storage: Storage,
        expected_sha256: str | None,
    ) -> None:
        self.tally = Tally()
        self._choice = origin if isinstance(origin, OriginChoice) else None
        self._origin = ("", 0) if isinstance(origin, OriginChoice) else origin
        self._has_taken = False
        self._failed_origin: Address | None = None
        """The origin that the last attempt was cut off by."""
        self._path = path
        self._storage = storage
        self._expected = expected_sha256
        self._digest = hashlib.sha256()
        self._link: LinkId | None = None
        self._received_bytes = 0
        self._etag: str | None = None
        self._in_body = False
        self._attempts_left = ATTEMPTS
        self._retry_at: float | None = None
        self._done = False
        self._scheduled = 0.0
        self._asked_at = 0.0
        self._first_byte_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """When the next attempt is due, if the last one failed."""
        return self._retry_at

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event and say what should happen."""
        if self._done:
            return []
        match event:
            case Received(link, message) if link == self._link:
                return self._received(message, now)
            case LinkUp(link):
                self._link = link
                return self._ask(link, now)
            case LinkDown(link, reason) if link == self._link:
                return self._failed(reason, now)
            case DialFailed(reason=reason):
                return self._failed(reason, now)
            case Started(scheduled_seconds=scheduled):
                self._scheduled = scheduled
                return self._dial()
            case Woken() if self._retry_at is not None and now >= self._retry_at:
                self._retry_at = None
                return self._dial()
            case Stopping():
                self._retry_at = None
                self._done = True
                self._give_back()
        return []

    def _dial(self) -> list[Effect]:
        if self._choice is not None:
            self._origin = self._choice.take(self._failed_origin)
            self._has_taken = True
        return [Dial(self._origin, HTTP_WIRE)]

    def _give_back(self) -> None:
        if self._choice is not None and self._has_taken:
            self._has_taken = False
            self._choice.give_back(self._origin)

    def _ask(self, link: LinkId, now: float) -> list[Effect]:
        headers = [("Host", f"{self._origin[0]}:{self._origin[1]}")]
        if self._received_bytes:
            # Only of the version we have the beginning of; of another one, send all (RFC 9110 13.1.5).
            headers.append(("Range", f"bytes={self._received_bytes}-"))
            headers.append(("If-Range", self._etag or ""))
        else:
            self._asked_at = now
        self._in_body = False
        self.tally.requests_made += 1
        return [Send(link, Request("GET", self._path, tuple(headers)))]

    def _received(self, message: object, now: float) -> list[Effect]:
        if isinstance(message, ResponseHead):
            return self._take_head(message)
        if isinstance(message, Body) and self._in_body:
            return self._take_body(message, now)
        return []

    def _take_head(self, head: ResponseHead) -> list[Effect]:
        size = self._storage.size_bytes
        if head.status == 206 and self._received_bytes:
            expected = f"bytes {self._received_bytes}-{size - 1}/{size}"
            if find(head.headers, "content-range") != expected:
                return self._give_up("answer is for another range", violation=True)
        elif head.status == 200:
            if find(head.headers, "content-length") != str(size):
                return self._give_up("file has another size")
            self._start_over()
        else:
            return self._give_up(f"answered {head.status} {head.phrase}".rstrip())
        etag = find(head.headers, "etag")
        self._etag = etag if etag is not None and etag.startswith('"') else None
        self._in_body = True
        return []

    def _start_over(self) -> None:
        """The answer begins at the first byte: what came before is waste."""
        self.tally.wasted_payload_bytes += self._received_bytes
        self._received_bytes = 0
        self._digest = hashlib.sha256()

    def _take_body(self, body: Body, now: float) -> list[Effect]:
        size = body.payload_bytes
        if self._first_byte_at is None:
            self._first_byte_at = now
        if self._received_bytes + size > self._storage.size_bytes:
            return self._give_up("more bytes than announced", violation=True)
        try:
            self._storage.write(self._received_bytes, (body.payload,))
        except StorageFault as fault:
            return self._give_up(fault.reason)
        if self._expected is not None and not isinstance(body.payload, FileSlice):
            self._digest.update(body.payload)
        self._received_bytes += size
        self._attempts_left = ATTEMPTS
        if self._received_bytes < self._storage.size_bytes:
            return []
        return self._complete(now)

    def _complete(self, now: float) -> list[Effect]:
        right = self._expected is None or self._digest.hexdigest() == self._expected
        if right:
            self.tally.pieces_held = 1
        else:
            self.tally.wasted_payload_bytes += self._received_bytes
        reason = "" if right else "digest does not match"
        return [*self._observe(now, reason or "ok"), *self._end(Finished(right, reason))]

    def _observe(self, now: float, outcome: str) -> list[Effect]:
        first = self._first_byte_at
        transfer = Transfer(
            unit="file",
            index=0,
            source=self._origin,
            scheduled_seconds=self._scheduled,
            started_seconds=self._asked_at,
            first_byte_seconds=now if first is None else first,
            finished_seconds=now,
            payload_bytes=self._received_bytes,
            outcome=outcome,
        )
        return [Observe(transfer)]

    def _failed(self, reason: str, now: float) -> list[Effect]:
        """The connection is gone: try again where it broke off, unless that has led nowhere."""
        self._link = None
        self._failed_origin = self._origin
        self._give_back()
        self._attempts_left -= 1
        if not self._attempts_left:
            return self._give_up(reason)
        if self._etag is None and self._received_bytes:
            self._start_over()  # Without a strong validator a part cannot be trusted to fit.
        self._retry_at = now + FIRST_PAUSE_SECONDS * 2 ** (ATTEMPTS - 1 - self._attempts_left)
        return []

    def _give_up(self, reason: str, *, violation: bool = False) -> list[Effect]:
        return self._end(Finished(False, reason), violation=violation)

    def _end(self, finished: Finished, *, violation: bool = False) -> list[Effect]:
        self._done = True
        self._retry_at = None
        self._give_back()
        hang_up: list[Effect] = []
        if self._link is not None:
            hang_up.append(HangUp(self._link, finished.reason or "done", violation))
        return [finished, *hang_up]
