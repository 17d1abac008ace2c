"""`python -m servers`: parses arguments and calls one function."""

from __future__ import annotations

import argparse
import functools
import logging
import math
import signal
import sys
from pathlib import Path
from typing import NoReturn

import trio

from servers.host import serve
from testbed.environment import version
from testbed.units import UnitError, parse_rate

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"{self.prog}: {message}\n")


def make_parser() -> argparse.ArgumentParser:
    """Make the command line."""
    parser = _Parser(
        prog="python -m servers",
        description="Serves files over HTTP/1.1: the client-server side of the suite, by hand.",
        epilog="example: python -m servers serve . --port 8080 --uplink '8 MiB/s'",
    )
    parser.add_argument("--version", action="version", version=version())
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    serve_parser = commands.add_parser(
        "serve",
        help="serve a directory until Ctrl-C",
        description=(
            "Serves the regular files below a directory, with listings, ranges and validators, until "
            "Ctrl-C or SIGTERM: then responses under way are finished, for ten seconds at most; a "
            "second signal ends them at once. Links in the directory are not followed."
        ),
        epilog="example: python -m servers serve . --port 8080 --uplink '8 MiB/s'",
    )
    serve_parser.add_argument("directory", metavar="DIR", type=_directory, help="what to serve")
    serve_parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: %(default)s)"
    )
    serve_parser.add_argument(
        "--port",
        type=_port,
        default=8080,
        help="port to listen at; 0 takes a free one (default: %(default)s)",
    )
    serve_parser.add_argument(
        "--uplink",
        metavar="RATE",
        type=_rate,
        default=math.inf,
        help="rate shared by all connections, such as '8 MiB/s' or '100 Mbit/s' (default: unlimited)",
    )
    serve_parser.add_argument("--quiet", action="store_true", help="log no requests")
    serve_parser.set_defaults(run=_serve)
    return parser


def _directory(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"expected a directory, {text!r} is none")
    return path


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port in 0..65535, not {text!r}")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = parse_rate(text)
    except UnitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not rate:
        raise argparse.ArgumentTypeError(f"expected a rate above zero, not {text!r}")
    return rate


def _serve(args: argparse.Namespace) -> int:
    logging.basicConfig(
        level=logging.WARNING if args.quiet else logging.INFO,
        format="%(asctime)s %(message)s",
        stream=sys.stderr,
    )

    def announce(url: str) -> None:
        print(f"serving {args.directory} at {url}", flush=True)

    run = functools.partial(serve, args.directory, args.host, args.port, args.uplink, announce)
    try:
        ended_by = trio.run(run)
    except OSError as error:
        # Only an error of the directory names a file; the other is of the address.
        what = error.filename or f"cannot listen at {args.host}:{args.port}"
        print(f"python -m servers: {what}: {error.strerror}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_INTERRUPTED if ended_by is signal.SIGINT else 0


def main(arguments: list[str] | None = None) -> int:
    """Run a command; gives the exit code."""
    args = make_parser().parse_args(arguments)
    exit_code: int = args.run(args)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
