"""What `python -m peers make` and `show` do: write a `.torrent`, and say what one holds."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from peers.bad_input import BadInput
from peers.magnet import magnet_of
from peers.torrent import MAX_TORRENT_BYTES, Torrent, TorrentError
from peers.torrent_making import make
from peers.tracker_url import TrackerUrlError, read_tracker_url
from testbed.units import format_bytes


def make_torrent(args: argparse.Namespace) -> int:
    """Describe a file or a folder in a `.torrent`."""
    path: Path = args.file
    output: Path = args.output or path.with_name(f"{path.resolve().name}.torrent")
    if output.exists() and path.exists() and output.samefile(path):
        raise BadInput(f"the torrent would replace the file {path}")
    try:
        announce = "" if args.tracker is None else read_tracker_url(args.tracker).text
        torrent = make(path, args.piece_length, announce, crowd=args.crowd, private=args.private)
        output.write_bytes(torrent.encode())
    except (TorrentError, TrackerUrlError) as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"cannot write {output}: {error.strerror}") from None
    print(
        f"{output}: {torrent.piece_count} pieces of {format_bytes(torrent.piece_bytes)}, "
        f"info hash {torrent.info_hash.hex()}"
    )
    return 0


def read_torrent(path: Path) -> Torrent:
    """Read a `.torrent`.

    Raises:
      BadInput: it cannot be read, or is of no use.
    """
    if "://" in str(path) or ":/" in str(path):  # A path has lost one of the slashes by now.
        raise BadInput(f"{path}: expected a .torrent on this machine, or for `get` a magnet link")
    try:
        with path.open("rb") as file:
            return Torrent.decode(file.read(MAX_TORRENT_BYTES + 1))
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None
    except TorrentError as error:
        raise BadInput(f"{path}: {error}") from None


def show(args: argparse.Namespace) -> int:
    """Say what a `.torrent` holds."""
    torrent = read_torrent(args.torrent)
    facts = facts_of(torrent)
    if args.json:
        print(json.dumps(facts, indent=2))
        return 0
    facts["size"] = format_bytes(torrent.file_bytes)
    facts["pieces"] = f"{torrent.piece_count} of {format_bytes(torrent.piece_bytes)}"
    facts["private"] = "yes, peers come from the tracker alone" if torrent.private else "no"
    facts["tracker"] = torrent.announce or "none"
    for name in ("name", "info_hash", "size", "pieces", "private", "tracker", "magnet"):
        print(f"{name.replace('_', ' '):10}{facts[name]}")
    print("files")
    for file in torrent.files:
        if not file.is_padding:
            print(f"{format_bytes(file.file_bytes):>12}  {'/'.join(file.path)}")
    return 0


def facts_of(torrent: Torrent) -> dict[str, object]:
    """Give what a torrent says, for people and for scripts; sizes in bytes."""
    return {
        "name": torrent.name,
        "info_hash": torrent.info_hash.hex(),
        "size_bytes": torrent.file_bytes,
        "piece_bytes": torrent.piece_bytes,
        "piece_count": torrent.piece_count,
        "private": torrent.private,
        "tracker": torrent.announce,
        "magnet": magnet_of(torrent).text,
        "files": [
            {"path": "/".join(file.path), "size_bytes": file.file_bytes}
            for file in torrent.files
            if not file.is_padding
        ],
    }
