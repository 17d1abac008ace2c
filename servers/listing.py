"""The listing of a directory, as a page for people."""

from __future__ import annotations

import os
from html import escape
from itertools import islice
from urllib.parse import quote, unquote

#: A listing is sent in one piece; nobody reads a longer one.
ENTRIES_LIMIT = 10_000


def listing(directory: int, path: str) -> bytes:
    """Give the HTML page of an open directory; `path` is percent-encoded and ends with a slash.

    Only what can be asked for is listed: regular files and directories with names in UTF-8.
    """
    names: list[tuple[str, bool]] = []
    with os.scandir(directory) as entries:
        for entry in islice(entries, ENTRIES_LIMIT + 1):
            is_directory = entry.is_dir(follow_symlinks=False)
            if is_directory or entry.is_file(follow_symlinks=False):
                names.append((entry.name, is_directory))
    names.sort(key=lambda item: (not item[1], item[0]))
    rows = [_row(directory, *item) for item in names[:ENTRIES_LIMIT]]
    if len(names) > ENTRIES_LIMIT:
        rows.append("<li>… and more</li>\n")
    if path != "/":
        rows.insert(0, '<li><a href="../">../</a></li>\n')
    title = escape(unquote(path))
    page = (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        f"<h1>{title}</h1>\n<ul>\n{''.join(rows)}</ul>\n</html>\n"
    )
    return page.encode()


def _row(directory: int, name: str, is_directory: bool) -> str:
    try:
        # The dot keeps a name with a colon from being read as a URL scheme.
        link = "./" + quote(name, safe="")
    except UnicodeEncodeError:
        return ""
    if is_directory:
        return f'<li><a href="{link}/">{escape(name)}/</a></li>\n'
    try:
        size = os.stat(name, dir_fd=directory, follow_symlinks=False).st_size
    except OSError:
        return ""  # It vanished meanwhile.
    return f'<li><a href="{link}">{escape(name)}</a> {size:,} bytes</li>\n'
