"""What a file host can answer with: one file of a trial, or a directory on disk.

A directory is walked component by component without following links, so that nothing outside it
can be named, and opened without blocking, so that a FIFO in it cannot hang the host.
"""

from __future__ import annotations

import mimetypes
import os
import stat
from collections import OrderedDict
from dataclasses import dataclass
from email.utils import formatdate
from html import escape
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes

from testbed.storage import FileStorage, Storage

#: Descriptors kept open for files that were asked for lately.
OPEN_FILES = 64


@dataclass(frozen=True, slots=True)
class Resource:
    """A file that can be served: where its bytes are and what its headers say."""

    storage: Storage
    etag: str
    modified_seconds: float | None
    content_type: str

    @property
    def last_modified(self) -> str | None:
        """For the Last-Modified header, or None if that is not known."""
        if self.modified_seconds is None:
            return None
        return formatdate(self.modified_seconds, usegmt=True)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer made up on the spot: a listing."""

    content: bytes
    content_type: str = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The resource is at another path: a directory asked for without its slash."""

    location: str


Found = Resource | Page | Elsewhere


class Files(Protocol):
    """What is there to be served."""

    def find(self, target: str) -> Found | None:
        """Resolve the target of a request; None if there is nothing of that name."""

    def close(self) -> None:
        """Let go of open files."""


class OneFile:
    """The file of a trial, under one name."""

    def __init__(self, name: str, storage: Storage, etag: str) -> None:
        self._path = "/" + quote(name)
        self._resource = Resource(storage, f'"{etag}"', None, "application/octet-stream")

    def find(self, target: str) -> Found | None:
        """The file, or nothing."""
        return self._resource if target == self._path else None

    def close(self) -> None:
        """The storage belongs to the trial."""


class Directory:
    """A directory on disk and all below it.

    Raises:
      OSError: it cannot be opened.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open: OrderedDict[tuple[int, int, int, int], FileStorage] = OrderedDict()

    def find(self, target: str) -> Found | None:
        """A regular file or a listing; None for everything else, whatever it is."""
        path = target.partition("?")[0]
        try:
            names = _components(path)
        except ValueError:
            return None
        try:
            descriptor = self._walk(names)
        except OSError:
            return None
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                if not path.endswith("/"):
                    return Elsewhere(path + "/")
                return _listing(descriptor, path)
            if not stat.S_ISREG(status.st_mode):
                return None
            return self._resource(descriptor, status, names[-1])
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Close all files and the directory."""
        for storage in self._open.values():
            storage.close()
        self._open.clear()
        os.close(self._root)

    def _walk(self, names: list[str]) -> int:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        here = os.dup(self._root)
        for name in names:
            try:
                there = os.open(name, flags, dir_fd=here)
            finally:
                os.close(here)
            here = there
        return here

    def _resource(self, descriptor: int, status: os.stat_result, name: str) -> Resource:
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        storage = self._open.get(identity)
        if storage is None:
            # Not closed when it is pushed out: it may be on its way to somebody. The descriptor goes
            # with the last reference.
            storage = _OwnedFile(os.dup(descriptor), status.st_size)
            self._open[identity] = storage
            while len(self._open) > OPEN_FILES:
                self._open.popitem(last=False)
        else:
            self._open.move_to_end(identity)
        etag = f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        return Resource(storage, etag, status.st_mtime, kind)


class _OwnedFile(FileStorage):
    """A file that is closed when nobody refers to it any more."""

    def __del__(self) -> None:
        self.close()


def _components(path: str) -> list[str]:
    """Split an absolute path into names, decoded once.

    Raises:
      ValueError: it is not absolute, or has a name that no file below the root can have.
    """
    if not path.startswith("/"):
        raise ValueError("not an absolute path")
    names = []
    for part in path.split("/"):
        name = unquote_to_bytes(part).decode("utf-8", "strict")
        if not name:
            continue
        if name in (".", "..") or "/" in name or "\0" in name:
            raise ValueError("not a name")
        names.append(name)
    return names


def _listing(directory: int, path: str) -> Page:
    rows = []
    with os.scandir(directory) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if not entry.is_dir(follow_symlinks=False) and not entry.is_file(follow_symlinks=False):
                continue
            slash = "/" if entry.is_dir(follow_symlinks=False) else ""
            size = "" if slash else f"{entry.stat(follow_symlinks=False).st_size:,} bytes"
            try:
                link = quote(entry.name) + slash
            except UnicodeEncodeError:
                continue  # A name that is not UTF-8 cannot be asked for either.
            rows.append(f'<li><a href="./{link}">{escape(entry.name)}{slash}</a> {size}</li>\n')
    title = escape(unquote_to_bytes(path).decode("utf-8", "replace"))
    page = (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        f"<h1>{title}</h1>\n<ul>\n{''.join(rows)}</ul>\n</html>\n"
    )
    return Page(page.encode())
