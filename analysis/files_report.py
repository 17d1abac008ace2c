"""What lay on the clients' disks in the end, where that was not always the file: experiment E19."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.points import Point
from analysis.tables import Rows, Table
from analysis.wording import UNKNOWN, short_number
from testbed.replacement import FILE_STATES, WHOLE

NamedPoint = tuple[str, Point]
"""What a row is called, and what it shows."""


def is_about_files(points: Sequence[Point]) -> bool:
    """Whether any client ended with something else than the file."""
    return any(count for one in points for state, count in one.files.items() if state != WHOLE)


def files_table(named: Sequence[NamedPoint]) -> Table:
    """A row for each point: how many clients had what."""
    rows: Rows = [
        (
            f"{name}{one.architecture}, N = {one.clients:,}",
            *(short_number(one.files[state]) if one.files else UNKNOWN for state in FILE_STATES),
        )
        for name, one in named
    ]
    return Table(
        "How many clients had what on their disks in the end, by its bytes, median over the repeats. "
        "Replaced: all of the version that took the file's place. Partial: some of a version, and "
        "holes. Mixed: some of either version, as long as the file.",
        ("", *FILE_STATES),
        rows,
    )


def say_files(named: Sequence[NamedPoint]) -> str:
    """Say in a sentence what clients had on their disks."""
    parts: dict[str, list[str]] = {}
    for name, one in named:
        counts = [f"{short_number(count)} {state}" for state, count in one.files.items() if count]
        if counts:
            parts.setdefault(name, []).append(f"{one.architecture} {', '.join(counts)}")
    listed = "; ".join(f"{name}: {', '.join(cells)}" for name, cells in parts.items())
    return f"What clients have on their disks in the end: {listed}."
