"""The client of a file host: fetches one file, goes on where it was cut off, checks the digest."""

from __future__ import annotations

import hashlib

from servers.choice import OriginChoice
from servers.http1 import Body, Request, ResponseHead, find
from servers.manner import PLAIN, Manner
from servers.step_clock import StepClock
from testbed.node import (
    Address,
    Asked,
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
from testbed.replacement import MIXED, PARTIAL
from testbed.storage import Storage, StorageFault

HTTP_WIRE = "http"

#: Attempts in a row that bring no byte before the download is given up, and the pauses between them:
#: 0.1, 0.2, 0.4 … seconds. A server that restarts has some three seconds.
ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.1

#: How often somebody looks for a file that is about to be uploaded.
LOOK_AGAIN_SECONDS = 0.05


class Downloader:
    """A node that downloads one file from an origin.

    Args:
      origin: Address of the file host, or how one of several is chosen: again after each failure, as
        all of them have the same file under the same entity tag.
      path: Percent-encoded absolute path of the file.
      storage: Where the file goes; its size is the size that is expected.
      expected_sha256: What the content must hash to, or None where it cannot differ (simulation).
      client: Its number among those that choose, from 1.
      file_bytes: How long the origin's file is, if it wants only a part: the beginning, as long as its
        own storage.
      manner: What a scenario asks of it besides.

    Ordered to start again once it is done, it downloads anew, over a new connection.
    """

    def __init__(
        self,
        origin: Address | OriginChoice,
        path: str,
        storage: Storage,
        expected_sha256: str | None,
        client: int = 1,
        file_bytes: int | None = None,
        manner: Manner = PLAIN,
    ) -> None:
        self.tally = Tally()
        self._file_bytes = storage.size_bytes if file_bytes is None else file_bytes
        self._client = client
        self._manner = manner
        self._request_at = 0.0
        self._stopwatch_at = 0.0
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
        self._ends_at = storage.size_bytes
        """Where the answer that we asked for ends, exclusive."""
        self._etag: str | None = None
        self._in_body = False
        self._attempts_left = ATTEMPTS
        self._retry_at: float | None = None
        self._done = False
        self._scheduled = 0.0
        self._asked_at = 0.0
        self._first_byte_at: float | None = None

    def resumed(self) -> Downloader:
        """Make the downloader that goes on, from another address, where this one has stopped.

        It knows the same origin, has the first bytes of the file and the entity tag they came under,
        and has them hashed already. Of what it counts it goes on with the same tally.
        """
        origin = self._choice if self._choice is not None else self._origin
        again = Downloader(
            origin,
            self._path,
            self._storage,
            self._expected,
            self._client,
            self._file_bytes,
            self._manner,
        )
        again.tally = self.tally
        again._digest = self._digest
        again._received_bytes = self._received_bytes
        again._etag = self._etag
        again._asked_at = self._asked_at
        again._first_byte_at = self._first_byte_at
        if again._received_bytes and again._etag is None:
            again._start_over()  # Without a strong validator a part cannot be trusted to fit.
        return again

    @property
    def deadline(self) -> float | None:
        """When the next attempt is due, if the last one failed."""
        return self._retry_at

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event and say what should happen."""
        if self._done:
            if not isinstance(event, Started):
                return []
            self._begin_anew()
        if self._manner.clock is not None:
            self._manner.clock.begin(now)
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

    def _begin_anew(self) -> None:
        """Forget the download that is over; what was counted stays."""
        self._done = False
        self._link = None
        self._received_bytes = 0
        self._digest = hashlib.sha256()
        self._etag = None
        self._first_byte_at = None
        self._attempts_left = ATTEMPTS

    def _dial(self) -> list[Effect]:
        if self._choice is not None:
            self._origin = self._choice.take(self._client, self._failed_origin)
            self._has_taken = True
        return [Dial(self._origin, HTTP_WIRE)]

    def _give_back(self) -> None:
        if self._choice is not None and self._has_taken:
            self._has_taken = False
            self._choice.give_back(self._origin)

    def _ask(self, link: LinkId, now: float) -> list[Effect]:
        headers = [("Host", f"{self._origin[0]}:{self._origin[1]}")]
        self._ends_at = self._end_of_request()
        if self._received_bytes or self._wants_part or self._manner.range_bytes is not None:
            last = str(self._ends_at - 1) if self._ends_at < self._file_bytes else ""
            headers.append(("Range", f"bytes={self._received_bytes}-{last}"))
        if self._received_bytes and self._manner.if_range:
            # Only of the version we have the beginning of; of another one, send all (RFC 9110 13.1.5).
            headers.append(("If-Range", self._etag or ""))
        if not self._received_bytes:
            self._asked_at = now
        self._in_body = False
        if (clock := self._manner.clock) is not None:
            self._request_at, self._stopwatch_at = clock.now(), clock.stopwatch()
        self.tally.requests_made += 1
        return [Send(link, Request("GET", self._path, tuple(headers)))]

    def _end_of_request(self) -> int:
        """Up to where we ask, exclusive."""
        size = self._storage.size_bytes
        part = self._manner.range_bytes
        return size if part is None else min(self._received_bytes + part, size)

    @property
    def _wants_part(self) -> bool:
        return self._storage.size_bytes < self._file_bytes

    def _received(self, message: object, now: float) -> list[Effect]:
        if isinstance(message, ResponseHead):
            return self._take_head(message, now)
        if isinstance(message, Body) and self._in_body:
            return self._take_body(message, now)
        return []

    def _take_head(self, head: ResponseHead, now: float) -> list[Effect]:
        size = self._storage.size_bytes
        asked_for_range = self._received_bytes or self._wants_part or self._manner.range_bytes
        if head.status == 206 and asked_for_range:
            expected = f"bytes {self._received_bytes}-{self._ends_at - 1}/{self._file_bytes}"
            if find(head.headers, "content-range") != expected:
                return self._give_up("answer is for another range", violation=True)
        elif head.status == 200 and not self._wants_part:
            if find(head.headers, "content-length") != str(size):
                return self._give_up("file has another size")
            self._start_over()
            self._ends_at = size
        elif head.status == 404 and self._manner.waits_for_file:
            return self._look_again_later(now)
        else:
            return self._give_up(f"answered {head.status} {head.phrase}".rstrip())
        etag = find(head.headers, "etag")
        self._etag = etag if etag is not None and etag.startswith('"') else None
        self._in_body = True
        return []

    def _look_again_later(self, now: float) -> list[Effect]:
        link, self._link = self._link, None
        self._retry_at = now + LOOK_AGAIN_SECONDS
        self._give_back()
        return [] if link is None else [HangUp(link, "not there yet")]

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
        hashes_now = self._expected is not None and not self._manner.verifies_at_end
        if hashes_now and not isinstance(body.payload, FileSlice):
            self._digest.update(body.payload)
        self._received_bytes += size
        self._attempts_left = ATTEMPTS
        if self._received_bytes < self._ends_at:
            return []
        if self._received_bytes < self._storage.size_bytes and self._link is not None:
            return self._ask(self._link, now)
        return self._complete(now)

    def _complete(self, now: float) -> list[Effect]:
        try:
            right = self._expected is None or self._is_right(self._hexdigest())
        except StorageFault as fault:
            return self._give_up(fault.reason)
        if right:
            self.tally.pieces_held = 1
        else:
            self.tally.wasted_payload_bytes += self._received_bytes
        reason = "" if right else self._what_is_wrong
        if self._manner.clock is not None:
            now = self._note_steps(self._manner.clock, now)
        return [*self._observe(now, reason or "ok"), *self._end(Finished(right, reason))]

    def _is_right(self, digest: str) -> bool:
        return digest in (self._expected, self._manner.replacement_sha256)

    @property
    def _what_is_wrong(self) -> str:
        """Neither version: of a file that was replaced meanwhile, some of both."""
        return "digest does not match" if self._manner.replacement_sha256 is None else MIXED

    def _hexdigest(self) -> str:
        return self._storage.sha256() if self._manner.verifies_at_end else self._digest.hexdigest()

    def _note_steps(self, clock: StepClock, last_byte_at: float) -> float:
        """Note our half of the transaction, and say when it was over."""
        processed_at = clock.now()
        first = self._first_byte_at
        asked = Asked(
            source=self._origin,
            asked_seconds=self._request_at,
            first_byte_seconds=last_byte_at if first is None else first,
            last_byte_seconds=last_byte_at,
            processed_seconds=processed_at,
            total_seconds=clock.stopwatch() - self._stopwatch_at,
            payload_bytes=self._received_bytes,
        )
        self.tally.asked.append(asked)
        return processed_at

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
            return self._give_up(reason, now=now)
        if self._etag is None and self._received_bytes:
            self._start_over()  # Without a strong validator a part cannot be trusted to fit.
        self._retry_at = now + FIRST_PAUSE_SECONDS * 2 ** (ATTEMPTS - 1 - self._attempts_left)
        return []

    def _give_up(
        self, reason: str, *, violation: bool = False, now: float | None = None
    ) -> list[Effect]:
        """End without the file; what there is of it stays on the disk, and is put on record."""
        partial = self._observe(now, PARTIAL) if now is not None and self._received_bytes else []
        return [*partial, *self._end(Finished(False, reason), violation=violation)]

    def _end(self, finished: Finished, *, violation: bool = False) -> list[Effect]:
        self._done = True
        self._retry_at = None
        self._give_back()
        hang_up: list[Effect] = []
        if self._link is not None:
            hang_up.append(HangUp(self._link, finished.reason or "done", violation))
        return [finished, *hang_up]
