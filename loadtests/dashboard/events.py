"""What the sweep and the page's process say to each other: one line of JSON each."""

from __future__ import annotations

import msgspec

from loadtests.plan import Architecture
from loadtests.watching import ClientOutcome, NodeCounters, TrialProgress

# --- From the sweep ---------------------------------------------------------------------------


class Planned(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A run is about to start; all that was shown before is over."""

    scenario: str
    question: str
    clients: tuple[int, ...]
    repeats: int
    trials: int
    file_bytes: int


class Began(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A trial starts."""

    order: int
    architecture: Architecture
    clients: int
    repeat: int


class Moved(msgspec.Struct, frozen=True, tag=True):
    """The trial that is under way has come so far."""

    progress: TrialProgress


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The trial has ended; its counters are those of its rows."""

    status: str
    reason: str
    makespan_seconds: float | None
    nodes: tuple[NodeCounters, ...]
    outcomes: tuple[ClientOutcome, ...]
    """Of clients that are done and of whom `Moved` has not told."""


class Reporting(msgspec.Struct, frozen=True, tag=True):
    """All trials have ended; the report is being written."""


class Concluded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The run is over."""

    status: str
    reasons: tuple[str, ...]
    verdict: str
    threshold_missed: bool
    folder: str
    """Its name among the results; empty: nothing was measured."""
    report_folder: str
    """Absolute; empty: there is none."""


ToPage = Planned | Began | Moved | Ended | Reporting | Concluded


# --- From the page ----------------------------------------------------------------------------


class Listening(msgspec.Struct, frozen=True, tag=True):
    """The page can be opened."""


class StartAsked(msgspec.Struct, frozen=True, tag=True):
    """Locust was started, by itself the first time and by its button later."""


class StopAsked(msgspec.Struct, frozen=True, tag=True):
    """Somebody pressed Locust's button."""


FromPage = Listening | StartAsked | StopAsked


_to_page: msgspec.json.Decoder[ToPage] = msgspec.json.Decoder(ToPage)
_from_page: msgspec.json.Decoder[FromPage] = msgspec.json.Decoder(FromPage)


def encode_line(event: ToPage | FromPage) -> bytes:
    """Give the line of one event."""
    return msgspec.json.encode(event) + b"\n"


class Lines:
    """Bytes, however they were cut, back to whole lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived and give the lines it completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines


def decode_to_page(line: bytes) -> ToPage:
    """Read what the sweep said."""
    return _to_page.decode(line)


def decode_from_page(line: bytes) -> FromPage:
    """Read what the page said."""
    return _from_page.decode(line)
