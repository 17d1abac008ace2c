"""How a client fetches and checks its file: what a scenario may ask of one besides getting it."""

from __future__ import annotations

from dataclasses import dataclass

from servers.step_clock import StepClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """Settings of a downloader; as they are here unless a scenario says otherwise."""

    verifies_at_end: bool = False
    """The file is hashed when it is whole, read back from the disk, and not as it arrives."""
    range_bytes: int | None = None
    """It asks for so much at a time; None: for all that it lacks."""
    if_range: bool = True
    """It says of which version it has the beginning, and gets no other's end (RFC 9110 13.1.5)."""
    replacement_sha256: str | None = None
    """Of the version that replaces the file meanwhile, which is as good as the other."""
    waits_for_file: bool = False
    """It looks again, and again, while there is no such file: somebody is about to upload it."""
    clock: StepClock | None = None
    """Tells the time within an event, where the steps of each transaction are recorded."""


PLAIN = Manner()
