"""What an upload has to wait for, in a thread: a digest read back, a sync of file and directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from servers.answers import Answer
from servers.uploads_digest import DigestCheck

#: A digest is computed over reads of this size.
READ_BYTES = 1 << 20

#: Syncs wait for the medium and digests for a core; more at once would be slower.
THREADS = 2

_POOL = ThreadPoolExecutor(THREADS, thread_name_prefix="uploads")


def sync(descriptor: int) -> None:
    """Wait until what was written is on the medium."""
    os.fsync(descriptor)


def sync_and_check(descriptor: int, check: DigestCheck) -> None:
    """The same, and read all of it into a check."""
    os.fsync(descriptor)
    offset = 0
    while content := os.pread(descriptor, READ_BYTES, offset):
        check.update(content)
        offset += len(content)


class Steps:
    """An answer that needs work in a thread, then a decision, then work again, as a `Later`.

    Args:
      work: Done in a thread.
      then: Called in the host's own thread with the error of the work, or None: decides, and gives
        the answer, or what is to be done before the answer.
      dropped: Called instead, also there or in the thread, if nobody waits any more.
    """

    def __init__(
        self,
        work: Callable[[], None],
        then: Callable[[OSError | None], Answer | Steps],
        dropped: Callable[[], None],
    ) -> None:
        self._then = then
        self._dropped = dropped
        self._next: Steps | None = None
        self._future: Future[None] = _POOL.submit(work)

    def poll(self, now: float) -> Answer | None:
        """Give the answer if it is ready."""
        if self._next is not None:
            return self._next.poll(now)
        if not self._future.done():
            return None
        error = self._future.exception()
        if error is not None and not isinstance(error, OSError):
            raise error
        answer = self._then(error)
        if isinstance(answer, Steps):
            self._next = answer
            return None
        return answer

    def followed_by(self, change: Callable[[Answer], Answer]) -> Steps:
        """The same, with the last answer changed."""
        then = self._then

        def changed(error: OSError | None) -> Answer | Steps:
            answer = then(error)
            return change(answer) if isinstance(answer, Answer) else answer.followed_by(change)

        self._then = changed
        return self

    def abandon(self) -> None:
        """The client is gone: what was begun in a thread ends, and nothing follows it."""
        if self._next is not None:
            self._next.abandon()
        else:
            self._future.add_done_callback(lambda _: self._dropped())
