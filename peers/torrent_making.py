"""Makes torrents from what is on disk: a file, or a folder with all that is in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

from peers.torrent import (
    HASH_BYTES,
    MAX_TORRENT_BYTES,
    TYPICAL_CROWD,
    Torrent,
    TorrentError,
    check_piece_bytes,
    default_piece_bytes,
    describe,
    describe_folder,
)

READ_BYTES = 1 << 20

MAX_FILES = 30_000
"""Beyond so many the torrent would be refused by those who read it here."""


@dataclass(frozen=True, slots=True)
class _Source:
    """One file to describe."""

    path: Path
    names: tuple[str, ...]
    """Where it lies in its folder."""
    file_bytes: int


def make(
    path: Path,
    piece_bytes: int | None,
    announce: str,
    *,
    crowd: int = TYPICAL_CROWD,
    private: bool = False,
) -> Torrent:
    """Describe a file or a folder on disk, reading all of it once.

    In a folder every regular file counts, hidden ones too, in the order of their paths.

    Args:
      path: Its name becomes the torrent's.
      piece_bytes: None takes `default_piece_bytes`.
      announce: URL of the tracker, or empty.
      crowd: How many are expected to want it at once; for the piece length.
      private: Peers may be found by the tracker alone (BEP 27).

    Raises:
      TorrentError: something that is not a readable file or folder, no content, or too much of it for
        this piece size.
    """
    try:
        is_folder = path.is_dir()
        sources = _files_in(path) if is_folder else [_source(path, (path.name,))]
        total_bytes = sum(source.file_bytes for source in sources)
        size = default_piece_bytes(total_bytes, crowd) if piece_bytes is None else piece_bytes
        check_piece_bytes(size)
        if -(-total_bytes // size) * HASH_BYTES > MAX_TORRENT_BYTES:  # Before all are computed.
            raise TorrentError(f"pieces of {size} bytes are too many; make them larger")
        hashes = list(_hashes(sources, size))
    except OSError as error:
        raise TorrentError(f"cannot read {error.filename or path}: {error.strerror}") from None
    if not is_folder:
        return describe(path.name, total_bytes, size, hashes, announce, private=private)
    listed = [(source.names, source.file_bytes) for source in sources]
    name = path.resolve().name  # `make .` is asked for too.
    return describe_folder(name, listed, size, hashes, announce, private=private)


def _source(path: Path, names: tuple[str, ...]) -> _Source:
    if path.exists() and not path.is_file():  # Opening a pipe would wait for its writer.
        raise TorrentError(f"cannot read {path}: not a file")
    return _Source(path, names, path.stat().st_size)


def _files_in(folder: Path) -> list[_Source]:
    found: list[_Source] = []
    for root, _, names in os.walk(folder, onerror=_refuse):
        for name in names:
            path = Path(root, name)
            found.append(_source(path, path.relative_to(folder).parts))
            if len(found) > MAX_FILES:
                raise TorrentError(f"{folder} has more than {MAX_FILES} files")
    if not found:
        raise TorrentError(f"{folder} has no files")
    return sorted(found, key=lambda source: source.names)


def _refuse(error: OSError) -> None:
    raise error


def _hashes(sources: Sequence[_Source], piece_bytes: int) -> Iterator[bytes]:
    """Hash all files as one, in pieces."""
    buffer = memoryview(bytearray(min(piece_bytes, READ_BYTES)))
    digest = sha1(usedforsecurity=False)
    missing = piece_bytes
    for source in sources:
        remaining = source.file_bytes
        with source.path.open("rb", buffering=0) as file:
            while remaining:
                got = file.readinto(buffer[: min(remaining, missing)])
                if not got:
                    raise TorrentError(f"{source.path} became shorter while it was read")
                digest.update(buffer[:got])
                remaining -= got
                missing -= got
                if not missing:
                    yield digest.digest()
                    digest = sha1(usedforsecurity=False)
                    missing = piece_bytes
    if missing < piece_bytes:
        yield digest.digest()
