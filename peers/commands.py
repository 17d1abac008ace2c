"""What `python -m peers` does: each command checks its input, runs, and gives an exit code."""

from __future__ import annotations

import argparse
import functools
import math
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import trio

from peers.content_check import held_pieces
from peers.core.bitfield import PieceSpace
from peers.host import Ending, Outcome, PeerPlan, Reports, take_part, track
from peers.progress_line import ProgressLine
from peers.torrent import MAX_TORRENT_BYTES, Torrent, TorrentError, make
from peers.tracker_url import TrackerUrl, TrackerUrlError, read_tracker_url
from testbed.node import Address
from testbed.sockets import raise_open_file_limit
from testbed.storage import FileStorage, StorageFault
from testbed.units import format_bytes

EXIT_FAILED = 1
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_TERMINATED = 128 + signal.SIGTERM

OPEN_FILES = 4096


class BadInput(Exception):
    """The user's input is wrong; one line. Exit code 2."""


def make_torrent(args: argparse.Namespace) -> int:
    """Describe a file in a `.torrent`."""
    path: Path = args.file
    output: Path = args.output or path.with_name(f"{path.name}.torrent")
    if output.exists() and path.exists() and output.samefile(path):
        raise BadInput(f"the torrent would replace the file {path}")
    try:
        url = read_tracker_url(args.tracker)
        torrent = make(path, args.piece_length, url.text)
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


def seed(args: argparse.Namespace) -> int:
    """Offer a file that is whole until a signal."""
    torrent, url = _read_torrent(args.torrent)
    path: Path = args.data / torrent.name
    try:
        storage = FileStorage.of(path)
        if storage.size_bytes != torrent.file_bytes:
            raise BadInput(
                f"{path} has {storage.size_bytes} bytes, the torrent {torrent.file_bytes}: not its file"
            )
        held = held_pieces(torrent, path)
    except StorageFault as fault:
        raise BadInput(f"cannot read {fault.reason}") from None
    missing = torrent.piece_count - held.bit_count()
    if missing:
        raise BadInput(f"{path} is not what the torrent describes: {missing} pieces are wrong")

    def listening(address: Address) -> None:
        _say(args, f"seeding {path} at {address[0]}:{address[1]}")

    outcome = _take_part(args, torrent, storage, held, url, listening, math.inf, math.inf)
    _say(args, f"sent {format_bytes(outcome.uploaded_bytes)}")
    _say_violations(args, outcome)
    return EXIT_INTERRUPTED if outcome.ending is Ending.INTERRUPTED else 0


def get(args: argparse.Namespace) -> int:
    """Download what is missing of a file."""
    torrent, url = _read_torrent(args.torrent)
    path: Path = args.output / torrent.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > torrent.file_bytes:
            raise BadInput(f"{path} is there and longer than the torrent's file; it is left as it is")
        held = held_pieces(torrent, path)
        storage = FileStorage.empty(path, torrent.file_bytes)
    except StorageFault as fault:
        raise BadInput(f"cannot use {fault.reason}") from None
    except OSError as error:
        raise BadInput(f"cannot use {path}: {error.strerror}") from None

    def listening(address: Address) -> None:
        kept = f", {held.bit_count()} of {torrent.piece_count} pieces are there" if held else ""
        _say(args, f"getting {path} at {address[0]}:{address[1]}{kept}")

    outcome = _take_part(args, torrent, storage, held, url, listening, args.timeout, args.seed_for)
    _say_violations(args, outcome)
    return _end_of_get(args, torrent, path, outcome)


def _end_of_get(args: argparse.Namespace, torrent: Torrent, path: Path, outcome: Outcome) -> int:
    """Say how it went; what counts as downloaded is what can be read back."""
    if outcome.ending is Ending.INTERRUPTED:
        return EXIT_INTERRUPTED
    if outcome.ending is Ending.TERMINATED and not outcome.complete:
        return EXIT_TERMINATED
    problem = ""
    if outcome.ending is Ending.TIMED_OUT:
        problem = f"not complete after {args.timeout:g} seconds; the pieces that came are kept"
    elif not outcome.complete:
        problem = outcome.reason or "not complete"
    else:
        try:
            if held_pieces(torrent, path) != PieceSpace(torrent.piece_count).all:
                problem = f"{path} was changed by somebody else while it was downloaded"
        except StorageFault as fault:
            problem = f"cannot read {fault.reason}"
    if problem:
        print(f"python -m peers get: {problem}", file=sys.stderr)
        return EXIT_FAILED
    _say(
        args,
        f"{path}: complete and verified, {format_bytes(torrent.file_bytes)}; "
        f"received {format_bytes(outcome.downloaded_bytes)}, "
        f"sent {format_bytes(outcome.uploaded_bytes)}",
    )
    return 0


def run_tracker(args: argparse.Namespace) -> int:
    """Introduce peers to each other until a signal."""
    raise_open_file_limit(OPEN_FILES)

    def listening(address: Address) -> None:
        print(f"tracking at http://{address[0]}:{address[1]}/announce", flush=True)

    try:
        ended_by = trio.run(functools.partial(track, args.host, args.port, listening))
    except OSError as error:
        raise _cannot_listen(args, error) from None
    return EXIT_INTERRUPTED if ended_by is signal.SIGINT else 0


# --- What the commands share ----------------------------------------------------------------


def _read_torrent(path: Path) -> tuple[Torrent, TrackerUrl]:
    """Read a `.torrent` of one file with a tracker that can be spoken to."""
    try:
        with path.open("rb") as file:
            torrent = Torrent.decode(file.read(MAX_TORRENT_BYTES + 1))
        if [file.path for file in torrent.files] != [(torrent.name,)]:
            raise BadInput(f"{path}: multi-file torrents are not supported yet")
        return torrent, read_tracker_url(torrent.announce)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None
    except (TorrentError, TrackerUrlError) as error:
        raise BadInput(f"{path}: {error}") from None


def _take_part(
    args: argparse.Namespace,
    torrent: Torrent,
    storage: FileStorage,
    held: int,
    url: TrackerUrl,
    on_listening: Callable[[Address], None],
    timeout_seconds: float,
    seed_seconds: float,
) -> Outcome:
    try:
        tracker = url.resolve()
    except TrackerUrlError as error:
        raise BadInput(str(error)) from None
    plan = PeerPlan(
        torrent=torrent,
        storage=storage,
        held=held,
        tracker=tracker,
        announce_path=url.path,
        host=args.host,
        port=args.port,
        uplink_bytes_per_second=args.uplink,
        downlink_bytes_per_second=args.downlink,
    )
    raise_open_file_limit(OPEN_FILES)
    line = ProgressLine(quiet=args.quiet)

    def tracker_news(failure: str) -> None:
        line.note(f"tracker {url.text}: {failure}; trying again" if failure else "")

    reports = Reports(on_listening=on_listening, on_status=line.show, on_tracker=tracker_news)
    run = functools.partial(take_part, timeout_seconds=timeout_seconds, seed_seconds=seed_seconds)
    try:
        return trio.run(run, plan, reports)
    except OSError as error:
        raise _cannot_listen(args, error) from None
    finally:
        line.close()
        storage.close()


def _cannot_listen(args: argparse.Namespace, error: OSError) -> BadInput:
    return BadInput(f"cannot listen at {args.host}:{args.port}: {error.strerror}")


def _say(args: argparse.Namespace, text: str) -> None:
    if not getattr(args, "quiet", False):
        print(text, flush=True)


def _say_violations(args: argparse.Namespace, outcome: Outcome) -> None:
    for reason, count in sorted(outcome.violations.items()):
        _say(args, f"ended {count} link{'' if count == 1 else 's'} for: {reason}")
