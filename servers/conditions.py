"""Conditional and range requests (RFC 9110 sections 13 and 14), as pure decisions."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

from servers.files import Resource
from servers.http1 import Headers, find

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)\Z", re.IGNORECASE)

#: Past any file. Longer numbers count as this one: no arithmetic on thousands of digits.
_FAR_DIGITS = 18
_FAR = 10**_FAR_DIGITS


class Unsatisfiable(Exception):
    """The range lies outside the file: 416."""


def not_modified(headers: Headers, resource: Resource) -> bool:
    """Whether the client has the resource already: 304. If-None-Match goes before the date."""
    tags = find(headers, "if-none-match")
    if tags is not None:
        # A weak comparison (section 13.1.2): the prefix does not matter.
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "*" in known or resource.etag in known
    since = find(headers, "if-modified-since")
    return since is not None and _unmodified_since(resource, since)


def wanted_range(headers: Headers, resource: Resource) -> tuple[int, int] | None:
    """The part that is asked for, as offset and size; None for all of it.

    Several ranges, other units and malformed ones get the whole file, which section 14.2 allows. A
    failed If-Range gets the whole file too: a part of another version would corrupt a download that
    is resumed.

    Raises:
      Unsatisfiable: no byte of the range exists.
    """
    value = find(headers, "range")
    if value is None:
        return None
    match = _RANGE.match(value.strip())
    if match is None or not any(match.groups()):
        return None
    condition = find(headers, "if-range")
    if condition is not None and not _if_range_holds(condition.strip(), resource):
        return None
    size = resource.storage.size_bytes
    first, last = match.groups()
    if not first:
        length = min(_number(last), size)
        if not length:
            raise Unsatisfiable
        return size - length, length
    start = _number(first)
    if last and _number(last) < start:
        return None  # Malformed (section 14.1.1), so ignored.
    end = min(_number(last), size - 1) if last else size - 1
    if start >= size:
        raise Unsatisfiable
    return start, end - start + 1


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return _FAR if len(digits) > _FAR_DIGITS else int(digits or "0")


def _if_range_holds(condition: str, resource: Resource) -> bool:
    if condition.startswith('"'):
        return condition == resource.etag
    if condition.startswith("W/"):
        return False  # Needs a strong comparison (section 13.1.5).
    return condition == resource.last_modified


def _unmodified_since(resource: Resource, date: str) -> bool:
    """Whether the file is as old as that; a date that cannot be read says nothing."""
    if resource.modified_seconds is None:
        return False
    try:
        since = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return False
    return int(resource.modified_seconds) <= since
