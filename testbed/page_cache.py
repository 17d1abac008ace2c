"""What the kernel keeps of a file in memory: to drop it, to fill it, and to see how much there is.

A file system without a disk below it (tmpfs) keeps everything, whatever is asked of it. So nobody may
say "cold" who has not looked: `cached_fraction` looks (mincore(2)).
"""

from __future__ import annotations

import ctypes
import mmap
import os

_READ_BYTES = 1 << 20

_mincore = ctypes.CDLL(None, use_errno=True).mincore
_mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_ubyte))


def forget(descriptor: int) -> None:
    """Drop a file from the page cache, as far as its file system has one.

    What was not on the disk yet is written first: the kernel drops no page that it would lose.

    Raises:
      OSError: the file cannot be written to its disk.
    """
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def fill(descriptor: int) -> None:
    """Read a file, so that it is in the page cache.

    Raises:
      OSError: it cannot be read.
    """
    offset = 0
    while chunk := os.pread(descriptor, _READ_BYTES, offset):
        offset += len(chunk)


def cached_fraction(descriptor: int) -> float | None:
    """Say which share of a file's pages is in memory; None of an empty one.

    The kernel tells it of files that the caller owns or may write to; of others it says "all".

    Raises:
      OSError: the file cannot be mapped.
    """
    size = os.fstat(descriptor).st_size
    if not size:
        return None
    pages = -(-size // mmap.PAGESIZE)
    present = (ctypes.c_ubyte * pages)()
    # A private mapping, since only of a writable buffer ctypes gives the address. Nothing is written.
    with mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY) as mapped:
        first = ctypes.c_char.from_buffer(mapped)
        try:
            if _mincore(ctypes.addressof(first), size, present):
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error))
        finally:
            del first  # Else the mapping could not be closed.
    return sum(page & 1 for page in present) / pages
