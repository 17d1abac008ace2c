"""Which pieces of a file on disk are whole: read once, compared with the torrent's hashes."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

from peers.core.bitfield import PieceSpace
from peers.torrent import Torrent
from testbed.storage import StorageFault

READ_BYTES = 1 << 20


def held_pieces(torrent: Torrent, path: Path) -> int:
    """Give the verified pieces of a file, as a `PieceSpace` set. A file that is not there has none.

    Raises:
      StorageFault: it is there and cannot be read.
    """
    bits = PieceSpace(torrent.piece_count).bits
    held = 0
    buffer = memoryview(bytearray(READ_BYTES))
    try:
        with path.open("rb", buffering=0) as file:
            for piece, expected in enumerate(torrent.piece_hashes):
                digest = sha1(usedforsecurity=False)
                remaining = torrent.piece_size(piece)
                while remaining:
                    got = file.readinto(buffer[:remaining])
                    if not got:
                        return held
                    digest.update(buffer[:got])
                    remaining -= got
                if digest.digest() == expected:
                    held |= bits[piece]
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StorageFault(f"{path}: {error.strerror}") from None
    return held
