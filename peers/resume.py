"""Fast resume: what a peer that leaves knows of its files, so that it need not hash them again.

The record says which pieces were whole, and the size and time of change of every file at that
moment, after all was on the medium. A file that is different now, in either, is hashed; a record
that is damaged or of another torrent is as good as none. So nothing is trusted that was not hashed
here, and a process that was killed leaves files that are newer than any record.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from peers import bencoding
from peers.bencoding import Bencoded, BencodingError
from peers.content_store import Stamp
from peers.core.bitfield import PieceSpace
from peers.torrent import Torrent
from testbed.errors import ProtocolViolation
from testbed.storage import StorageFault

MAX_RECORD_BYTES = 8 << 20


def record_path(torrent: Torrent, folder: Path) -> Path:
    """Where the record of a download lies: beside it, hidden."""
    return folder / f".{torrent.info_hash.hex()}.resume"


def save(torrent: Torrent, folder: Path, held: int, stamps: Sequence[Stamp | None]) -> None:
    """Write the record; it replaces an older one whole or not at all. Flush the files before.

    Raises:
      StorageFault: it cannot be written.
    """
    record: dict[bytes, Bencoded] = {
        b"files": [[] if stamp is None else list(stamp) for stamp in stamps],
        b"held": PieceSpace(torrent.piece_count).to_wire(held),
    }
    path = record_path(torrent, folder)
    draft = path.with_suffix(".new")
    try:
        with draft.open("wb") as file:
            file.write(bencoding.encode(record))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise StorageFault(f"{path}: {error.strerror}") from None


def load(torrent: Torrent, folder: Path) -> tuple[dict[int, Stamp], int]:
    """Give the stamps of the files by index, and the pieces that were whole; nothing if in doubt."""
    try:
        with record_path(torrent, folder).open("rb") as file:
            data = file.read(MAX_RECORD_BYTES + 1)
        return _read(torrent, bencoding.decode(data, max_bytes=MAX_RECORD_BYTES))
    except (OSError, BencodingError, ProtocolViolation):
        return {}, 0


def _read(torrent: Torrent, record: Bencoded) -> tuple[dict[int, Stamp], int]:
    if not isinstance(record, dict):
        return {}, 0
    listed, held = record.get(b"files"), record.get(b"held")
    if not isinstance(listed, list) or not isinstance(held, bytes):
        return {}, 0
    if len(listed) != len(torrent.files):
        return {}, 0
    stamps: dict[int, Stamp] = {}
    for index, stamp in enumerate(listed):
        match stamp:
            case [int(size_bytes), int(changed_nanoseconds)]:
                stamps[index] = (size_bytes, changed_nanoseconds)
    return stamps, PieceSpace(torrent.piece_count).from_wire(held)


def forget(torrent: Torrent, folder: Path) -> None:
    """Remove the record: a download that is complete needs none."""
    with contextlib.suppress(OSError):
        record_path(torrent, folder).unlink()
