"""Metainfo: what a torrent says about its content, and the check of content against it (BEP 3).

A `.torrent` comes from strangers. `Torrent.decode` either gives a torrent that is safe to use or
raises `TorrentError` with what is wrong. Of a decoded torrent these hold:

* Every path has only plain names, so it stays inside the download folder, and no two files meet.
* The number of hashes fits the size; sizes are positive and within 64 bits.
* A piece fits in memory: at most `MAX_PIECE_BYTES`.

Symbolic links and version 2 torrents without version 1 hashes are refused. Padding files (BEP 47)
are kept in `files`, because they are part of the pieces, and marked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha1

from peers import bencoding
from peers.bencoding import MAX_INTEGER, Bencoded, BencodingError
from peers.torrent_files import TorrentError, TorrentFile, files_of, number, plain_name, text

__all__ = [
    "BLOCK_BYTES",
    "Torrent",
    "TorrentError",
    "TorrentFile",
    "default_piece_bytes",
    "describe",
    "describe_folder",
]

BLOCK_BYTES = 16384
"""What one request asks for. Clients close links over longer requests."""

HASH_BYTES = 20
MAX_TORRENT_BYTES = 8 << 20
"""Four hundred thousand pieces; more than any torrent in use."""

MAX_PIECE_BYTES = 16 << 20
"""A piece is held in memory until its hash is known."""

MAX_ANNOUNCE_CHARACTERS = 2048

MIN_DEFAULT_PIECE_BYTES = 32 * 1024
MAX_DEFAULT_PIECE_BYTES = 4 << 20
PIECES_A_DOUBLING = 100
TYPICAL_CROWD = 32
"""Of whoever makes a torrent and does not know yet who will want it."""


@dataclass(frozen=True, slots=True)
class Torrent:
    """What a torrent says about its content. Made by `Torrent.decode`, `describe` and the like."""

    name: str
    file_bytes: int
    """Size of all files together."""
    piece_bytes: int
    """Size of every piece but the last, which may be shorter."""
    piece_hashes: tuple[bytes, ...] = field(repr=False)
    info_hash: bytes
    announce: str
    """URL of the tracker, or empty."""
    files: tuple[TorrentFile, ...]
    private: bool
    info: bytes = field(repr=False)
    """The bencoded info dictionary, kept whole: the info hash covers keys unknown here too."""

    @property
    def piece_count(self) -> int:
        """How many pieces there are; at least one."""
        return len(self.piece_hashes)

    def piece_size(self, index: int) -> int:
        """Give the size of a piece in bytes."""
        last = len(self.piece_hashes) - 1
        if 0 <= index < last:
            return self.piece_bytes
        if index != last:
            raise IndexError(f"piece must be in 0..{last}, not {index}")
        return self.file_bytes - last * self.piece_bytes

    def blocks_of(self, piece: int) -> tuple[tuple[int, int], ...]:
        """Give (begin, length) of each block of a piece, in order."""
        return _blocks(self.piece_size(piece))

    def verify(self, piece: int, parts: Iterable[bytes | bytearray | memoryview]) -> bool:
        """Say whether these buffers, one after the other, are exactly this piece."""
        digest = sha1(usedforsecurity=False)
        for part in parts:
            digest.update(part)
        return digest.digest() == self.piece_hashes[piece]

    def encode(self) -> bytes:
        """Give the content of a `.torrent` file."""
        metainfo: dict[bytes, Bencoded] = {
            b"info": bencoding.decode(self.info, max_bytes=MAX_TORRENT_BYTES)
        }
        if self.announce:
            metainfo[b"announce"] = self.announce.encode()
        return bencoding.encode(metainfo)

    @staticmethod
    def decode(data: bytes) -> Torrent:
        """Read the content of a `.torrent` file.

        Raises:
          TorrentError: not a torrent, not safe to use, or of a kind that is not supported.
        """
        try:
            metainfo = bencoding.decode(data, max_bytes=MAX_TORRENT_BYTES)
        except BencodingError as error:
            raise TorrentError(str(error)) from None
        if not isinstance(metainfo, dict):
            raise TorrentError("a torrent is a dictionary")
        info = metainfo.get(b"info")
        if not isinstance(info, dict):
            raise TorrentError("info must be a dictionary")
        return torrent_of(info, text(metainfo.get(b"announce", b""), "announce"))


def default_piece_bytes(file_bytes: int, clients: int = TYPICAL_CROWD) -> int:
    """Give the piece length for a file and a crowd: a hundred pieces a doubling, or up to twice that.

    A peer can pass a piece on only when it has all of it, so a piece reaches N peers in log2(N + 1)
    doublings, in which most uplinks have nothing to do yet: with g pieces a doubling that costs some
    0.8/g of the time, whatever F and N (docs/policies.md has the figure). More pieces than that only
    cost: each is announced to every neighbour. Never below 32 KiB, where HAVE messages fill a
    processor, nor above 4 MiB, of which a peer keeps up to 32 in memory.

    Args:
      file_bytes: F.
      clients: N, the largest crowd that is expected.

    Returns:
      A power of two.
    """
    longest = file_bytes / (PIECES_A_DOUBLING * math.log2(clients + 1))
    piece_bytes = MIN_DEFAULT_PIECE_BYTES
    while piece_bytes < MAX_DEFAULT_PIECE_BYTES and 2 * piece_bytes <= longest:
        piece_bytes *= 2
    return piece_bytes


def describe(
    name: str,
    file_bytes: int,
    piece_bytes: int,
    piece_hashes: Iterable[bytes],
    announce: str = "",
    *,
    private: bool = False,
) -> Torrent:
    """Make the torrent of a single file whose piece hashes are known.

    Raises:
      TorrentError: any part is not what `Torrent.decode` would accept.
    """
    return _described({b"length": file_bytes}, name, piece_bytes, piece_hashes, announce, private)


def describe_folder(
    name: str,
    files: Sequence[tuple[tuple[str, ...], int]],
    piece_bytes: int,
    piece_hashes: Iterable[bytes],
    announce: str = "",
    *,
    private: bool = False,
) -> Torrent:
    """Make the torrent of a folder. `files`: where each lies in it, name by name, and its size.

    Raises:
      TorrentError: any part is not what `Torrent.decode` would accept.
    """
    listed: list[Bencoded] = [
        {b"length": file_bytes, b"path": [_raw(part) for part in path]} for path, file_bytes in files
    ]
    return _described({b"files": listed}, name, piece_bytes, piece_hashes, announce, private)


def _described(
    content: dict[bytes, Bencoded],
    name: str,
    piece_bytes: int,
    piece_hashes: Iterable[bytes],
    announce: str,
    private: bool,
) -> Torrent:
    info: dict[bytes, Bencoded] = {
        **content,
        b"name": _raw(name),
        b"piece length": piece_bytes,
        b"pieces": b"".join(piece_hashes),
    }
    if private:
        info[b"private"] = 1
    torrent = torrent_of(info, announce)
    if len(torrent.info) + len(announce) + 64 > MAX_TORRENT_BYTES:
        raise TorrentError(f"{torrent.piece_count} pieces are too many; make them larger")
    return torrent


def _raw(name: str) -> bytes:
    # Surrogates stand for bytes of a file name that are not UTF-8; the check refuses them.
    return name.encode(errors="surrogateescape")


@lru_cache(maxsize=64)  # A torrent has two sizes of pieces.
def _blocks(piece_size: int) -> tuple[tuple[int, int], ...]:
    return tuple(
        (begin, min(BLOCK_BYTES, piece_size - begin)) for begin in range(0, piece_size, BLOCK_BYTES)
    )


def torrent_of(info: dict[bytes, Bencoded], announce: str) -> Torrent:
    """Give the torrent of an info dictionary, from a `.torrent` or from peers (BEP 9).

    Raises:
      TorrentError: not safe to use, or of a kind that is not supported.
    """
    announce = announce.strip()
    if len(announce) > MAX_ANNOUNCE_CHARACTERS:
        raise TorrentError(f"announce is longer than {MAX_ANNOUNCE_CHARACTERS} characters")
    name = plain_name(info.get(b"name"), "name")
    piece_bytes = number(info.get(b"piece length"), "piece length")
    check_piece_bytes(piece_bytes)
    pieces = info.get(b"pieces")
    if pieces is None and b"meta version" in info:
        raise TorrentError("a version 2 torrent without version 1 hashes is not supported")
    if not isinstance(pieces, bytes) or len(pieces) % HASH_BYTES:
        raise TorrentError(f"pieces must be a string of {HASH_BYTES} bytes for each piece")
    files = files_of(info, name)
    file_bytes = sum(file.file_bytes for file in files)
    if not 0 < file_bytes <= MAX_INTEGER:
        raise TorrentError(f"the size of all files must be positive, not {file_bytes}")
    expected = -(-file_bytes // piece_bytes)
    if len(pieces) != expected * HASH_BYTES:
        raise TorrentError(
            f"{file_bytes} bytes in pieces of {piece_bytes} need {expected} hashes, "
            f"not {len(pieces) // HASH_BYTES}"
        )
    encoded = bencoding.encode(info)
    return Torrent(
        name=name,
        file_bytes=file_bytes,
        piece_bytes=piece_bytes,
        piece_hashes=tuple(pieces[at : at + HASH_BYTES] for at in range(0, len(pieces), HASH_BYTES)),
        info_hash=sha1(encoded, usedforsecurity=False).digest(),
        announce=announce,
        files=files,
        private=info.get(b"private") == 1,
        info=encoded,
    )


def check_piece_bytes(piece_bytes: int) -> None:
    """Refuse what no piece may be.

    Raises:
      TorrentError: not positive, or more than fits in memory.
    """
    if not 0 < piece_bytes <= MAX_PIECE_BYTES:
        raise TorrentError(f"piece length must be in 1..{MAX_PIECE_BYTES}, not {piece_bytes}")
