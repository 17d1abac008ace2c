"""Which pieces of a torrent are on disk and whole: read once, compared with the torrent's hashes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1
from io import FileIO
from pathlib import Path

from peers.content_store import Stamp, path_in, stamp_of
from peers.core.bitfield import PieceSpace
from peers.torrent import Torrent
from peers.torrent_files import TorrentFile
from testbed.storage import StorageFault

READ_BYTES = 1 << 20


def held_pieces(
    torrent: Torrent, folder: Path, known: Mapping[int, Stamp] | None = None, known_held: int = 0
) -> int:
    """Give the verified pieces of what lies in a folder, as a `PieceSpace` set.

    Args:
      torrent: What should be there. A file that is missing has no piece.
      folder: The download folder.
      known: Files, by index, that were hashed before, and what they were like then. Those that are
        still so are not read again.
      known_held: Which pieces were whole then.

    Raises:
      StorageFault: a file is there and cannot be read.
    """
    bits = PieceSpace(torrent.piece_count).bits
    unchanged = _unchanged(torrent, folder, known or {})
    reader = _Reader(torrent, folder)
    held = 0
    try:
        first = 0
        files = torrent.files
        for piece, expected in enumerate(torrent.piece_hashes):
            start = piece * torrent.piece_bytes
            end = start + torrent.piece_size(piece)
            while files[first].offset + files[first].file_bytes <= start:
                first += 1
            last = first
            while last < len(files) and files[last].offset < end:
                last += 1
            if all(index in unchanged for index in range(first, last)):
                held |= bits[piece] & known_held
                continue
            if reader.digest(range(first, last), start, end) == expected:
                held |= bits[piece]
    finally:
        reader.close()
    return held


def _unchanged(torrent: Torrent, folder: Path, known: Mapping[int, Stamp]) -> set[int]:
    if not known:
        return set()
    unchanged = {index for index, file in enumerate(torrent.files) if file.is_padding}
    for index, stamp in known.items():
        try:
            status = path_in(folder, torrent.files[index]).stat()
        except OSError:
            continue  # Reading it will say what is wrong.
        if stamp_of(status) == stamp:
            unchanged.add(index)
    return unchanged


class _Reader:
    """Reads the files of a torrent in order, one open at a time."""

    def __init__(self, torrent: Torrent, folder: Path) -> None:
        self._torrent = torrent
        self._folder = folder
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._index = -1
        self._file: FileIO | None = None

    def digest(self, indices: range, start: int, end: int) -> bytes:
        """Hash the bytes `start`..`end` of all files as one; empty if not all are there."""
        digest = sha1(usedforsecurity=False)
        for index in indices:
            file = self._torrent.files[index]
            begin = max(start, file.offset) - file.offset
            remaining = min(end, file.offset + file.file_bytes) - file.offset - begin
            if file.is_padding:
                digest.update(bytes(remaining))
                continue
            try:
                opened = self._opened(index, file)
                if opened is None:
                    if remaining:
                        return b""
                    continue
                opened.seek(begin)
                while remaining:
                    got = opened.readinto(self._buffer[:remaining])
                    if not got:
                        return b""
                    digest.update(self._buffer[:got])
                    remaining -= got
            except OSError as error:
                path = path_in(self._folder, file)
                raise StorageFault(f"{path}: {error.strerror}") from None
        return digest.digest()

    def _opened(self, index: int, file: TorrentFile) -> FileIO | None:
        if index != self._index:
            self.close()
            self._index = index
            path = path_in(self._folder, file)
            # Opening a pipe would wait for its writer.
            if path.exists() and not path.is_file():
                raise StorageFault(f"{path}: not a file")
            try:
                self._file = path.open("rb", buffering=0)
            except FileNotFoundError:
                self._file = None
        return self._file

    def close(self) -> None:
        """Let go of the file that is open."""
        if self._file is not None:
            self._file.close()
        self._file = None
        self._index = -1
