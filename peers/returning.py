"""What a peer that comes back at another address still has: its pieces, and whom it knew."""

from __future__ import annotations

import os

from peers.core.bitfield import piece_space
from peers.torrent import Torrent
from testbed.node import FileSlice, Payload
from testbed.storage import Storage, StorageFault


def verified_pieces(torrent: Torrent, storage: Storage, recorded: int) -> int:
    """Hash pieces again as they lie in storage, and trust no record of them.

    Args:
      torrent: Says what each must hash to.
      storage: Where they lie.
      recorded: Those that were there, as a `PieceSpace` set; no other is looked at.

    Returns:
      Those that are still right.
    """
    space = piece_space(torrent.piece_count)
    held = 0
    for piece in space.indices(recorded):
        try:
            stored = storage.read(piece * torrent.piece_bytes, torrent.piece_size(piece))
            if torrent.verify(piece, (_bytes_of(stored),)):
                held |= space.bits[piece]
        except (StorageFault, OSError):
            continue  # It is fetched again, and the fault met again if it lasts.
    return held


def _bytes_of(stored: Payload) -> bytes | memoryview:
    if isinstance(stored, FileSlice):
        return os.pread(stored.file, stored.nbytes, stored.offset)
    return stored
