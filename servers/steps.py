"""The four steps of a transaction, as both sides of a trial see them: experiment E1.

    asked ── received ── found ── last byte ── processed
        request    service   response       client

The host notes when it had received a request and found the answer, the client when it asked, when the
answer had arrived and when it had processed it. All nodes of a trial live on one machine and count from
one moment on its monotonic clock, so that the readings of both may be put in one row.
"""

from __future__ import annotations

from servers.envelope import Envelope
from servers.methods import Methods
from servers.node import FileHost
from servers.settings import PageCache, Sharing
from servers.step_clock import StepClock
from servers.transaction import Transaction
from testbed.node import Address, Answered, Effect, Event, LinkDown, LinkId, Started
from testbed.storage import FileStorage


class StepWatch:
    """A `servers.transaction.Watch` that keeps the host's half of each transaction."""

    def __init__(self, clock: StepClock) -> None:
        self.now = clock.now
        self.cached_fraction: float | None = None
        """Of the file, before the next request."""
        self.answered: list[Answered] = []

    def done(self, link: LinkId, remote: Address, transaction: Transaction, *, complete: bool) -> None:
        """Keep what was answered whole with content."""
        if not complete or not transaction.payload_bytes:
            return
        self.answered.append(
            Answered(
                client=remote,
                begun_seconds=transaction.begun,
                received_seconds=transaction.received,
                found_seconds=transaction.found,
                sent_seconds=transaction.sent,
                payload_bytes=transaction.payload_bytes,
                cached_fraction=self.cached_fraction,
            )
        )


class MeasuredHost(FileHost):
    """A file host that notes the steps of what it answers.

    Args:
      clock: Of this host.
      page_cache: In which state each client finds the file: `warm`, it was read before the first one
        came; `cold`, it is dropped before the first and whenever one has left.
      storage: The file, where it is one on disk.
      methods, envelope, sharing, block_bytes, service_delay_seconds: As for `FileHost`.
    """

    def __init__(
        self,
        clock: StepClock,
        page_cache: PageCache,
        storage: FileStorage | None,
        methods: Methods,
        envelope: Envelope,
        sharing: Sharing,
        block_bytes: int | None,
        service_delay_seconds: float,
    ) -> None:
        self._steps = StepWatch(clock)
        super().__init__(
            methods,
            envelope,
            sharing,
            block_bytes,
            service_delay_seconds=service_delay_seconds,
            watch=self._steps,
        )
        self.tally.answered = self._steps.answered
        self._clock = clock
        self._page_cache = page_cache
        self._storage = None if page_cache == "as it is" else storage

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event and say what should happen."""
        if self._storage is not None and isinstance(event, (Started, LinkDown)):
            self._see_to_cache(self._storage, event)
        self._clock.begin(now)
        return super().handle(event, now)

    def _see_to_cache(self, storage: FileStorage, event: Event) -> None:
        """Between two clients, so that it is no part of any transaction."""
        if self._page_cache == "cold":
            storage.forget()
        elif isinstance(event, Started):
            storage.fill_cache()
        self._steps.cached_fraction = storage.cached_fraction()
