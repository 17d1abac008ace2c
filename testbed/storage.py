"""Where a node keeps the file: on disk in the live world, shared memory in the simulated one.

A node reads and writes by offset and never knows which. What it reads is `Payload`, ready to send.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from testbed import page_cache
from testbed.node import FileSlice, Payload

#: Digests are computed over reads of this size.
HASH_READ_BYTES = 1 << 20


class StorageFault(Exception):
    """The medium failed: disk full, file truncated underneath, read error. `reason` is one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Storage(Protocol):
    """One file, whole or on its way to be."""

    size_bytes: int

    def read(self, offset: int, size_bytes: int) -> Payload:
        """Give a slice of what is there, without copying it where that can be avoided.

        Raises:
          StorageFault: the slice is not there (any more).
        """

    def write(self, offset: int, parts: Iterable[Payload]) -> None:
        """Keep consecutive parts from this offset on.

        Raises:
          StorageFault: the medium is full or failed.
        """

    def sha256(self) -> str:
        """Hex digest of what is stored, read back from the medium."""

    def close(self) -> None:
        """Let go of the medium; what was stored stays."""


class FileStorage:
    """A file on disk. Reads are `FileSlice`s: the world takes the bytes when they leave."""

    def __init__(self, descriptor: int, size_bytes: int, path: Path | None = None) -> None:
        self._descriptor = descriptor
        self.path = path
        """Where it was opened, if it was opened by a path."""
        self.size_bytes = size_bytes

    @classmethod
    def of(cls, path: Path) -> FileStorage:
        """Open a file that is whole, for reading.

        Raises:
          StorageFault: it cannot be read.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            return cls(descriptor, os.fstat(descriptor).st_size, path)
        except OSError as error:
            raise StorageFault(f"{path}: {error.strerror}") from error

    @classmethod
    def empty(cls, path: Path, size_bytes: int) -> FileStorage:
        """Make a sparse file to be filled; what was there is kept if it has this size.

        Raises:
          StorageFault: it cannot be made.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if os.fstat(descriptor).st_size != size_bytes:
                os.ftruncate(descriptor, size_bytes)
            return cls(descriptor, size_bytes)
        except OSError as error:
            raise StorageFault(f"{path}: {error.strerror}") from error

    def read(self, offset: int, size_bytes: int) -> FileSlice:
        """Give a slice; the bytes are read when they leave."""
        if offset < 0 or offset + size_bytes > self.size_bytes:
            raise StorageFault(f"no bytes {offset}..{offset + size_bytes} in {self.size_bytes}")
        return FileSlice(self._descriptor, offset, size_bytes)

    def write(self, offset: int, parts: Iterable[Payload]) -> None:
        """Keep consecutive parts, in one system call where the kernel takes them all."""
        buffers = [memoryview(part) for part in parts if not isinstance(part, FileSlice)]
        try:
            while buffers:
                written = os.pwritev(self._descriptor, buffers, offset)
                if written == 0:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                offset += written
                while buffers and written >= len(buffers[0]):
                    written -= len(buffers.pop(0))
                if buffers and written:
                    buffers[0] = buffers[0][written:]
        except OSError as error:
            raise StorageFault(f"cannot write: {error.strerror}") from error

    def sha256(self) -> str:
        """Hex digest of the file, read back."""
        digest = hashlib.sha256()
        offset = 0
        try:
            while chunk := os.pread(self._descriptor, HASH_READ_BYTES, offset):
                digest.update(chunk)
                offset += len(chunk)
        except OSError as error:
            raise StorageFault(f"cannot read: {error.strerror}") from error
        return digest.hexdigest()

    def forget(self) -> None:
        """Drop the file from the page cache, as far as its file system has one.

        Raises:
          StorageFault: the disk failed.
        """
        self._see_to_cache(page_cache.forget)

    def fill_cache(self) -> None:
        """Read the file, so that it is in the page cache.

        Raises:
          StorageFault: the disk failed.
        """
        self._see_to_cache(page_cache.fill)

    def _see_to_cache(self, change: Callable[[int], None]) -> None:
        try:
            change(self._descriptor)
        except OSError as error:
            raise StorageFault(f"cannot read: {error.strerror}") from error

    def cached_fraction(self) -> float | None:
        """Which share of the file is in the page cache; None if the system does not tell."""
        try:
            return page_cache.cached_fraction(self._descriptor)
        except OSError:
            return None

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class FolderStorage:
    """An empty folder, for a node that keeps under their names what others send it."""

    size_bytes = 0

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def empty(cls, path: Path) -> FolderStorage:
        """Make it.

        Raises:
          StorageFault: it cannot be made.
        """
        try:
            path.mkdir()
        except OSError as error:
            raise StorageFault(f"{path}: {error.strerror}") from error
        return cls(path)

    def read(self, offset: int, size_bytes: int) -> Payload:
        """A folder has no bytes."""
        raise StorageFault(f"{self.path}: expected a file")

    def write(self, offset: int, parts: Iterable[Payload]) -> None:
        """Nor does it take any."""
        raise StorageFault(f"{self.path}: expected a file")

    def sha256(self) -> str:
        """Hex digest of nothing."""
        return hashlib.sha256().hexdigest()

    def close(self) -> None:
        """Nothing to let go of."""


class SharedStorage:
    """The simulated world's storage: every node shares one copy of the content.

    A thousand simulated nodes hold a thousand files; the memory holds one.
    """

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self.size_bytes = len(content)

    def read(self, offset: int, size_bytes: int) -> memoryview:
        """Give a view of the shared copy."""
        if offset < 0 or offset + size_bytes > self.size_bytes:
            raise StorageFault(f"no bytes {offset}..{offset + size_bytes} in {self.size_bytes}")
        return self._content[offset : offset + size_bytes]

    def write(self, offset: int, parts: Iterable[Payload]) -> None:
        """Keep nothing: it is there."""

    def sha256(self) -> str:
        """Hex digest of the shared copy."""
        return hashlib.sha256(self._content).hexdigest()

    def close(self) -> None:
        """Nothing to let go of."""
