"""The file that everybody wants: the user's own, or bytes made from a seed."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random

from testbed.errors import ScenarioError
from testbed.units import format_bytes

CHUNK_BYTES = 1 << 20

#: Kept free beside the downloads, for the record and everybody else.
SPARE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Content:
    """A file on disk, and what it must hash to."""

    path: Path
    size_bytes: int
    sha256: str
    name: str
    """What it is called on the wire; the same for made-up content in every run."""

    def sha256_of_first(self, size_bytes: int) -> str:
        """Hex digest of its beginning.

        Raises:
          OSError: it cannot be read.
        """
        if size_bytes == self.size_bytes:
            return self.sha256
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while size_bytes and (chunk := file.read(min(size_bytes, CHUNK_BYTES))):
                digest.update(chunk)
                size_bytes -= len(chunk)
        return digest.hexdigest()


def of_file(path: Path) -> Content:
    """Take the user's file.

    Raises:
      ScenarioError: it is missing, unreadable, empty, or not a regular file.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        if path.exists() and not path.is_file():
            raise ScenarioError(f"{path}: expected a regular file")
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise ScenarioError(f"{path}: expected a readable file: {error.strerror}") from error
    except ValueError as error:  # A NUL in the path.
        raise ScenarioError(f"{str(path)!r}: expected a path: {error}") from error
    if not size:
        raise ScenarioError(f"{path}: expected a file with content, this one is empty")
    return Content(path.resolve(), size, digest.hexdigest(), path.name)


def made_up(folder: Path, size_bytes: int, seed: int) -> Content:
    """Write incompressible bytes that depend on size and seed alone, on every machine the same.

    Raises:
      ScenarioError: they cannot be written.
    """
    path = folder / "content.bin"
    random = Random(f"content {seed}")
    digest = hashlib.sha256()
    left = size_bytes
    try:
        with path.open("wb") as file:
            while left:
                chunk = random.randbytes(min(left, CHUNK_BYTES))
                digest.update(chunk)
                file.write(chunk)
                left -= len(chunk)
    except OSError as error:
        raise ScenarioError(f"{path}: cannot write the content: {error.strerror}") from error
    return Content(path, size_bytes, digest.hexdigest(), path.name)


def ensure_space(folder: Path, needed_bytes: int) -> None:
    """Check that so much can be written: for a trial, N files of F bytes.

    Raises:
      ScenarioError: the folder is not writable or its disk too full.
    """
    if not os.access(folder, os.W_OK):
        raise ScenarioError(f"{folder}: expected a folder that can be written to")
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + SPARE_BYTES:
        raise ScenarioError(
            f"{folder}: expected {format_bytes(needed_bytes + SPARE_BYTES)} free for the downloads of "
            f"one trial, found {format_bytes(free)}"
        )
