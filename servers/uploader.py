"""The client that has something for others: puts one file to a host, from which they fetch it."""

from __future__ import annotations

from servers.downloader import HTTP_WIRE
from servers.http1 import Body, Request, ResponseHead
from testbed.node import (
    Address,
    Departed,
    Dial,
    DialFailed,
    Effect,
    Event,
    Finished,
    HangUp,
    LinkDown,
    LinkId,
    LinkUp,
    Received,
    Send,
    Started,
    Stopping,
    Tally,
    Writable,
)
from testbed.storage import Storage, StorageFault

#: What is given to the uplink at once. Nobody else waits for it, but the host reads at its own pace.
BLOCK_BYTES = 64 * 1024


class Uploader:
    """A node that uploads one file, once, with PUT (RFC 9110 section 9.3.4).

    Args:
      host: Address of a host that may be written to.
      path: Percent-encoded absolute path of the file there.
      storage: The whole file.
    """

    def __init__(self, host: Address, path: str, storage: Storage) -> None:
        self.tally = Tally(pieces_held=1)
        self._host = host
        self._path = path
        self._storage = storage
        self._link: LinkId | None = None
        self._sent_bytes = 0
        self._done = False

    @property
    def deadline(self) -> float | None:
        """It waits for nothing but the host."""
        return None

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event and say what should happen."""
        if self._done:
            return []
        match event:
            case Started():
                return [Dial(self._host, HTTP_WIRE)]
            case LinkUp(link):
                return self._begin(link)
            case Departed(link, writable) if link == self._link:
                return self._go_on(link) if writable else []
            case Writable(link) if link == self._link:
                return self._go_on(link)
            case Received(link, ResponseHead() as head) if link == self._link:
                return self._answered(link, head)
            case DialFailed(reason=reason):
                return self._end(Finished(False, reason))
            case LinkDown(link, reason) if link == self._link:
                return self._end(Finished(False, reason))
            case Stopping():
                self._done = True
        return []

    def _begin(self, link: LinkId) -> list[Effect]:
        self._link = link
        self.tally.requests_made += 1
        headers = (
            ("Host", f"{self._host[0]}:{self._host[1]}"),
            ("Content-Length", str(self._storage.size_bytes)),
        )
        return [Send(link, Request("PUT", self._path, headers)), *self._go_on(link)]

    def _go_on(self, link: LinkId) -> list[Effect]:
        size = min(BLOCK_BYTES, self._storage.size_bytes - self._sent_bytes)
        if not size:
            return []
        try:
            block = Body(self._storage.read(self._sent_bytes, size))
        except StorageFault as fault:
            return self._end(Finished(False, fault.reason))
        self._sent_bytes += size
        return [Send(link, block)]

    def _answered(self, link: LinkId, head: ResponseHead) -> list[Effect]:
        """The file is there for others, whole, or was refused."""
        if head.status in (201, 204) and self._sent_bytes == self._storage.size_bytes:
            return self._end(Finished(True))
        return self._end(Finished(False, f"answered {head.status} {head.phrase}".rstrip()))

    def _end(self, finished: Finished) -> list[Effect]:
        self._done = True
        if self._link is None:
            return [finished]
        return [finished, HangUp(self._link, finished.reason or "done")]
