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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes

from testbed.storage import FileStorage, Storage

#: Descriptors kept open for files that were asked for lately.
OPEN_FILES = 64

#: What a directory is answered with, if it has one.
INDEX_NAME = "index.html"

#: In the root, and hidden: what is being uploaded and is no file yet.
UPLOADS_NAME = ".uploads"

#: Only the table of the language, so that an answer does not depend on the machine.
_TYPES = mimetypes.MimeTypes()
_ANY_TYPE = "application/octet-stream"

#: A file system may hold any number as a time; HTTP has dates of four digits.
_YEAR_10000 = 253_402_300_800

Identity = tuple[int, int, int, int, int]
"""Device, inode, size, and when content and inode changed: a file that was changed or replaced has
another. The last is there because the one before it can be set at will."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A file that can be served: where its bytes are and what its headers say."""

    storage: Storage
    etag: str
    modified_seconds: float | None
    content_type: str
    identity: Identity | None = None
    """None for what cannot change."""
    path: str = ""
    """Below the root, decoded."""
    coding: str | None = None
    """How its content is encoded, for a precompressed sibling."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory, asked for with its slash."""

    descriptor: int
    path: str
    """Percent-encoded, from the root, with its slash."""
    index: Resource | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """An answer made up on the spot."""

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


Found = Resource | Folder | Page | Elsewhere | Refusal


class Files(Protocol):
    """What is there to be served."""

    def find(self, target: str) -> Found | None:
        """Resolve the target of a request; None if there is nothing of that name."""

    def is_current(self, resource: Resource) -> bool:
        """Whether a resource that was found is still what its path leads to."""

    def encoded(self, resource: Resource, suffix: str, coding: str) -> Resource | None:
        """The precompressed sibling of a file, if there is one that is no older."""

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

    def is_current(self, resource: Resource) -> bool:
        """The file of a trial does not change."""
        return True

    def encoded(self, resource: Resource, suffix: str, coding: str) -> Resource | None:
        """It has no siblings."""
        return None

    def close(self) -> None:
        """The storage belongs to the trial."""


class Descriptor(int):
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
        self._root = Descriptor(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        self._open: OrderedDict[Identity, FileStorage] = OrderedDict()

    def find(self, target: str) -> Found | None:
        """A regular file or a directory; None for everything else, whatever it is."""
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

    def is_current(self, resource: Resource) -> bool:
        """Whether the path leads to that very file, unchanged: one system call.

        A link on the way is followed here, but what is served is the file that was opened when there
        was none, and only if the path still leads to it.
        """
        try:
            status = os.stat(resource.path, dir_fd=self._root, follow_symlinks=False)
        except OSError:
            return False
        return identity_of(status) == resource.identity

    def encoded(self, resource: Resource, suffix: str, coding: str) -> Resource | None:
        """A sibling with this suffix. One that is older than the file is of another version."""
        names = (resource.path + suffix).split("/")
        try:
            descriptor = self.walk(names)
        except OSError:
            return None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_mtime < (resource.modified_seconds or 0):
            return None
        return self._resource(descriptor, status, names, resource.content_type, coding)

    def walk(self, names: Sequence[str]) -> Descriptor:
        """Open what the names lead to from the root: a regular file or a directory.

        Raises:
          OSError: there is no such thing.
        """
        here = self._root
        for name in names:
            # Looked at before it is opened: opening a FIFO wakes whoever waits to write to it, and
            # opening a device may do anything.
            mode = os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise FileNotFoundError(errno.ENOENT, "neither file nor directory", name)
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            here = Descriptor(os.open(name, flags, dir_fd=here))
        return here

    def close(self) -> None:
        """Forget all files. Those on their way to somebody are closed when they have left."""
        self._open.clear()

    def _open_and_look(self, names: list[str], *, is_directory: bool) -> Found | None:
        descriptor = self.walk(names)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            path = "".join(f"/{quote(name, safe='')}" for name in names) + "/"
            return Folder(descriptor, path, self._index(names)) if is_directory else Elsewhere(path)
        if is_directory or not stat.S_ISREG(status.st_mode):
            return None
        return self._resource(descriptor, status, names)

    def _index(self, names: list[str]) -> Resource | None:
        try:
            found = self._open_and_look([*names, INDEX_NAME], is_directory=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found if isinstance(found, Resource) else None

    def _resource(
        self,
        descriptor: Descriptor,
        status: os.stat_result,
        names: list[str],
        content_type: str | None = None,
        coding: str | None = None,
    ) -> Resource:
        identity = identity_of(status)
        storage = self._open.get(identity)
        if storage is None:
            self._open[identity] = storage = FileStorage(descriptor, status.st_size)
            if len(self._open) > OPEN_FILES:
                self._open.popitem(last=False)
        else:
            self._open.move_to_end(identity)
        etag = '"{1:x}-{2:x}-{3:x}-{4:x}"'.format(*identity)
        kind = content_type or content_type_of(names[-1])
        modified = status.st_mtime if 0 <= status.st_mtime < _YEAR_10000 else None
        return Resource(storage, etag, modified, kind, identity, "/".join(names), coding)


def identity_of(status: os.stat_result) -> Identity:
    """What tells this version of this file from every other."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


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
    names: list[str] = []
    for part in parts:
        name = unquote_to_bytes(part).decode("utf-8", "strict")
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise ValueError("not a name")
        names.append(name)
    if names[0] == UPLOADS_NAME:
        raise ValueError("not a name for others")
    return names


def content_type_of(name: str) -> str:
    """The media type that a file's name stands for."""
    kind, encoding = _TYPES.guess_type(name)
    if kind is None or encoding is not None:
        return _ANY_TYPE  # a.tar.gz is gzip to whoever saves it, not a tar.
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
