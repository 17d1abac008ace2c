"""Files on disk as one run of bytes: whole, inside their folder, and never a wrong byte."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers import content_store, resume
from peers.content_check import held_pieces
from peers.content_store import ContentStore, create_content, open_content
from peers.core.bitfield import PieceSpace
from peers.torrent import Torrent, describe, describe_folder
from testbed.node import FileSlice, Payload
from testbed.storage import StorageFault

PIECE_BYTES = 64


def folder_torrent(content: bytes, sizes: Sequence[int]) -> Torrent:
    """A torrent of files of these sizes, named by number, every third in a folder of its own."""
    paths = [(f"{n}",) if n % 3 else ("inner", f"{n}") for n in range(len(sizes))]
    return describe_folder("all", list(zip(paths, sizes, strict=True)), PIECE_BYTES, hashes_of(content))


def hashes_of(content: bytes) -> list[bytes]:
    return [sha1(content[at : at + PIECE_BYTES]).digest() for at in range(0, len(content), PIECE_BYTES)]


def read_all(payload: Payload) -> bytes:
    if isinstance(payload, FileSlice):
        return os.pread(payload.file, payload.nbytes, payload.offset)
    return bytes(payload)


def whole(torrent: Torrent) -> int:
    return PieceSpace(torrent.piece_count).all


def filled(torrent: Torrent, folder: Path, content: bytes) -> ContentStore:
    """A download that has come to its end."""
    store = create_content(torrent, folder)
    for piece in range(torrent.piece_count):
        start = piece * PIECE_BYTES
        half = content[start : start + 32], content[start + 32 : start + PIECE_BYTES]
        store.write(start, half)
    return store


@given(
    sizes=st.lists(st.integers(0, 150), min_size=1, max_size=8).filter(any),
    where=st.tuples(st.integers(0, 1000), st.integers(1, 200)),
    open_files=st.integers(1, 3),
)
def test_any_slice_of_any_files_reads_as_it_was_written(sizes, where, open_files):
    content = Random(1).randbytes(sum(sizes))
    torrent = folder_torrent(content, sizes)
    begin = where[0] % len(content)
    end = min(begin + where[1], len(content))
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(content_store, "MAX_OPEN_FILES", open_files)
        store = filled(torrent, Path(name), content)
        assert read_all(store.read(begin, end - begin)) == content[begin:end]
        store.close()
        assert held_pieces(torrent, Path(name)) == whole(torrent)
        for file in torrent.files:
            there = Path(name, *file.path).read_bytes()
            assert there == content[file.offset : file.offset + file.file_bytes]
        open_content(torrent, Path(name)).close()


def test_padding_is_neither_stored_nor_missed(tmp_path):
    content = b"a" * 40 + bytes(24) + b"b" * 70
    files = [
        {b"length": 40, b"path": [b"a"]},
        {b"length": 24, b"path": [b".pad", b"24"], b"attr": b"p"},
        {b"length": 70, b"path": [b"b"]},
    ]
    info = {b"files": files, b"name": b"all", b"piece length": PIECE_BYTES}
    info[b"pieces"] = b"".join(hashes_of(content))
    torrent = content_store_torrent(info)
    store = filled(torrent, tmp_path, content)
    assert read_all(store.read(0, len(content))) == content
    store.close()
    assert held_pieces(torrent, tmp_path) == whole(torrent)
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["a", "b"]


def content_store_torrent(info: dict) -> Torrent:
    from peers.torrent import torrent_of

    return torrent_of(info, "")


def test_new_files_are_sparse_and_of_full_size(tmp_path):
    torrent = describe("big", 1 << 30, 1 << 24, [bytes(20)] * 64)
    create_content(torrent, tmp_path).close()
    status = (tmp_path / "big").stat()
    assert status.st_size == 1 << 30
    assert status.st_blocks * 512 < 1 << 20


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    content = bytes(200)
    torrent = folder_torrent(content, [100, 100])
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("all", "all/inner"):
        inside = tmp_path / name.replace("/", " ")
        (inside / name).parent.mkdir(parents=True)
        (inside / name).symlink_to(outside)
        with pytest.raises(StorageFault, match="leads out of"):
            create_content(torrent, inside)
    inside = tmp_path / "last"
    (inside / "all" / "inner").mkdir(parents=True)
    (inside / "all" / "1").symlink_to(outside / "file")
    with pytest.raises(StorageFault, match="leads out of"):
        create_content(torrent, inside)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("sizes", [[200], [100, 100]])
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: os.truncate(path, 10), "changed by somebody else"),
        (lambda path: path.write_bytes(bytes(300)), "changed by somebody else"),
        (lambda path: path.unlink(), "deleted"),
    ],
)
def test_a_file_that_somebody_else_changed_is_read_and_written_no_more(tmp_path, sizes, harm, said):
    content = Random(1).randbytes(200)
    torrent = folder_torrent(content, sizes)
    store = filled(torrent, tmp_path, content)
    read_all(store.read(0, 64))
    path = Path(tmp_path, *torrent.files[0].path)
    os.utime(path, ns=(1, 1))  # The clock of changes has a grain; the test does not wait for it.
    store.stamps[0] = content_store.stamp_of(path.stat())
    harm(path)
    with pytest.raises(StorageFault, match=said):
        store.read(0, 64)
    with pytest.raises(StorageFault, match=said):
        store.write(0, [content[:64]])
    store.close()


def test_files_of_another_size_are_not_offered(tmp_path):
    content = Random(1).randbytes(200)
    torrent = folder_torrent(content, [100, 100])
    with pytest.raises(StorageFault, match="No such file"):
        open_content(torrent, tmp_path)
    filled(torrent, tmp_path, content).close()
    os.truncate(tmp_path / "all" / "1", 99)
    with pytest.raises(StorageFault, match="99 bytes, the torrent 100"):
        open_content(torrent, tmp_path)


# --- Resume ---------------------------------------------------------------------------------


def recorded(folder: Path, sizes: Sequence[int]) -> tuple[Torrent, bytes]:
    """A complete download with its record."""
    content = Random(1).randbytes(sum(sizes))
    torrent = folder_torrent(content, sizes)
    store = filled(torrent, folder, content)
    store.flush()
    resume.save(torrent, folder, whole(torrent), store.stamps)
    store.close()
    return torrent, content


def test_what_is_recorded_and_unchanged_is_not_read_again(tmp_path, monkeypatch):
    torrent, _ = recorded(tmp_path, [100, 100, 100])
    monkeypatch.setattr("peers.content_check._Reader.digest", lambda *_: pytest.fail("it was read"))
    assert held_pieces(torrent, tmp_path, *resume.load(torrent, tmp_path)) == whole(torrent)


def test_a_file_that_changed_since_is_hashed_and_its_neighbours_are_not(tmp_path):
    torrent, _ = recorded(tmp_path, [128, 128])
    path = tmp_path / "all" / "1"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    os.utime(path, ns=(1, 1))
    held = held_pieces(torrent, tmp_path, *resume.load(torrent, tmp_path))
    assert PieceSpace(4).indices(held) == [0, 1, 2]


def test_a_piece_that_was_missing_stays_missing(tmp_path):
    torrent, _ = recorded(tmp_path, [128, 128])
    stamps, _ = resume.load(torrent, tmp_path)
    resume.save(torrent, tmp_path, PieceSpace(4).bits[1], [stamps[0], stamps[1]])
    assert held_pieces(torrent, tmp_path, *resume.load(torrent, tmp_path)) == PieceSpace(4).bits[1]


@given(noise=st.binary(max_size=40) | st.sampled_from([b"de", b"d5:files0:e", b"d5:filesle4:held1:xe"]))
def test_a_damaged_record_is_as_good_as_none(noise):
    torrent = folder_torrent(bytes(200), [100, 100])
    with TemporaryDirectory() as name:
        resume.record_path(torrent, Path(name)).write_bytes(noise)
        assert resume.load(torrent, Path(name)) == ({}, 0)


def test_a_record_that_is_forgotten_is_gone(tmp_path):
    torrent, _ = recorded(tmp_path, [100, 100])
    resume.forget(torrent, tmp_path)
    resume.forget(torrent, tmp_path)
    assert resume.load(torrent, tmp_path) == ({}, 0)
