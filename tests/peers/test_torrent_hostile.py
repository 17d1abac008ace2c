"""A `.torrent` of a stranger gives a torrent that is safe to use, or an error in words."""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers import bencoding
from peers.torrent import MAX_PIECE_BYTES, MAX_TORRENT_BYTES, Torrent, TorrentError

FOLDER = Path(__file__).parent.parent / "data" / "torrents"

#: What is wrong with each file that is refused. The others are good.
REFUSED = {
    "backslash_path": "plain file name",
    "duplicate_files2": "not bencoded",  # Junk follows the dictionary.
    "empty_path": "plain file name",
    "hidden_parent_path": "plain file name",
    "invalid_directory_name": "plain file name",
    "invalid_filename": "plain file name",
    "invalid_info": "info must be a dictionary",
    "invalid_name2": "plain file name",
    "invalid_path_list": "name in a path must be a string",
    "invalid_pieces": "pieces must be a string",
    "long_name": "name is longer than 255 bytes",
    "missing_path_list": "path of a file must be a list",
    "negative_file_size": "not bencoded",  # Keys are out of order too.
    "negative_size": "length must be a number, zero or more, not -425",
    "no_files": "at least one file",
    "overlapping_symlinks": "symbolic links",
    "pad_file_no_path": "not bencoded",  # Keys are out of order.
    "slash_path": "plain file name",
    "slash_path3": "plain file name",
    "symlink1": "symbolic links",
    "symlink_filtered_path": "plain file name",
    "unaligned_pieces": "20 bytes for each piece",
    "zero2": "size of all files must be positive",
}
ALL = sorted(path.stem for path in FOLDER.glob("*.torrent"))


def read(name: str) -> bytes:
    return (FOLDER / f"{name}.torrent").read_bytes()


def info_with(**changes: object) -> bytes:
    """Give a good torrent with these keys of its info changed; None removes one."""
    info: dict[bytes, object] = {
        b"length": 425,
        b"name": b"temp",
        b"piece length": 16384,
        b"pieces": bytes(20),
    }
    for key, value in changes.items():
        info[key.replace("_", " ").encode()] = value
    kept = {key: value for key, value in info.items() if value is not None}
    return bencoding.encode({b"info": kept})  # type: ignore[dict-item]


def files_with(*paths: list[bytes]) -> bytes:
    files = [{b"length": 5, b"path": path} for path in paths]
    return info_with(length=None, files=files)


def assert_safe(torrent: Torrent) -> None:
    """Everything a host relies on before it writes the first byte."""
    paths = [file.path for file in torrent.files if not file.is_padding]
    assert len(set(paths)) == len(paths)
    for path in paths:
        joined = PurePosixPath("/downloads").joinpath(*path)
        assert joined.is_relative_to("/downloads")
        assert ".." not in joined.parts
        assert len(joined.parts) == 2 + len(path)
    assert torrent.files[-1].offset + torrent.files[-1].file_bytes == torrent.file_bytes
    assert 0 < torrent.piece_bytes <= MAX_PIECE_BYTES
    last = torrent.piece_count - 1
    assert last * torrent.piece_bytes + torrent.piece_size(last) == torrent.file_bytes


def test_the_samples_are_there():
    assert len(ALL) == 37
    assert set(REFUSED) < set(ALL)


@pytest.mark.parametrize("name", sorted(set(ALL) - set(REFUSED)))
def test_a_good_sample_is_usable(name):
    torrent = Torrent.decode(read(name))
    assert_safe(torrent)
    assert Torrent.decode(torrent.encode()) == torrent


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_bad_sample_is_refused_with_its_fault(name):
    with pytest.raises(TorrentError, match=REFUSED[name]):
        Torrent.decode(read(name))


@given(st.sampled_from(ALL), st.data())
def test_a_sample_with_changed_bytes_is_safe_or_refused(name, data):
    changed = bytearray(read(name)[:2000])
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        torrent = Torrent.decode(bytes(changed))
    except TorrentError as error:
        assert str(error)  # noqa: PT017  # Either way out is right, and both are checked.
        return
    assert_safe(torrent)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"le", "a torrent is a dictionary"),
        (b"de", "info must be a dictionary"),
        (b"l" * 100_000, "deep"),
        (bytes(MAX_TORRENT_BYTES + 1), "at most"),
        (info_with(name=None), "name must be a string, not absent"),
        (info_with(name=b"\xff"), "name must be UTF-8"),
        (info_with(name=b"a\0b"), "plain file name"),
        (info_with(name=b"."), "plain file name"),
        (info_with(name=b"\x1b[2Ja"), "without control characters"),
        (info_with(piece_length=0), "piece length"),
        (info_with(piece_length=2**62), "piece length"),
        (info_with(length=2**62), "need .* hashes, not 1"),
        (info_with(length=0), "must be positive"),
        (info_with(pieces=b""), "need 1 hashes, not 0"),
        (info_with(pieces=None), "pieces must be a string"),
        (info_with(pieces=None, meta_version=2), "version 2"),
        (info_with(attr=b"l", symlink_path=[b"..", b"secret"]), "symbolic links"),
        (info_with(files=[]), "not both"),
        (files_with([b"a"], [b"a"]), "two files are named 'temp/a'"),
        (files_with([b"a"], [b"a", b"b"]), "'temp/a' is both a file and a folder"),
        (files_with([b"a", b"b"], [b"a"]), "'temp/a' is both a file and a folder"),
        (files_with([b"d"] * 2000), "path is longer"),
        (files_with([b"..", b"a"]), "plain file name"),
        (files_with([]), "at least one name"),
    ],
)
def test_a_hostile_torrent_is_refused_with_its_fault(data, fault):
    with pytest.raises(TorrentError, match=fault):
        Torrent.decode(data)


def test_padding_takes_room_in_the_pieces_and_needs_no_path():
    files = [
        {b"length": 5, b"path": [b"a"]},
        {b"attr": b"p", b"length": 11},
        {b"length": 3, b"path": [b"b"]},
    ]
    torrent = Torrent.decode(info_with(length=None, piece_length=16, pieces=bytes(40), files=files))
    assert_safe(torrent)
    assert [file.is_padding for file in torrent.files] == [False, True, False]
    assert [file.offset for file in torrent.files] == [0, 5, 16]
    assert torrent.file_bytes == 19


def test_keys_that_are_not_known_here_still_count_in_the_info_hash():
    plain, extended = Torrent.decode(info_with()), Torrent.decode(info_with(source=b"somewhere"))
    assert plain.info_hash != extended.info_hash
    assert Torrent.decode(extended.encode()).info_hash == extended.info_hash


def test_spaces_around_the_announce_url_are_no_part_of_it():
    assert Torrent.decode(read("whitespace_url")).announce == "udp://test.com/announce"
