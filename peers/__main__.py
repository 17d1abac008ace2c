"""`python -m peers`: parses arguments and calls one function of `peers.commands`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from peers.limits import NAMES, LimitError, read_limit
from testbed.environment import version
from testbed.units import UnitError, parse_rate, parse_seconds, parse_size

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
EXIT_NOBODY_READS = 141
"""As of a program that SIGPIPE has ended."""

#: Blocks are 16 KiB, and pieces made of whole blocks; 16 MiB is the most that is held in memory.
LEAST_PIECE_BYTES = 16 << 10
MOST_PIECE_BYTES = 16 << 20


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"{self.prog}: {message}\n")


def make_parser() -> argparse.ArgumentParser:
    """Make the command line."""
    parser = _Parser(
        prog="python -m peers",
        description="Passes files on between peers (BitTorrent): the other side of the suite, by hand.",
        epilog="example: python -m peers make FILE --tracker http://127.0.0.1:6969/announce; then "
        "'track' in one terminal, 'seed' in another, and 'get' in as many as you like",
    )
    parser.add_argument("--version", action="version", version=version())
    commands = parser.add_subparsers(
        required=True, metavar="COMMAND", dest="command", parser_class=_Parser
    )
    _add_make(commands)
    _add_show(commands)
    _add_seed(commands)
    _add_get(commands)
    _add_track(commands)
    return parser


_Commands = argparse._SubParsersAction


def _add_make(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "make",
        help="describe a file or folder in a .torrent",
        description="Reads a file, or all files of a folder, and writes a .torrent: their hashes, and "
        "where the tracker is.",
        epilog="example: python -m peers make big.iso --tracker http://127.0.0.1:6969/announce "
        "--output big.torrent",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the file or folder to describe")
    parser.add_argument(
        "--tracker",
        metavar="URL",
        help="http://host:port/announce or udp://host:port (default: none; peers are named by --peer)",
    )
    parser.add_argument(
        "--piece-length",
        metavar="SIZE",
        type=_piece_bytes,
        help="a power of two such as '256 KiB' (default: by the size of the file and of the crowd)",
    )
    parser.add_argument(
        "--crowd",
        metavar="N",
        type=_crowd,
        default=32,
        help="how many are expected to want it at once (default: %(default)s)",
    )
    parser.add_argument(
        "--output", metavar="X.torrent", type=Path, help="where to write (default: FILE.torrent)"
    )
    parser.add_argument(
        "--private", action="store_true", help="peers may be found by the tracker alone (BEP 27)"
    )


def _add_show(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "show",
        help="say what a .torrent holds",
        description="Prints what a .torrent says: its files, their sizes, the info hash, the tracker "
        "and the magnet link.",
        epilog="example: python -m peers show big.torrent --json",
    )
    parser.add_argument("torrent", metavar="X.torrent", type=Path, help="what to look into")
    parser.add_argument("--json", action="store_true", help="as JSON, with sizes in bytes")


def _add_seed(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "seed",
        help="offer files that are whole",
        description="Verifies files against their torrent and passes them on until Ctrl-C or SIGTERM.",
        epilog="example: python -m peers seed big.torrent --data . --uplink '2 MiB/s'",
    )
    parser.add_argument("torrent", metavar="X.torrent", type=Path, help="what to offer")
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        required=True,
        help="the directory that has the file, or the folder",
    )
    _add_lines(parser)


def _add_get(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "get",
        help="download files, and pass on what is there already",
        description="Downloads the files of a torrent and passes on every piece it has. What an "
        "earlier download left is verified and kept. Exit code 0: every hash is right.",
        epilog="example: python -m peers get big.torrent --output downloads --seed-for '10 min'",
    )
    parser.add_argument(
        "torrent", metavar="SOURCE", help="what to download: a .torrent, or a magnet link"
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, required=True, help="the directory to put it in"
    )
    parser.add_argument(
        "--seed-for",
        metavar="TIME",
        type=_seconds,
        default=0.0,
        help="go on passing it on for this long after, in seconds or as '10 min' (default: 0)",
    )
    parser.add_argument(
        "--timeout",
        metavar="TIME",
        type=_seconds,
        default=math.inf,
        help="give up after this long, with exit code 1 (default: never)",
    )
    _add_lines(parser)


def _add_track(commands: _Commands[_Parser]) -> None:
    parser = commands.add_parser(
        "track",
        help="introduce peers to each other",
        description="Runs a tracker until Ctrl-C or SIGTERM. It keeps its list in memory.",
        epilog="example: python -m peers track --host 127.0.0.1 --port 6969",
    )
    _add_address(parser, default_port=6969)
    _add_limits(parser)


def _add_address(parser: argparse.ArgumentParser, default_port: int) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=default_port,
        help="port to listen at; 0 takes a free one (default: %(default)s)",
    )


def _add_lines(parser: argparse.ArgumentParser) -> None:
    _add_address(parser, default_port=0)
    for direction in ("uplink", "downlink"):
        parser.add_argument(
            f"--{direction}",
            metavar="RATE",
            type=_rate,
            default=math.inf,
            help="a rate such as '256 KiB/s' or '10 Mbit/s' (default: unlimited)",
        )
    parser.add_argument(
        "--peer",
        metavar="HOST:PORT",
        action="append",
        type=_peer,
        default=[],
        help="a peer to dial besides those that the tracker knows; may be given again",
    )
    parser.add_argument(
        "--neighbours",
        metavar="N",
        type=_count,
        default=20,
        help="links to keep with other peers (default: %(default)s)",
    )
    _add_limits(parser)
    parser.add_argument("--quiet", action="store_true", help="say only what went wrong")
    parser.add_argument(
        "--json", action="store_true", help="say at the end how it went as JSON, all else on stderr"
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit",
        metavar="NAME=VALUE",
        action="append",
        type=_limit,
        default=[],
        help="what strangers may take of this side, such as half_open=100 or ban=false; may be given "
        f"again: {', '.join(NAMES)}",
    )


def _limit(text: str) -> tuple[str, bool | int | float]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, not {text!r}")
    try:
        return name, read_limit(name, value)
    except LimitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str, most: int = 1000) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= most:
        raise argparse.ArgumentTypeError(f"expected a whole number in 1..{most}, not {text!r}")
    return int(text)


def _crowd(text: str) -> int:
    return _count(text, 10**9)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port in 0..65535, not {text!r}")
    return int(text)


def _peer(text: str) -> tuple[str, int]:
    """Read an address; that of IPv6 stands in brackets."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) <= 65535:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, not {text!r}")
    return host, int(port)


def _piece_bytes(text: str) -> int:
    size = int(_quantity(text, parse_size))
    if not LEAST_PIECE_BYTES <= size <= MOST_PIECE_BYTES or size & (size - 1):
        raise argparse.ArgumentTypeError(f"expected a power of two from 16 KiB to 16 MiB, not {text!r}")
    return size


def _rate(text: str) -> float:
    rate = _quantity(text, parse_rate)
    if not rate:
        raise argparse.ArgumentTypeError(f"expected a rate above zero, not {text!r}")
    return rate


def _seconds(text: str) -> float:
    """Read a time; a bare number is seconds, as every other tool's `--timeout` has it."""
    return _quantity(f"{text} s" if text.replace(".", "", 1).isdigit() else text, parse_seconds)


def _quantity(text: str, parse: Callable[[object], float]) -> float:
    try:
        return parse(text)
    except UnitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main(arguments: list[str] | None = None) -> int:
    """Run a command; gives the exit code."""
    args = make_parser().parse_args(arguments)
    # Only now: `--help` should not wait for trio and all that comes with it.
    from peers import commands, describing
    from peers.bad_input import BadInput
    from peers.telling import hush

    run = {
        "make": describing.make_torrent,
        "show": describing.show,
        "seed": commands.seed,
        "get": commands.get,
        "track": commands.run_tracker,
    }[args.command]
    try:
        return run(args)
    except BadInput as error:
        print(f"python -m peers {args.command}: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        hush(sys.stdout)
        return EXIT_NOBODY_READS


if __name__ == "__main__":
    sys.exit(main())
