"""``python -m analysis``: reports, comparisons and bounds."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from analysis import bounds_command, pair_command, report_command
from testbed.environment import version


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments, call one sub-command, and give its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis",
        description="What a run shows, and what theory says.",
    )
    parser.add_argument("--version", action="version", version=version())
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    report_command.register(subparsers)
    pair_command.register(subparsers)
    bounds_command.register(subparsers)
    args = parser.parse_args(arguments)
    return int(args.run(args))


if __name__ == "__main__":
    sys.exit(main())
