"""The sub-command ``python -m analysis compare``: is a new run faster or slower than a base?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.run_pair import RunPair

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DEFAULT_OUTPUT = Path("results/comparisons")
EXIT_DONE, EXIT_SLOWER, EXIT_BAD_INPUT, EXIT_UNTRUSTED = 0, 1, 2, 3

EXAMPLES = """\
examples:
  python -m analysis compare results/flash_crowd/20260102T030405Z-1a2b3c results/latest
  python -m analysis compare BASE NEW --fail-if-slower 5%
  python -m analysis compare BASE NEW --json | python -m json.tool

exit codes: 0 done; 1 slower than --fail-if-slower allows; 2 the runs cannot be compared;
3 one of the runs must not be trusted, and so neither this.
"""


def register(subparsers: Subparsers) -> argparse.ArgumentParser:
    """Add ``compare`` to the sub-commands of ``python -m analysis``.

    The parser's default ``run`` is this module's ``run``.
    """
    parser = subparsers.add_parser(
        "compare",
        help="say point by point whether a run is faster or slower than another",
        description="Compare NEW with BASE point by point: faster, slower, or no change detected.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("base", metavar="BASE", help="a run's folder")
    parser.add_argument("new", metavar="NEW", help="another's")
    parser.add_argument(
        "--fail-if-slower",
        metavar="SHARE",
        type=_share,
        help="end with exit code 1 if a point is shown to be slower by more, such as 5%%",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        help=f"where page, Markdown, figure and JSON go ({DEFAULT_OUTPUT}/BASE--NEW)",
    )
    parser.add_argument("--json", action="store_true", help="print comparison.json instead")
    parser.add_argument("--quiet", action="store_true", help="print the page's path only")
    parser.set_defaults(run=run)
    return parser


def _share(text: str) -> float:
    """Read `5%`; a bare 5 or 0.05 could be either, and is refused."""
    number, sign, rest = text.strip().partition("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if not sign or rest or not 0 <= share < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a share in per cent such as 5%, not {text!r}")
    return share


def run(args: argparse.Namespace) -> int:
    """Compare, write, say what came out; the exit code answers --fail-if-slower."""
    # Imported late: `python -m analysis --help` and `bounds` need no figures.
    from analysis.pair_files import as_json, write_comparison
    from analysis.run_pair import compare_runs
    from testbed.errors import SchemaError

    for which in ("base", "new"):
        if not getattr(args, which):  # As `make compare` gives it without BASE=… or NEW=….
            print(f"compare: {which.upper()}: expected a run's folder: BASE=… NEW=…", file=sys.stderr)
            return EXIT_BAD_INPUT
    try:
        pair = compare_runs(Path(args.base), Path(args.new))
        names = (pair.base.run_path.name, pair.new.run_path.name)
        folder = args.output or DEFAULT_OUTPUT / "--".join(names)
        page_path = write_comparison(pair, folder)
    except SchemaError as error:
        print(f"compare: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except OSError as error:
        print(f"compare: expected a folder that can be written to: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    if args.json:
        sys.stdout.write(as_json(pair))
    elif args.quiet:
        print(page_path)
    else:
        from rich.console import Console

        from analysis.terminal import terminal_comparison

        Console(highlight=False).print(terminal_comparison(pair, page_path))
    return _judge(pair, args.fail_if_slower)


def _judge(pair: RunPair, allowed: float | None) -> int:
    if pair.untrusted:
        return EXIT_UNTRUSTED
    slower = () if allowed is None else pair.slower_by(allowed)
    for one in slower:
        over = f"more than {100 * (allowed or 0):g}%"
        print(f"compare: {one.name} is {one.change.ratio - 1:.1%} slower, {over}", file=sys.stderr)
    return EXIT_SLOWER if slower else EXIT_DONE
