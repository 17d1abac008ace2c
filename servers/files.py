"""What a file host can answer with: one file of a trial, or a directory on disk.

A directory is walked component by component without following links, so that nothing outside it
can be named, and opened without blocking, so that a FIFO in it cannot hang the host.
"""

from __future__ import annotations

import errno
import mimetypes
import os
import stat
from collections import OrderedDict
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes

from servers.listing import listing
from testbed.storage import FileStorage, Storage

#: Descriptors kept open for files that were asked for lately.
OPEN_FILES = 64

#: Only the table of the language, so that an answer does not depend on the machine.
_TYPES = mimetypes.MimeTypes()
_ANY_TYPE = "application/octet-stream"


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


@dataclass(frozen=True, slots=True)
class Refusal:
    """There may be something, but not for this client or not now."""

    status: int
    reason: str


Found = Resource | Page | Elsewhere | Refusal


class Files(Protocol):
    """What is there to be served."""

    def find(self, target: str) -> Found | None:
        """Resolve the target of a request; None if there is nothing of that name."""

    def close(self) -> None:
        """Let go of open files."""


class OneFile:
    """The file of a trial, under one name."""

    def __init__(self, name: str, storage: Storage, etag: str) -> None:
        self._names = [name]
        self._resource = Resource(storage, f'"{etag}"', None, _ANY_TYPE)

    def find(self, target: str) -> Found | None:
        """The file, or nothing."""
        try:
            return self._resource if components(path_of(target)) == self._names else None
        except ValueError:
            return None

    def close(self) -> None:
        """The storage belongs to the trial."""


class _Descriptor(int):
    """An open descriptor that is closed with the last reference to it.

    A `FileSlice` on its way to a slow reader refers to it, long after host and cache forgot the
    file. Closed any earlier, its number would be given to another file, and that one be sent.
    """

    def __del__(self) -> None:
        os.close(self)


class Directory:
    """A directory on disk and all below it. Links are not followed, wherever they lead.

    Raises:
      OSError: it cannot be opened.
    """

    def __init__(self, root: Path) -> None:
        self._root = _Descriptor(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        self._open: OrderedDict[tuple[int, int, int, int], FileStorage] = OrderedDict()

    def find(self, target: str) -> Found | None:
        """A regular file or a listing; None for everything else, whatever it is."""
        path = path_of(target)
        try:
            names = components(path)
            return self._open_and_look(names, is_directory=path.endswith("/"))
        except ValueError:
            return None
        except PermissionError:
            return Refusal(403, "not readable")
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                return Refusal(503, "too busy")
            if error.errno == errno.EIO:
                return Refusal(500, "cannot be read")
            return None  # Missing, a link, a name too long, vanished meanwhile: not there.

    def close(self) -> None:
        """Forget all files. Those on their way to somebody are closed when they have left."""
        self._open.clear()

    def _open_and_look(self, names: list[str], *, is_directory: bool) -> Found | None:
        descriptor = self._walk(names)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            path = "".join(f"/{quote(name, safe='')}" for name in names) + "/"
            return Page(listing(descriptor, path)) if is_directory else Elsewhere(path)
        if is_directory or not stat.S_ISREG(status.st_mode):
            return None
        return self._resource(descriptor, status, names[-1])

    def _walk(self, names: list[str]) -> _Descriptor:
        here = self._root
        for name in names:
            # Looked at before it is opened: opening a FIFO wakes whoever waits to write to it, and
            # opening a device may do anything.
            mode = os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise FileNotFoundError(errno.ENOENT, "neither file nor directory", name)
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            here = _Descriptor(os.open(name, flags, dir_fd=here))
        return here

    def _resource(self, descriptor: _Descriptor, status: os.stat_result, name: str) -> Resource:
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        storage = self._open.get(identity)
        if storage is None:
            self._open[identity] = storage = FileStorage(descriptor, status.st_size)
            if len(self._open) > OPEN_FILES:
                self._open.popitem(last=False)
        else:
            self._open.move_to_end(identity)
        etag = f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'
        return Resource(storage, etag, status.st_mtime, _content_type(name))


def path_of(target: str) -> str:
    """The path in a request's target, which may be a whole URL (RFC 9112 section 3.2.2)."""
    path = target.partition("?")[0]
    for scheme in ("http://", "https://"):
        if path[: len(scheme)].lower() == scheme:
            return "/" + path[len(scheme) :].partition("/")[2]
    return path


def components(path: str) -> list[str]:
    """Split an absolute path into names, decoded once. A slash at its end is left out.

    Raises:
      ValueError: it is not absolute, or has a name that no file below the root can have.
    """
    if not path.startswith("/"):
        raise ValueError("not an absolute path")
    parts = path[1:].removesuffix("/").split("/")
    if parts == [""]:
        return []
    names = []
    for part in parts:
        name = unquote_to_bytes(part).decode("utf-8", "strict")
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise ValueError("not a name")
        names.append(name)
    return names


def _content_type(name: str) -> str:
    kind, encoding = _TYPES.guess_type(name)
    if kind is None or encoding is not None:
        return _ANY_TYPE  # a.tar.gz is gzip to whoever saves it, not a tar.
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
