"""The origin's file is replaced while it is distributed: a sentence of a scenario, and what it does.

| `origin_replaces_file` | Meaning |
| --- | --- |
| `never` | it stays as it is |
| `after 0.5 copies` | once its uplink could have sent half of it, a new version is renamed over it |
| `after 0.5 s` | that long after the first client was due |
| `after 0.5 copies, in place` | the new version is written over the old one, byte by byte |

Renaming is how a careful program replaces a file: who has the old one open keeps it. Both versions have
the same size, since a size that differs is noticed by everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

from testbed.errors import ScenarioError
from testbed.outages import NEVER, Outage, parse_outage

IN_PLACE = ", in place"

#: Files are compared in blocks; a hole in a file that is not whole has at least this size.
BLOCK_BYTES = 4096

WHOLE, REPLACED, PARTIAL, MIXED, WRONG, NONE = (
    "whole",
    "replaced",
    "partial",
    "mixed",
    "wrong",
    "none",
)
FILE_STATES = (WHOLE, REPLACED, PARTIAL, MIXED, WRONG, NONE)
"""What may lie on a client's disk in the end: the file; the version that replaced it, whole; some of
one version and holes; some of either version; anything else; nothing."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """When the origin's file is replaced, and how."""

    when: Outage
    in_place: bool

    def carry_out(self, path: Path, content: bytes) -> None:
        """Replace the file at `path`.

        Raises:
          OSError: it cannot be written.
        """
        if self.in_place:
            with path.open("r+b") as file:
                file.write(content)
            return
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(content)
        temporary.replace(path)


def parse_replacement(sentence: str) -> Replacement | None:
    """Read one of the sentences above; None: it is never replaced.

    Raises:
      ScenarioError: it is none of them.
    """
    try:
        when = parse_outage(sentence.removesuffix(IN_PLACE))
    except ScenarioError:
        when = None
    if when is None and sentence != NEVER:
        raise ScenarioError(
            f'expected "{NEVER}", "after 0.5 copies", "after 0.5 s", or one of these followed by '
            f'"{IN_PLACE}", not {sentence!r}'
        )
    return None if when is None else Replacement(when, sentence.endswith(IN_PLACE))


def new_version(size_bytes: int, seed: int) -> bytes:
    """Make the version that replaces a file of this size."""
    return Random(f"replacement {seed}").randbytes(size_bytes)


def state_of(path: Path, original: Path, replacement: bytes = b"") -> str:
    """Say what a client's file is, by its bytes: one of `FILE_STATES`.

    Args:
      path: The file, as large as the original or as much of it as the client asked for.
      original: What it should be.
      replacement: The other version that it may be, if there is one.

    Raises:
      OSError: one of them cannot be read.
    """
    seen: set[str] = set()
    offset = 0
    with path.open("rb") as ours, original.open("rb") as theirs:
        while block := ours.read(BLOCK_BYTES):
            other = replacement[offset : offset + len(block)]
            seen |= _of_block(block, theirs.read(len(block)), other)
            offset += len(block)
    if WRONG in seen:
        return WRONG
    if {WHOLE, REPLACED} <= seen:
        return MIXED
    # What there is comes from one version: all of it, some, or nothing.
    return next(iter(seen)) if len(seen) == 1 else PARTIAL


def _of_block(block: bytes, original: bytes, replacement: bytes) -> set[str]:
    """Say which version a block is of, and whether it has a hole at its end."""
    for version, state in ((original, WHOLE), (replacement, REPLACED)):
        if block == version:
            return {state}
    begun = block.rstrip(b"\0")
    if not begun:
        return {NONE}
    for version, state in ((original, WHOLE), (replacement, REPLACED)):
        if version.startswith(begun):
            return {state, NONE}
    return {WRONG}
