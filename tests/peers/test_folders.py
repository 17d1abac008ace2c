"""Folders: described, shown, seeded and downloaded like single files."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from peers.__main__ import main
from peers.torrent import Torrent, TorrentError
from peers.torrent_making import make
from tests.peers.test_command import SECONDS, end, first_line, process, refused, run

FILES = {"b.bin": 70_001, "a/deep/c.bin": 100_000, "a/empty": 0, ".hidden": 5}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder `album` of four files."""
    rng = Random(3)
    for name, size in FILES.items():
        path = tmp_path / "album" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(size))
    return tmp_path


def test_a_folder_is_described_in_the_order_of_paths(folder):
    torrent = make(folder / "album", 16384, "")
    listed = [("/".join(file.path), file.file_bytes) for file in torrent.files]
    assert listed == [
        ("album/.hidden", 5),
        ("album/a/deep/c.bin", 100_000),
        ("album/a/empty", 0),
        ("album/b.bin", 70_001),
    ]
    assert Torrent.decode(torrent.encode()) == torrent


def test_a_folder_is_named_by_where_it_is_not_by_how_it_was_called(folder, monkeypatch):
    monkeypatch.chdir(folder / "album")
    assert make(Path(), 16384, "").name == "album"


def test_what_is_no_file_in_a_folder_is_named(folder):
    (folder / "album" / "dangling").symlink_to(folder / "nowhere")
    with pytest.raises(TorrentError, match=r"cannot read .*dangling"):
        make(folder / "album", 16384, "")


def test_show_says_what_a_torrent_holds(folder, capsys):
    output = folder / "x.torrent"
    made = ["make", str(folder / "album"), "--tracker", "http://host/announce", "--private"]
    assert main([*made, "--output", str(output)]) == 0
    capsys.readouterr()
    assert main(["show", str(output)]) == 0
    said = capsys.readouterr().out
    for part in (
        "album/a/deep/c.bin",
        "97.7 KiB",
        "http://host:80/announce",
        "private   yes",
        "magnet:?xt=",
    ):
        assert part in said
    assert main(["show", str(output), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    torrent = Torrent.decode(output.read_bytes())
    assert facts["info_hash"] == torrent.info_hash.hex()
    assert facts["size_bytes"] == sum(FILES.values())
    assert {file["path"]: file["size_bytes"] for file in facts["files"]} == {
        f"album/{name}": size for name, size in FILES.items()
    }


def test_show_refuses_what_is_no_torrent_in_one_line(folder, capsys):
    assert "not bencoded" in refused(capsys, "show", folder / "album" / "b.bin")


@pytest.mark.sockets
def test_a_folder_goes_from_seed_to_get_and_a_broken_part_is_mended(folder):
    out = folder / "out" / "album"
    with process("track", "--port", 0) as tracker:
        host, port = first_line(tracker)
        torrent = make(folder / "album", 16384, f"http://{host}:{port}/announce")
        (folder / "x.torrent").write_bytes(torrent.encode())
        with process("seed", folder / "x.torrent", "--data", folder) as seed:
            first_line(seed)
            get = ("get", folder / "x.torrent", "--output", folder / "out", "--timeout", SECONDS)
            got = run(*get)
            assert got.returncode == 0, got.stderr
            assert "received 166 KiB" in got.stdout
            damaged = bytearray((out / "a" / "deep" / "c.bin").read_bytes())
            damaged[50_000] ^= 1
            (out / "a" / "deep" / "c.bin").write_bytes(damaged)
            (out / "a" / "empty").unlink()
            got = run(*get)
            assert got.returncode == 0, got.stderr
            assert "10 of 11 pieces are there" in got.stdout
            assert "received 16 KiB" in got.stdout
            end(seed, 15)
    for name in FILES:
        assert (out / name).read_bytes() == (folder / "album" / name).read_bytes()
    assert not list((folder / "out").glob(".*.resume"))


@pytest.mark.sockets
def test_a_seed_whose_file_is_changed_sends_none_of_it_and_ends_with_the_reason(folder):
    with process("track", "--port", 0) as tracker:
        host, port = first_line(tracker)
        torrent = make(folder / "album", 16384, f"http://{host}:{port}/announce")
        (folder / "x.torrent").write_bytes(torrent.encode())
        with process("seed", folder / "x.torrent", "--data", folder) as seed:
            first_line(seed)
            path = folder / "album" / "a" / "deep" / "c.bin"
            path.write_bytes(bytes(len(path.read_bytes())))
            with process("get", folder / "x.torrent", "--output", folder / "out") as get:
                first_line(get)
                _, said = seed.communicate(timeout=SECONDS)
                get.terminate()
                get.communicate(timeout=SECONDS)
        assert seed.returncode == 1
        assert "c.bin was changed by somebody else" in said
