"""A torrent describes a file exactly, and its pieces can be checked."""

import math
import os
from hashlib import sha1

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.torrent import (
    BLOCK_BYTES,
    Torrent,
    TorrentError,
    default_piece_bytes,
    describe,
)
from peers.torrent_making import make

ANNOUNCE = "http://127.0.0.1:6969/announce"


def torrent_of(content: bytes, piece_bytes: int) -> Torrent:
    hashes = [
        sha1(content[at : at + piece_bytes]).digest() for at in range(0, len(content), piece_bytes)
    ]
    return describe("file.bin", len(content), piece_bytes, hashes, ANNOUNCE)


@given(st.binary(min_size=1, max_size=300), st.integers(1, 64), st.booleans())
def test_a_torrent_survives_its_file(content, piece_bytes, private):
    torrent = describe(
        "file.bin",
        len(content),
        piece_bytes,
        torrent_of(content, piece_bytes).piece_hashes,
        ANNOUNCE,
        private=private,
    )
    assert Torrent.decode(torrent.encode()) == torrent
    assert torrent.private == private
    assert torrent.announce == ANNOUNCE


@given(st.integers(1, 200_000), st.integers(1, 70_000))
def test_pieces_and_blocks_cover_the_file_once(file_bytes, piece_bytes):
    count = -(-file_bytes // piece_bytes)
    torrent = describe("file.bin", file_bytes, piece_bytes, [bytes(20)] * count)
    assert torrent.piece_count == count
    for piece in {0, count - 1}:
        end = 0
        for begin, length in torrent.blocks_of(piece):
            assert begin == end
            assert 0 < length <= BLOCK_BYTES
            end += length
        assert end == torrent.piece_size(piece)
    assert (count - 1) * piece_bytes + torrent.piece_size(count - 1) == file_bytes


@given(st.binary(min_size=1, max_size=100), st.data())
def test_a_piece_is_verified_in_parts(content, data):
    torrent = torrent_of(content, 40)
    piece = data.draw(st.integers(0, torrent.piece_count - 1))
    right = bytearray(content[piece * 40 : piece * 40 + 40])
    cut = data.draw(st.integers(0, len(right)))
    assert torrent.verify(piece, [memoryview(right)[:cut], bytes(right[cut:])])
    assert not torrent.verify(piece, [right[:-1]])
    right[data.draw(st.integers(0, len(right) - 1))] ^= 1
    assert not torrent.verify(piece, [right])


def test_a_piece_that_is_not_there_has_no_size():
    torrent = torrent_of(b"content", 4)
    for piece in (-1, 2):
        with pytest.raises(IndexError):
            torrent.piece_size(piece)


def test_a_file_on_disk_is_described_as_it_is(tmp_path):
    content = bytes(range(256)) * 700
    path = tmp_path / "file.bin"
    path.write_bytes(content)
    assert make(path, 32768, ANNOUNCE) == torrent_of(content, 32768)


def test_a_piece_larger_than_the_reading_buffer_is_hashed_whole(tmp_path):
    content = bytes(3_000_000)
    path = tmp_path / "file.bin"
    path.write_bytes(content)
    assert make(path, 1 << 21, "").piece_hashes == torrent_of(content, 1 << 21).piece_hashes


def test_a_file_smaller_than_a_piece_is_one_piece(tmp_path):
    path = tmp_path / "small.txt"
    path.write_bytes(b"hello")
    torrent = make(path, None, "")
    assert torrent.piece_count == 1
    assert torrent.blocks_of(0) == ((0, 5),)
    assert torrent.verify(0, [b"hello"])


def test_what_cannot_be_described_is_said(tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    (tmp_path / "empty folder").mkdir()
    with pytest.raises(TorrentError, match="must be positive"):
        make(empty, None, "")
    with pytest.raises(TorrentError, match="cannot read"):
        make(tmp_path / "missing", None, "")
    with pytest.raises(TorrentError, match="must be positive"):
        make(tmp_path, None, "")
    with pytest.raises(TorrentError, match="has no files"):
        make(tmp_path / "empty folder", None, "")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TorrentError, match="not a file"):
        make(tmp_path / "pipe", None, "")
    sparse = tmp_path / "sparse"
    sparse.touch()
    os.truncate(sparse, 1 << 40)
    with pytest.raises(TorrentError, match="make them larger"):
        make(sparse, 16384, "")
    empty.write_bytes(b"content")
    with pytest.raises(TorrentError, match="piece length"):
        make(empty, 0, "")


def test_the_info_hash_is_that_of_the_info_dictionary_alone():
    here, there = (
        describe("file.bin", 5, 16384, [bytes(20)], announce) for announce in ("http://a/", "")
    )
    assert here.info_hash == there.info_hash == sha1(here.info).digest()


@pytest.mark.parametrize(
    ("file_bytes", "clients", "piece_bytes"),
    [
        (1, 32, 32 << 10),
        (16 << 20, 32, 32 << 10),
        (16 << 20, 8, 32 << 10),
        (64 << 20, 32, 128 << 10),
        (64 << 20, 1000, 64 << 10),
        (1 << 30, 32, 2 << 20),
        (1 << 40, 32, 4 << 20),
    ],
)
def test_the_default_follows_file_and_crowd_between_its_bounds(file_bytes, clients, piece_bytes):
    assert default_piece_bytes(file_bytes, clients) == piece_bytes


@given(st.integers(1, 1 << 42), st.integers(1, 100_000))
def test_the_default_makes_a_hundred_pieces_a_doubling_and_no_more_than_twice_as_many(
    file_bytes, clients
):
    piece_bytes = default_piece_bytes(file_bytes, clients)
    pieces_a_doubling = file_bytes / piece_bytes / math.log2(clients + 1)
    assert pieces_a_doubling >= 100 or piece_bytes == 32 << 10
    assert pieces_a_doubling < 200 or piece_bytes == 4 << 20
