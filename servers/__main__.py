"""`python -m servers`: parses arguments and calls one function."""

from __future__ import annotations

import argparse
import functools
import signal
import sys
from typing import NoReturn

import trio

from servers.host import serve
from servers.options import add_serve_options, settings_of
from servers.workers import serve_with_workers
from testbed.environment import version

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
            "Serves the regular files below a directory, with listings, ranges, validators and "
            "digests, until Ctrl-C or SIGTERM: then what is under way is finished, for ten seconds at "
            "most; a second signal ends it at once. Links in the directory are not followed. Every "
            "transaction is a line of JSON on standard error."
        ),
        epilog="example: python -m servers serve . --port 8080 --uplink '8 MiB/s'",
    )
    add_serve_options(serve_parser)
    serve_parser.set_defaults(run=_serve)
    return parser


def _serve(args: argparse.Namespace) -> int:
    try:
        settings = settings_of(args)
    except ValueError as error:
        print(f"python -m servers serve: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT

    def announce(url: str) -> None:
        print(f"serving {args.directory} at {url}", flush=True)

    run = functools.partial(serve, settings, announce)
    ended_by: int | signal.Signals
    try:
        if args.workers > 1:
            ended_by = serve_with_workers(settings, args.workers, announce)
        else:
            ended_by = trio.run(run)
    except OSError as error:
        # Only an error of the directory names a file; the other is of the address.
        what = error.filename or f"cannot listen at {args.host}:{args.port}"
        print(f"python -m servers: {what}: {error.strerror}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    if not isinstance(ended_by, signal.Signals):
        return ended_by
    return EXIT_INTERRUPTED if ended_by is signal.SIGINT else 0


def main(arguments: list[str] | None = None) -> int:
    """Run a command; gives the exit code."""
    args = make_parser().parse_args(arguments)
    exit_code: int = args.run(args)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
