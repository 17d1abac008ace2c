"""Conditional requests (RFC 9110 section 13), as pure decisions."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Protocol

from servers.dates import format_date, parse_date
from servers.http1 import Headers, find, find_all

_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_TAG_LIST = re.compile(rf"[ \t,]*{_TAG.pattern}(?:[ \t]*,[ \t,]*{_TAG.pattern})*[ \t,]*")

#: A file that changed within so long of its last look may change again within the same second, so its
#: date is no strong validator yet (section 8.8.2.2).
DATE_IS_WEAK_SECONDS = 1.0


class Validated(Protocol):
    """What has validators: a strong entity tag, and perhaps a date."""

    @property
    def etag(self) -> str:
        """With its quotes."""

    @property
    def modified_seconds(self) -> float | None:
        """Unix time, or None if it is not known."""


def precondition(method: str, headers: Headers, resource: Validated | None) -> HTTPStatus | None:
    """Decide whether the request goes on (None), or ends with 412 or 304; in the order of 13.2.2.

    Only for requests that would succeed without conditions. `resource` is what is there now, or None
    if nothing is, which for a method that reads is no such request.
    """
    reads = method in ("GET", "HEAD")
    match = find_all(headers, "if-match")
    if match is not None:
        if not _matches(match, resource, strong=True):
            return HTTPStatus.PRECONDITION_FAILED
    else:
        since = find(headers, "if-unmodified-since")
        if since is not None and _is_older(resource, since) is False:
            return HTTPStatus.PRECONDITION_FAILED
    none_match = find_all(headers, "if-none-match")
    if none_match is not None:
        if _matches(none_match, resource, strong=False):
            return HTTPStatus.NOT_MODIFIED if reads else HTTPStatus.PRECONDITION_FAILED
    elif reads:
        since = find(headers, "if-modified-since")
        if since is not None and _is_older(resource, since):
            return HTTPStatus.NOT_MODIFIED
    return None


def range_applies(headers: Headers, resource: Validated, unix_now: float | None) -> bool:
    """Whether If-Range lets a range be answered with a part (section 13.1.5).

    A failed If-Range gets the whole file: a part of another version would corrupt a download that is
    resumed. The comparison is strong; a date counts only if it is exactly the file's and old enough
    to be one.

    Args:
      unix_now: The time of day; None if it is not known, and every date old enough.
    """
    condition = find(headers, "if-range")
    if condition is None:
        return True
    if condition.startswith(('"', "W/")):
        return condition == resource.etag
    modified = resource.modified_seconds
    if modified is None or condition != format_date(modified):
        return False
    return unix_now is None or unix_now - modified >= DATE_IS_WEAK_SECONDS


def _matches(value: str, resource: Validated | None, *, strong: bool) -> bool:
    """Whether one of the tags is the resource's. A malformed list has no tags."""
    if resource is None:
        return False
    if value.strip(" \t") == "*":
        return True
    if _TAG_LIST.fullmatch(value) is None:
        return False
    return any(tag[2] == resource.etag and not (strong and tag[1]) for tag in _TAG.finditer(value))


def _is_older(resource: Validated | None, date: str) -> bool | None:
    """Whether the file has not changed since that date; None if that cannot be said."""
    if resource is None or resource.modified_seconds is None:
        return None
    since = parse_date(date)
    return None if since is None else int(resource.modified_seconds) <= since
