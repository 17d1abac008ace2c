"""The files of a torrent: where strangers want them stored, and whether they may be.

A path is a list of plain names, so nothing leads out of the download folder. A name that is not
plain is refused, not repaired: a repaired name could meet that of another file.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from peers.bencoding import MAX_INTEGER, Bencoded

MAX_NAME_BYTES = 255
"""What file systems take as one name."""

MAX_PATH_BYTES = 1024
"""Leaves room for the download folder below the limit of 4096 that systems have."""


class TorrentError(ValueError):
    """This metainfo, or the file to describe, is of no use; the message says why."""


@dataclass(frozen=True, slots=True)
class TorrentFile:
    """One file of a torrent. Its content starts at `offset` of all files taken as one."""

    path: tuple[str, ...]
    """Plain names, from the download folder down."""
    offset: int
    file_bytes: int
    is_padding: bool = False
    """Zeros that only move the next file to the start of a piece; not to be stored."""


def files_of(info: dict[bytes, Bencoded], name: str) -> tuple[TorrentFile, ...]:
    """Give the files that an info dictionary lists; `name` is the torrent's, checked.

    Raises:
      TorrentError: a bad size or path, two files of one path, or a symbolic link.
    """
    listed = info.get(b"files")
    if listed is None:
        _refuse_link(info)
        return (TorrentFile((name,), 0, number(info.get(b"length"), "length")),)
    if b"length" in info:
        raise TorrentError("either length or files is expected, not both")
    if not isinstance(listed, list) or not listed:
        raise TorrentError("files must be a list of at least one file")
    files = []
    taken: set[tuple[str, ...]] = set()
    folders: set[tuple[str, ...]] = set()
    offset = 0
    for entry in listed:
        if not isinstance(entry, dict):
            raise TorrentError("a file must be a dictionary")
        _refuse_link(entry)
        is_padding = b"p" in _attributes(entry)
        file_bytes = number(entry.get(b"length"), "length of a file")
        path = _path_of(entry, name, is_padding=is_padding, offset=offset)
        files.append(TorrentFile(path, offset, file_bytes, is_padding))
        offset += file_bytes
        if is_padding:  # Never stored, and usually all named alike.
            continue
        if path in taken:
            raise TorrentError(f"two files are named {'/'.join(path)!r}")
        taken.add(path)
        folders.update(path[:depth] for depth in range(1, len(path)))
    if meeting := taken & folders:
        raise TorrentError(f"{'/'.join(min(meeting))!r} is both a file and a folder")
    return tuple(files)


def _path_of(
    entry: dict[bytes, Bencoded], name: str, *, is_padding: bool, offset: int
) -> tuple[str, ...]:
    names = entry.get(b"path")
    if names is None and is_padding:  # BEP 47 lets padding have no path.
        return (name, ".pad", str(offset))
    if not isinstance(names, list) or not names:
        raise TorrentError("the path of a file must be a list of at least one name")
    path = (name, *(plain_name(part, "a name in a path") for part in names))
    if sum(len(part.encode()) + 1 for part in path) > MAX_PATH_BYTES:
        raise TorrentError(f"a path is longer than {MAX_PATH_BYTES} bytes")
    return path


def _attributes(entry: dict[bytes, Bencoded]) -> bytes:
    attributes = entry.get(b"attr", b"")
    if not isinstance(attributes, bytes):
        raise TorrentError("attr must be a string")
    return attributes


def _refuse_link(entry: dict[bytes, Bencoded]) -> None:
    # A link could lead out of the download folder, or to a file that is yet to be written.
    if b"l" in _attributes(entry) or b"symlink path" in entry:
        raise TorrentError("symbolic links are not supported")


def number(value: Bencoded | None, what: str) -> int:
    """Give a size, or refuse it; `what` names it in the error."""
    if not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
        raise TorrentError(f"{what} must be a number, zero or more, not {_shown(value)}")
    return value


def text(value: Bencoded | None, what: str) -> str:
    """Give a string as text, or refuse it."""
    if not isinstance(value, bytes):
        raise TorrentError(f"{what} must be a string, not {_shown(value)}")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise TorrentError(f"{what} must be UTF-8, not {_shown(value)}") from None


def plain_name(value: Bencoded | None, what: str) -> str:
    """Give a name that means one entry of one folder on any system, or refuse it."""
    name = text(value, what)
    if name in ("", ".", "..") or any(character in "/\\\0" for character in name):
        raise TorrentError(f"{what} must be a plain file name, not {_shown(value)}")
    if any(unicodedata.category(character) == "Cc" for character in name):
        # It is shown on terminals, which would obey.
        raise TorrentError(f"{what} must be without control characters, not {_shown(value)}")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise TorrentError(f"{what} is longer than {MAX_NAME_BYTES} bytes")
    return name


def _shown(value: Bencoded | None) -> str:
    if value is None:
        return "absent"
    shown = repr(value) if isinstance(value, int | bytes) else f"a {type(value).__name__}"
    return shown if len(shown) <= 60 else shown[:60] + "…"
