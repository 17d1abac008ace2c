"""The listing of a directory: a page for people that works without a script, and JSON for programs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import islice
from urllib.parse import quote, unquote

import msgspec

from servers.files import UPLOADS_NAME

#: A listing is sent in one piece; nobody reads a longer one.
ENTRIES_LIMIT = 10_000

_SORT = re.compile(r"(?:\A|&)sort=(-?)(name|size|time)(?:&|\Z)")

_STYLE = (
    "body{font:16px/1.5 sans-serif;margin:2em auto;max-width:60em;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}th{text-align:left}"
    "td,th{padding:.2em 1em .2em 0;border-bottom:1px solid #ddd}"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
)


class Entry(msgspec.Struct, frozen=True):
    """One line of a listing: something that can be asked for."""

    name: str
    kind: str
    """`file` or `directory`."""
    href: str
    """Relative to the listing."""
    size_bytes: int | None
    modified: str
    """UTC, as RFC 3339."""


class Listing(msgspec.Struct, frozen=True):
    """All that is in one directory, or the first `ENTRIES_LIMIT` of it."""

    path: str
    complete: bool
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class Order:
    """By what a listing is sorted. Directories come first whatever it is."""

    by: str = "name"
    descending: bool = False

    @classmethod
    def of(cls, query: str) -> Order:
        """Read `sort=name`, `sort=-size` and so on from a query; by name if it says nothing."""
        match = _SORT.search(query)
        return cls(match[2], match[1] == "-") if match else cls()


#: What the columns are sorted by; equals stay in the order of their names.
_KEYS: dict[str, Callable[[Entry], str | int]] = {
    "name": lambda entry: entry.name,
    "size": lambda entry: entry.size_bytes or 0,
    "time": lambda entry: entry.modified,
}


def read_listing(directory: int, path: str, order: Order) -> Listing:
    """List an open directory; `path` is percent-encoded and ends with a slash.

    Only what can be asked for is listed: regular files and directories with names in UTF-8.
    """
    entries: list[Entry] = []
    complete = True
    with os.scandir(directory) as found:
        for seen, item in enumerate(islice(found, ENTRIES_LIMIT + 1)):
            if seen == ENTRIES_LIMIT:
                complete = False
                break
            if path == "/" and item.name == UPLOADS_NAME:
                continue
            entry = _entry(directory, item)
            if entry is not None:
                entries.append(entry)
    entries.sort(key=lambda entry: entry.name)
    entries.sort(key=_KEYS[order.by], reverse=order.descending)
    entries.sort(key=lambda entry: entry.kind)  # "directory" comes before "file".
    return Listing(unquote(path), complete, entries)


def _entry(directory: int, item: os.DirEntry[str]) -> Entry | None:
    is_directory = item.is_dir(follow_symlinks=False)
    if not is_directory and not item.is_file(follow_symlinks=False):
        return None
    try:
        # The dot keeps a name with a colon from being read as a URL scheme.
        href = "./" + quote(item.name, safe="") + "/" * is_directory
        status = os.stat(item.name, dir_fd=directory, follow_symlinks=False)
    except (UnicodeEncodeError, OSError):
        return None  # No UTF-8, or it vanished meanwhile.
    size = None if is_directory else status.st_size
    kind = "directory" if is_directory else "file"
    return Entry(item.name, kind, href, size, _moment(status.st_mtime))


def _moment(unix_seconds: float) -> str:
    try:
        return datetime.fromtimestamp(int(unix_seconds), UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return ""  # A file system may hold any number.


def as_json(listing: Listing) -> bytes:
    """Give the listing for programs."""
    return msgspec.json.encode(listing)


def as_html(listing: Listing, order: Order) -> bytes:
    """Give the page for people."""
    title = escape(listing.path)
    rows = [_row(entry) for entry in listing.entries]
    if listing.path != "/":
        rows.insert(0, '<tr><td><a href="../">../</a></td><td></td><td></td></tr>\n')
    if not listing.complete:
        rows.append('<tr><td colspan="3">… and more</td></tr>\n')
    columns = (("Name", "name"), ("Size", "size"), ("Changed", "time"))
    heads = "".join(_column(heading, by, order) for heading, by in columns)
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head>\n<body><h1>{title}</h1>\n"
        f"<table><thead><tr>{heads}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody></table>"
        "</body></html>\n"
    )
    return page.encode()


def _column(title: str, by: str, order: Order) -> str:
    """The head of a column, which sorts by it, and the other way round the second time."""
    turned = order.by == by and not order.descending
    arrow = "" if order.by != by else " ↓" if order.descending else " ↑"
    return f'<th><a href="?sort={"-" * turned}{by}">{title}</a>{arrow}</th>'


def _row(entry: Entry) -> str:
    slash = "/" * (entry.kind == "directory")
    size = "" if entry.size_bytes is None else f"{entry.size_bytes:,} bytes"
    changed = entry.modified.replace("T", " ").replace("Z", " UTC")
    return (
        f'<tr><td><a href="{entry.href}">{escape(entry.name)}{slash}</a></td>'
        f'<td class="n">{size}</td><td class="n">{changed}</td></tr>\n'
    )
