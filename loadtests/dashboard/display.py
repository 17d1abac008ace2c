"""Shows a run on the page as well as on the terminal, and hears when it is stopped on the page."""

from __future__ import annotations

from types import TracebackType

import msgspec

from loadtests.dashboard.events import Began, Ended, Moved, StopAsked
from loadtests.dashboard.page_process import PageProcess
from loadtests.order import Slot
from loadtests.progress import Display, makespan_seconds
from loadtests.watching import ClientOutcome, NodeCounters, TrialProgress
from testbed.record import TrialRecord


class StoppedOnPage(KeyboardInterrupt):
    """Somebody pressed Locust's button: the run ends as with Ctrl-C, the page stays."""


class PageDisplay:
    """A display that passes everything on to another one and tells the page.

    Args:
      inner: The terminal's.
      page: The page's process.
    """

    def __init__(self, inner: Display, page: PageProcess) -> None:
        self.stopped = False
        """Whether the run was stopped on the page."""
        self._inner = inner
        self._page = page
        self._untold: tuple[ClientOutcome, ...] = ()

    def begin_trial(self, slot: Slot) -> None:
        """A trial starts."""
        self._inner.begin_trial(slot)
        self._untold = ()
        self._page.tell(
            Began(
                order=slot.order,
                architecture=slot.architecture,
                clients=slot.clients,
                repeat=slot.repeat,
            )
        )

    def update(self, progress: TrialProgress) -> None:
        """The trial that is under way has come so far.

        Raises:
          StoppedOnPage: somebody does not want it to go on.
        """
        self._inner.update(progress)
        self._untold += progress.outcomes
        if self._page.keeps_up:
            self._page.tell(Moved(msgspec.structs.replace(progress, outcomes=self._untold)))
            self._untold = ()
        if any(isinstance(event, StopAsked) for event in self._page.hear(wait=False)):
            self.stopped = True
            raise StoppedOnPage

    def end_trial(self, slot: Slot, record: TrialRecord) -> None:
        """A trial has ended."""
        self._inner.end_trial(slot, record)
        self._page.tell(
            Ended(
                status=record.trial.status,
                reason=record.trial.reason,
                makespan_seconds=makespan_seconds(record),
                nodes=final_counters(record),
                outcomes=self._untold,
            )
        )

    def __enter__(self) -> Display:
        self._inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._inner.__exit__(kind, error, trace)


def final_counters(record: TrialRecord) -> tuple[NodeCounters, ...]:
    """Read the counters of origin and clients from a trial's rows."""
    pieces = {row.node_id: row.pieces_held for row in record.samples if row.scope == "node"}
    return tuple(
        NodeCounters(
            row.node_id,
            row.uploaded_payload_bytes,
            row.downloaded_payload_bytes,
            pieces.get(row.node_id, 0),
        )
        for row in record.nodes
        if row.role != "tracker"
    )
