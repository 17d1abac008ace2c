"""Where uploads lie until they are whole, and how they become files: `.uploads` below the root.

A name below the root stands for the old file or the new one and never for half of one: content is
written to a file of no public name, synced, and renamed. What is left behind by a host that was killed
is swept up when the next one starts: a part whose lock nobody holds and that no upload resource refers
to.

Several hosts may share a root. A part belongs to who holds its lock; whether a target may be replaced
is decided and done under one lock of the directory.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from servers.files import UPLOADS_NAME, components, path_of
from testbed.node import FileSlice, Payload

PART_SUFFIX = ".part"
STATE_SUFFIX = ".json"

#: An upload resource that nobody touched for so long is given up.
KEPT_SECONDS = 24 * 3600


class Unsuitable(Exception):
    """A request's target cannot be stored at; `reason` is one line for the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BusyElsewhere(Exception):
    """Another process holds this part."""


class Part:
    """Content on its way to be a file. Its lock is held as long as it is open."""

    def __init__(self, area: UploadArea, token: str, descriptor: int) -> None:
        self._area = area
        self.token = token
        self.descriptor = descriptor
        self.size_bytes = os.fstat(descriptor).st_size

    def append(self, content: Payload) -> None:
        """Write at the end.

        Raises:
          OSError: the medium is full or failed.
        """
        if isinstance(content, FileSlice):
            raise TypeError("content of requests comes in memory")
        view = memoryview(content)
        while view:
            written = os.pwrite(self.descriptor, view, self.size_bytes)
            self.size_bytes += written
            view = view[written:]

    def truncate(self, size_bytes: int) -> None:
        """Take back what was appended beyond this size."""
        os.ftruncate(self.descriptor, size_bytes)
        self.size_bytes = size_bytes

    def close(self) -> None:
        """Let go of it; what was written stays."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def discard(self) -> None:
        """Leave nothing."""
        if self.descriptor >= 0:
            self._area.remove(self.token + PART_SUFFIX)
            self.close()


class Target:
    """A name that content may be stored under: its directory, held open, and its last component."""

    def __init__(self, directory: int, name: str) -> None:
        self.directory = directory
        self.name = name

    def __del__(self) -> None:
        os.close(self.directory)


class UploadArea:
    """The directory of parts below a root.

    Raises:
      OSError: it cannot be made or opened.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with contextlib.suppress(FileExistsError):
            os.mkdir(UPLOADS_NAME, 0o700, dir_fd=self._root)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._area = os.open(UPLOADS_NAME, flags, dir_fd=self._root)

    def __del__(self) -> None:
        for name in ("_root", "_area"):
            if hasattr(self, name):
                os.close(getattr(self, name))

    # --- Parts ------------------------------------------------------------------------------

    def new_part(self) -> Part:
        """Begin a part under a name that cannot be guessed.

        Raises:
          OSError: it cannot be made.
        """
        while True:
            token = secrets.token_urlsafe(18)
            part = self._open(token, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            if os.fstat(part.descriptor).st_nlink:
                return part
            part.close()  # Another host swept it up before it was locked.

    def open_part(self, token: str) -> Part:
        """Go on with a part.

        Raises:
          FileNotFoundError: there is none.
          BusyElsewhere: somebody holds it.
        """
        return self._open(token, os.O_RDWR)

    def _open(self, token: str, flags: int) -> Part:
        name = token + PART_SUFFIX
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o644, dir_fd=self._area)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return Part(self, token, descriptor)
        except BlockingIOError:
            os.close(descriptor)
            raise BusyElsewhere from None

    def remove(self, name: str) -> None:
        """Remove a file of the area, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._area)

    def read_state(self, token: str) -> bytes:
        """What was kept beside a part.

        Raises:
          FileNotFoundError: nothing was.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(token + STATE_SUFFIX, flags, dir_fd=self._area), "rb") as file:
            return file.read()

    def write_state(self, token: str, state: bytes) -> None:
        """Keep something beside a part: all of it or, if we are killed, what was there before."""
        fresh = token + ".new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(fresh, flags, 0o600, dir_fd=self._area), "wb") as file:
            file.write(state)
        os.rename(fresh, token + STATE_SUFFIX, src_dir_fd=self._area, dst_dir_fd=self._area)

    def sweep(self, unix_now: float | None = None) -> None:
        """Remove what nobody will come back for: parts without a resource, resources out of time."""
        oldest = (time.time() if unix_now is None else unix_now) - KEPT_SECONDS
        with os.scandir(self._area) as entries:
            found = {entry.name: entry.stat(follow_symlinks=False).st_mtime for entry in entries}
        for name, modified in found.items():
            token, _, _ = name.partition(".")
            part, state = token + PART_SUFFIX, token + STATE_SUFFIX
            touched = max(found.get(part, 0.0), found.get(state, 0.0), modified)
            if name == _LOCK or (state in found and touched >= oldest):
                continue
            try:
                held = self.open_part(token)
            except FileNotFoundError:
                self.remove(name)
            except BusyElsewhere:
                continue
            else:
                self.remove(name)
                held.close()

    # --- Targets ----------------------------------------------------------------------------

    def target(self, request_target: str) -> Target:
        """Find where a request wants something stored or removed.

        Raises:
          Unsuitable: no file can have this name, or its directory is not there.
        """
        path = path_of(request_target)
        try:
            names = components(path)
        except ValueError:
            raise Unsuitable("not a name for a file") from None
        if not names or path.endswith("/"):
            raise Unsuitable("a directory cannot be stored")
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        here = os.dup(self._root)
        for name in names[:-1]:
            above = here
            try:
                here = os.open(name, flags, dir_fd=above)
            except OSError:
                raise Unsuitable("no such directory") from None
            finally:
                os.close(above)
        return Target(here, names[-1])

    @contextlib.contextmanager
    def deciding(self) -> Iterator[None]:
        """Let nobody else replace or remove files of this root meanwhile; for a moment only."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(_LOCK, flags, 0o600, dir_fd=self._area)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def publish(self, part: Part, target: Target) -> bool:
        """Let a target stand for a part's content from now on; False if it is new.

        The part stays under its own name too, until it is discarded: whoever is killed in between
        can do it once more. Call it within `deciding`.

        Raises:
          Unsuitable: something that is no regular file has the name.
          OSError: the medium is full or failed.
        """
        replaces = _is_file(target)
        ready = part.token + ".ready"
        self.remove(ready)
        name = part.token + PART_SUFFIX
        os.link(name, ready, src_dir_fd=self._area, dst_dir_fd=self._area)
        try:
            os.rename(ready, target.name, src_dir_fd=self._area, dst_dir_fd=target.directory)
        except OSError as error:
            self.remove(ready)
            if error.errno == errno.ENAMETOOLONG:
                raise Unsuitable("name too long") from None
            raise
        # Two names of one file: rename did nothing, as it must, and left both.
        self.remove(ready)
        return replaces

    def unpublish(self, target: Target) -> bool:
        """Remove a file; False if there is none. Call it within `deciding`.

        Raises:
          Unsuitable: something that is no regular file has the name.
        """
        if not _is_file(target):
            return False
        os.unlink(target.name, dir_fd=target.directory)
        return True


_LOCK = "lock"


def _is_file(target: Target) -> bool:
    try:
        status = os.stat(target.name, dir_fd=target.directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unsuitable(error.strerror or "not a name for a file") from None
    if not stat.S_ISREG(status.st_mode):
        raise Unsuitable("something that is no file has this name")
    return True
