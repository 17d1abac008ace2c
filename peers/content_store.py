"""The files of a torrent on disk, as the one run of bytes that its pieces are cut from.

What is passed on was verified when it was written or when the peer began, not when it is read. So
every read and write looks whether the file is still as this store left it, by size and time of
change: a file that was changed, truncated or deleted by somebody else is a `StorageFault`, and not one
byte of it is passed on any more. The system's clock of changes has a grain of some milliseconds; a
change within the same grain as a write of ours is not seen.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from peers.torrent import Torrent
from peers.torrent_files import TorrentFile
from testbed.node import FileSlice, Payload
from testbed.storage import StorageFault

MAX_OPEN_FILES = 128
"""Files of one torrent open at a time; a process may have 1024 descriptors, links included."""

READ_BYTES = 1 << 20

Stamp = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds: by these a file is known again."""


def path_in(folder: Path, file: TorrentFile) -> Path:
    """Where a file of a torrent lies below the download folder."""
    return folder.joinpath(*file.path)


def stamp_of(status: os.stat_result) -> Stamp:
    """By what a file is known again."""
    return status.st_size, status.st_mtime_ns


class ContentStore:
    """All files of a torrent. Made by `open_content` to read, by `create_content` to write as well."""

    def __init__(
        self, torrent: Torrent, folder: Path, stamps: list[Stamp | None], *, writable: bool
    ) -> None:
        """`stamps`: what each file of the torrent is like now; None for padding."""
        self.size_bytes = torrent.file_bytes
        self.stamps = stamps
        self._files = torrent.files
        self._folder = folder
        self._writable = writable
        self._offsets = [file.offset for file in torrent.files]
        self._open: OrderedDict[int, int] = OrderedDict()
        """Descriptors by index of the file, the one used last at the end."""

    def read(self, offset: int, size_bytes: int) -> Payload:
        """Give a slice: of a torrent of one file by reference, else the bytes.

        Raises:
          StorageFault: it is not there any more, or not what was verified.
        """
        if offset < 0 or offset + size_bytes > self.size_bytes:
            raise StorageFault(f"no bytes {offset}..{offset + size_bytes} in {self.size_bytes}")
        if len(self._files) == 1:  # Its descriptor stays open, so it outlives the slice.
            return FileSlice(self._checked(0), offset, size_bytes)
        parts = [
            bytes(size) if self._files[index].is_padding else self._read_file(index, start, size)
            for index, start, size in self._spans(offset, size_bytes)
        ]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, offset: int, parts: Iterable[Payload]) -> None:
        """Keep consecutive parts from this offset on.

        Raises:
          StorageFault: the medium is full or failed, or somebody else changed the file.
        """
        views: list[memoryview] = []
        for part in parts:
            if isinstance(part, FileSlice):
                raise StorageFault("what is in a file already cannot be written")
            views.append(memoryview(part))
        for index, start, size in self._spans(offset, sum(view.nbytes for view in views)):
            taken, views = _split(views, size)
            if not self._files[index].is_padding:
                self._write_file(index, start, taken)

    def sha256(self) -> str:
        """Hex digest of all files in order, read back."""
        digest = sha256()
        for offset in range(0, self.size_bytes, READ_BYTES):
            for index, start, size in self._spans(offset, min(READ_BYTES, self.size_bytes - offset)):
                padding = self._files[index].is_padding
                digest.update(bytes(size) if padding else self._read_file(index, start, size))
        return digest.hexdigest()

    def flush(self) -> None:
        """Wait until the medium has all that was written, so that the stamps can be relied on.

        Raises:
          StorageFault: it does not take it.
        """
        for descriptor in self._open.values():
            try:
                os.fsync(descriptor)
            except OSError as error:
                raise StorageFault(f"cannot write: {error.strerror}") from None

    def close(self) -> None:
        """Let go of all files."""
        while self._open:
            os.close(self._open.popitem()[1])

    # --- One file ---------------------------------------------------------------------------

    def _spans(self, offset: int, size_bytes: int) -> Iterator[tuple[int, int, int]]:
        """Which files some bytes lie in: index, first byte in it, and how many."""
        index = bisect_right(self._offsets, offset) - 1
        while size_bytes:
            file = self._files[index]
            start = offset - file.offset
            size = min(size_bytes, file.file_bytes - start)
            if size > 0:
                yield index, start, size
                offset += size
                size_bytes -= size
            index += 1

    def _read_file(self, index: int, start: int, size: int) -> bytes:
        try:
            found = os.pread(self._checked(index), size, start)
        except OSError as error:
            raise self._fault(index, f"cannot be read: {error.strerror}") from None
        if len(found) != size:
            raise self._fault(index, "was truncated")
        return found

    def _write_file(self, index: int, start: int, views: list[memoryview]) -> None:
        descriptor = self._checked(index)
        try:
            while views:
                written = os.pwritev(descriptor, views, start)
                start += written
                views = _split(views, written)[1]
            self.stamps[index] = stamp_of(os.fstat(descriptor))
        except OSError as error:
            # A part may have been written: that was no stranger.
            self.stamps[index] = stamp_of(os.fstat(descriptor))
            raise self._fault(index, f"cannot be written: {error.strerror}") from None

    def _checked(self, index: int) -> int:
        """Give a file's descriptor, if it is still the file that was verified."""
        descriptor = self._descriptor(index)
        try:
            status = os.fstat(descriptor)
        except OSError as error:
            raise self._fault(index, f"cannot be read: {error.strerror}") from None
        if not status.st_nlink:
            raise self._fault(index, "was deleted")
        if stamp_of(status) != self.stamps[index]:
            raise self._fault(index, "was changed by somebody else")
        return descriptor

    def _descriptor(self, index: int) -> int:
        descriptor = self._open.get(index)
        if descriptor is not None:
            self._open.move_to_end(index)
            return descriptor
        if len(self._open) >= MAX_OPEN_FILES:
            os.close(self._open.popitem(last=False)[1])
        flags = os.O_RDWR | os.O_NOFOLLOW if self._writable else os.O_RDONLY
        try:
            descriptor = os.open(path_in(self._folder, self._files[index]), flags | os.O_CLOEXEC)
        except OSError as error:
            raise self._fault(index, f"cannot be opened: {error.strerror}") from None
        self._open[index] = descriptor
        return descriptor

    def _fault(self, index: int, what: str) -> StorageFault:
        return StorageFault(f"{path_in(self._folder, self._files[index])} {what}")


def _split(views: list[memoryview], size: int) -> tuple[list[memoryview], list[memoryview]]:
    """Cut buffers in two after `size` bytes of all of them, without copying."""
    for place, view in enumerate(views):
        if view.nbytes > size:
            head = [*views[:place], view[:size]] if size else views[:place]
            return head, [view[size:], *views[place + 1 :]]
        size -= view.nbytes
    return views, []


def open_content(torrent: Torrent, folder: Path) -> ContentStore:
    """Open the files of a torrent that are there, whole, for reading.

    Raises:
      StorageFault: one is missing, cannot be read, or has another size.
    """
    stamps: list[Stamp | None] = []
    for file in torrent.files:
        path = path_in(folder, file)
        if file.is_padding:
            stamps.append(None)
            continue
        try:
            status = path.stat()
        except OSError as error:
            raise StorageFault(f"{path}: {error.strerror}") from None
        if status.st_size != file.file_bytes:
            raise StorageFault(
                f"{path} has {status.st_size} bytes, the torrent {file.file_bytes}: not its file"
            )
        stamps.append(stamp_of(status))
    return ContentStore(torrent, folder, stamps, writable=False)


def create_content(torrent: Torrent, folder: Path) -> ContentStore:
    """Make what is missing of a torrent's files, sparse and of full size; what is there is kept.

    Raises:
      StorageFault: one cannot be made, is longer than the torrent's, or leads out of the folder.
    """
    stamps: list[Stamp | None] = []
    inside = folder.resolve()
    for file in torrent.files:
        if file.is_padding:
            stamps.append(None)
            continue
        path = path_in(folder, file)
        # A link in the folder, of whoever made it, could lead anywhere.
        if not path.parent.resolve().is_relative_to(inside) or path.is_symlink():
            raise StorageFault(f"{path} leads out of {folder}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o644)
            try:
                stamps.append(_sized(descriptor, path, file.file_bytes))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageFault(f"{path}: {error.strerror}") from None
    return ContentStore(torrent, folder, stamps, writable=True)


def _sized(descriptor: int, path: Path, file_bytes: int) -> Stamp:
    size = os.fstat(descriptor).st_size
    if size > file_bytes:
        raise StorageFault(f"{path} is there and longer than the torrent's file; it is left as it is")
    if size < file_bytes:
        os.ftruncate(descriptor, file_bytes)
    return stamp_of(os.fstat(descriptor))
