"""A file that is worth sharing, and peers that are closed when the test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from peers.torrent import Torrent
from peers.torrent_making import make
from tests.interop.torrenter import Torrenter

CONTENT_BYTES = 2_000_003
"""Neither pieces nor blocks come out even."""


@dataclass(frozen=True)
class Shared:
    """A file, and a folder for everything else."""

    folder: Path
    content: bytes

    @property
    def source(self) -> Path:
        """The folder that has the whole file."""
        return self.folder / "source"

    def torrent(self, tracker: str) -> Path:
        """Write the file's torrent, with this tracker."""
        path = self.folder / "x.torrent"
        path.write_bytes(make(self.source / "file.bin", 65536, tracker).encode())
        return path

    @property
    def info_hash(self) -> bytes:
        """What the torrent is known by."""
        return make(self.source / "file.bin", 65536, "").info_hash

    def place(self, name: str) -> Path:
        """A folder to download to."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path

    def came_whole(self, name: str) -> bool:
        """Whether the download in this place is right, byte for byte."""
        return (self.folder / name / "file.bin").read_bytes() == self.content


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    """A file of random bytes."""
    content = Random(11).randbytes(CONTENT_BYTES)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file.bin").write_bytes(content)
    assert Torrent.decode(make(tmp_path / "source" / "file.bin", 65536, "").encode()).piece_count == 31
    return Shared(tmp_path, content)


@pytest.fixture
def torrenter() -> Iterator[Callable[..., Torrenter]]:
    """Start libtorrent peers: `torrenter(host, torrent, folder, **settings)`."""
    started: list[Torrenter] = []

    def start(host: str, torrent: Path | str, folder: Path, **settings: Any) -> Torrenter:
        started.append(Torrenter(host, torrent, folder, **settings))
        return started[-1]

    yield start
    for peer in started:
        peer.close()
