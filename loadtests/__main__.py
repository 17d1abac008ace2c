"""`python -m loadtests`: parses arguments and calls one function."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from loadtests import run_command
from loadtests.dashboard import command as dashboard_command
from testbed.environment import version
from testbed.errors import ScenarioError, SchemaError


class _OneLineParser(argparse.ArgumentParser):
    """Refuses a wrong option in one line, as a wrong scenario is; argparse adds the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(run_command.EXIT_BAD_INPUT, f"{message.removeprefix('argument ')}\n")


def make_parser() -> argparse.ArgumentParser:
    """Make the command line."""
    parser: argparse.ArgumentParser = _OneLineParser(
        prog="python -m loadtests",
        description="Measures from how many clients on a swarm beats a server.",
        epilog="example: python -m loadtests run scenarios/flash_crowd.toml",
    )
    parser.add_argument("--version", action="version", version=version())
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    run_command.register(subparsers)
    dashboard_command.register(subparsers)
    return parser


def main() -> int:
    """Run a command; gives the exit code."""
    args = make_parser().parse_args()
    try:
        exit_code: int = args.run(args)
    except (ScenarioError, SchemaError) as error:
        print(error, file=sys.stderr)
        return run_command.EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted; nothing was measured", file=sys.stderr)
        return run_command.EXIT_INTERRUPTED
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
