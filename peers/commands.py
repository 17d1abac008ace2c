"""What `python -m peers seed`, `get` and `track` do: check the input, run, and give an exit code."""

from __future__ import annotations

import argparse
import contextlib
import functools
import math
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from peers import resume
from peers.bad_input import BadInput
from peers.content_check import held_pieces
from peers.content_store import ContentStore, create_content, open_content
from peers.core.bitfield import PieceSpace
from peers.describing import read_torrent
from peers.host import take_part
from peers.limits import Limits, limits_of
from peers.magnet import PREFIX, Magnet, MagnetError, read_magnet
from peers.magnet_host import find_torrent
from peers.plan import Ending, Found, MagnetPlan, Outcome, PeerPlan, Reports, SwarmPlan
from peers.progress_line import ProgressLine
from peers.telling import failed, say, say_counts, say_end, shown
from peers.torrent import Torrent
from peers.tracker_host import track
from peers.tracker_url import TrackerUrl, TrackerUrlError, read_tracker_url
from testbed.node import Address
from testbed.sockets import raise_open_file_limit
from testbed.storage import StorageFault
from testbed.units import format_bytes

EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_TERMINATED = 128 + signal.SIGTERM

#: Descriptors beside those of strangers: content, neighbours that were dialled, what Python has open.
SPARE_FILES = 512


def seed(args: argparse.Namespace) -> int:
    """Offer files that are whole until a signal."""
    torrent = read_torrent(args.torrent)
    swarm = _swarm(args, [torrent.announce], ())
    try:
        storage = open_content(torrent, args.data)
        held = held_pieces(torrent, args.data)
    except StorageFault as fault:
        raise BadInput(f"cannot use {fault.reason}") from None
    path = args.data / torrent.name
    missing = torrent.piece_count - held.bit_count()
    if missing:
        raise BadInput(f"{path} is not what the torrent describes: {missing} pieces are wrong")

    def listening(address: Address) -> None:
        say(args, f"seeding {path} at {shown(address)}")

    with contextlib.closing(storage):
        plan = PeerPlan(swarm=swarm.plan, torrent=torrent, storage=storage, held=held)
        outcome = _take_part(args, swarm, plan, listening, math.inf, math.inf)
    say(args, f"sent {format_bytes(outcome.uploaded_bytes)}")
    say_counts(args, outcome.violations, outcome.limits_hit)
    code = EXIT_INTERRUPTED if outcome.ending is Ending.INTERRUPTED else 0
    if outcome.ending is Ending.FAILED:
        code = failed("seed", outcome.reason)
    return say_end(args, torrent, outcome, code)


def get(args: argparse.Namespace) -> int:
    """Download what is missing of a torrent's files."""
    folder: Path = args.output
    source: str = args.torrent
    if source.startswith(PREFIX):
        swarm, found = _find(args, _read_magnet(source))
        if found.torrent is None:
            return say_end(args, None, found, _end_without_torrent(args, found))
        torrent = found.torrent
        # The swarm knows that address by now.
        swarm = swarm.at(found.address)
    else:
        torrent = read_torrent(Path(source))
        swarm = _swarm(args, [torrent.announce], ())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = held_pieces(torrent, folder, *resume.load(torrent, folder))
        storage = create_content(torrent, folder)
    except StorageFault as fault:
        raise BadInput(f"cannot use {fault.reason}") from None
    except OSError as error:
        raise BadInput(f"cannot use {folder}: {error.strerror}") from None

    def listening(address: Address) -> None:
        kept = f", {held.bit_count()} of {torrent.piece_count} pieces are there" if held else ""
        say(args, f"getting {folder / torrent.name} at {shown(address)}{kept}")

    with contextlib.closing(storage):
        plan = PeerPlan(swarm=swarm.plan, torrent=torrent, storage=storage, held=held)
        outcome = _take_part(args, swarm, plan, listening, args.timeout, args.seed_for)
        if not outcome.complete:
            _keep_record(torrent, folder, storage, outcome.held)
    say_counts(args, outcome.violations, outcome.limits_hit)
    return say_end(args, torrent, outcome, _end_of_get(args, torrent, outcome))


def _end_of_get(args: argparse.Namespace, torrent: Torrent, outcome: Outcome) -> int:
    """Say how it went; what counts as downloaded is what can be read back."""
    folder: Path = args.output
    path = folder / torrent.name
    if outcome.ending is Ending.INTERRUPTED:
        return EXIT_INTERRUPTED
    if outcome.ending is Ending.TERMINATED and not outcome.complete:
        return EXIT_TERMINATED
    if outcome.ending is Ending.TIMED_OUT:
        return failed("get", f"{_not_after(args)}; the pieces that came are kept")
    if not outcome.complete:
        return failed("get", outcome.reason or "not complete")
    try:
        if held_pieces(torrent, folder) != PieceSpace(torrent.piece_count).all:
            return failed("get", f"{path} was changed by somebody else while it was downloaded")
    except StorageFault as fault:
        return failed("get", f"cannot read {fault.reason}")
    resume.forget(torrent, folder)
    say(
        args,
        f"{path}: complete and verified, {format_bytes(torrent.file_bytes)}; "
        f"received {format_bytes(outcome.downloaded_bytes)}, "
        f"sent {format_bytes(outcome.uploaded_bytes)}",
    )
    return 0


def _keep_record(torrent: Torrent, folder: Path, storage: ContentStore, held: int) -> None:
    """Spare the next `get` the hashing; without a record it hashes, so a fault here is none."""
    with contextlib.suppress(StorageFault):
        storage.flush()
        resume.save(torrent, folder, held, storage.stamps)


def _end_without_torrent(args: argparse.Namespace, found: Found) -> int:
    if found.ending is Ending.INTERRUPTED:
        return EXIT_INTERRUPTED
    if found.ending is Ending.TERMINATED:
        return EXIT_TERMINATED
    if found.ending is Ending.TIMED_OUT:
        return failed("get", f"{_not_after(args)}: nobody had the torrent of this link")
    return failed("get", f"the link is to a torrent of no use: {found.reason}")


def run_tracker(args: argparse.Namespace) -> int:
    """Introduce peers to each other until a signal."""
    limits = _limits(args)

    def listening(address: Address) -> None:
        place = shown(address)
        print(f"tracking at http://{place}/announce and udp://{place}", flush=True)

    try:
        tracked = trio.run(functools.partial(track, args.host, args.port, limits, listening))
    except OSError as error:
        raise _cannot_listen(args, error) from None
    say(args, f"answered {tracked.answered} requests over HTTP")
    say_counts(args, tracked.violations, {})
    return EXIT_INTERRUPTED if tracked.ended_by is signal.SIGINT else 0


# --- What the commands share ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Swarm:
    """Where others are to be found, and over which lines."""

    plan: SwarmPlan
    url: TrackerUrl | None

    def at(self, address: Address) -> _Swarm:
        """Give the same at an address."""
        return _Swarm(replace(self.plan, host=address[0], port=address[1]), self.url)


def _swarm(args: argparse.Namespace, trackers: Sequence[str], peers: tuple[Address, ...]) -> _Swarm:
    """Take the first tracker that can be spoken to; with peers to dial, none is needed."""
    peers = (*args.peer, *peers)
    url = place = None
    reason = "it names no tracker; give an address with --peer"
    for text in filter(None, trackers):
        try:
            url = read_tracker_url(text)
            place = url.resolve()
            break
        except TrackerUrlError as error:
            url, reason = None, str(error)
    if place is None and not peers and args.command == "get":
        raise BadInput(f"{args.torrent}: {reason}")
    plan = SwarmPlan(
        tracker=place,
        peers=peers,
        host=args.host,
        port=args.port,
        uplink_bytes_per_second=args.uplink,
        downlink_bytes_per_second=args.downlink,
        neighbours=args.neighbours,
        limits=_limits(args),
    )
    return _Swarm(plan, url)


def _read_magnet(text: str) -> Magnet:
    try:
        return read_magnet(text)
    except MagnetError as error:
        raise BadInput(str(error)) from None


def _find(args: argparse.Namespace, magnet: Magnet) -> tuple[_Swarm, Found]:
    """Ask peers for the torrent of a link."""
    swarm = _swarm(args, magnet.trackers, magnet.peers)

    def listening(address: Address) -> None:
        name = f" of {magnet.name!r}" if magnet.name else ""
        say(args, f"asking for the torrent{name} at {shown(address)}")

    plan = MagnetPlan(swarm=swarm.plan, magnet=magnet)
    with _reporting(args, swarm, listening) as reports:
        return swarm, trio.run(
            functools.partial(find_torrent, plan, reports, timeout_seconds=args.timeout)
        )


def _take_part(
    args: argparse.Namespace,
    swarm: _Swarm,
    plan: PeerPlan,
    on_listening: Callable[[Address], None],
    timeout_seconds: float,
    seed_seconds: float,
) -> Outcome:
    run = functools.partial(take_part, timeout_seconds=timeout_seconds, seed_seconds=seed_seconds)
    with _reporting(args, swarm, on_listening) as reports:
        return trio.run(run, plan, reports)


@contextlib.contextmanager
def _reporting(
    args: argparse.Namespace, swarm: _Swarm, on_listening: Callable[[Address], None]
) -> Iterator[Reports]:
    """Show progress for as long as the block, and say what the address is not good for."""
    line = ProgressLine(quiet=args.quiet)

    def tracker_news(failure: str) -> None:
        name = "" if swarm.url is None else swarm.url.text
        line.note(f"tracker {name}: {failure}; trying again" if failure else "")

    try:
        yield Reports(on_listening=on_listening, on_status=line.show, on_tracker=tracker_news)
    except OSError as error:
        raise _cannot_listen(args, error) from None
    finally:
        line.close()


def _not_after(args: argparse.Namespace) -> str:
    return f"not complete after {args.timeout:g} seconds"


def _cannot_listen(args: argparse.Namespace, error: OSError) -> BadInput:
    return BadInput(f"cannot listen at {shown((args.host, args.port))}: {error.strerror}")


def _limits(args: argparse.Namespace) -> Limits:
    """Give the limits that were asked for; no more connections than the system has descriptors for."""
    limits = limits_of(dict(args.limit))
    wanted = limits.connections + SPARE_FILES
    missing = wanted - raise_open_file_limit(wanted)
    if missing <= 0:
        return limits
    return replace(limits, connections=max(1, limits.connections - missing))
