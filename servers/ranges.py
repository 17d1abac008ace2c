"""Which parts of a file a Range header asks for (RFC 9110 section 14).

What a client may make us do with it is bounded: ranges that overlap are merged, so that nothing is
sent twice, and a request for more parts than `PARTS_LIMIT` gets the whole file, which section 14.2
allows.
"""

from __future__ import annotations

import re

#: Ranges in one header that are looked at.
SPECS_LIMIT = 64

#: Parts sent in one response, after merging.
PARTS_LIMIT = 16

_UNIT = re.compile(r"bytes=", re.IGNORECASE)
_SPEC = re.compile(r"(?:([0-9]+)-([0-9]*)|-([0-9]+))\Z")

#: Past any file. Longer numbers count as this one: no arithmetic on thousands of digits.
_FAR_DIGITS = 18
_FAR = 10**_FAR_DIGITS


class Unsatisfiable(Exception):
    """No byte of the ranges exists: 416."""


def wanted_parts(value: str, size_bytes: int) -> list[tuple[int, int]] | None:
    """The parts that are asked for, as offset and size; None for all of the file.

    In the order asked for, unless some had to be merged: then by offset. Malformed headers and other
    units are passed over.

    Raises:
      Unsatisfiable: no byte of any range exists.
    """
    unit = _UNIT.match(value)
    if unit is None:
        return None
    specs = [spec.strip(" \t") for spec in value[unit.end() :].split(",", SPECS_LIMIT)]
    specs = [spec for spec in specs if spec]  # Empty list elements are allowed (section 5.6.1).
    if not specs or len(specs) > SPECS_LIMIT:
        return None
    parts = []
    for spec in specs:
        match = _SPEC.match(spec)
        if match is None:
            return None
        first, last, suffix = match.groups()
        if last and _number(last) < _number(first):
            return None  # Malformed (section 14.1.1).
        part = _resolve(first, last, suffix, size_bytes)
        if part is not None:
            parts.append(part)
    if not parts:
        raise Unsatisfiable
    parts = _merged(parts)
    return parts if len(parts) <= PARTS_LIMIT else None


def _resolve(first: str | None, last: str, suffix: str, size_bytes: int) -> tuple[int, int] | None:
    """Cut one range to what there is; None if that is nothing."""
    if first is None:
        length = min(_number(suffix), size_bytes)
        return (size_bytes - length, length) if length else None
    start = _number(first)
    if start >= size_bytes:
        return None
    end = min(_number(last), size_bytes - 1) if last else size_bytes - 1
    return start, end - start + 1


def _merged(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for offset, length in sorted(parts):
        if merged and offset <= sum(merged[-1]):
            start, before = merged[-1]
            merged[-1] = (start, max(before, offset + length - start))
        else:
            merged.append((offset, length))
    return parts if len(merged) == len(parts) else merged


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return _FAR if len(digits) > _FAR_DIGITS else int(digits or "0")
