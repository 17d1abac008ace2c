"""The sub-command ``python -m analysis report``: rebuild a run's report from its raw rows."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DEFAULT_RUN = Path("results/latest")
EXIT_BAD_INPUT = 2

EXAMPLES = """\
examples:
  python -m analysis report
  python -m analysis report results/flash_crowd/20260102T030405Z-1a2b3c
  python -m analysis report --json | python -m json.tool

exit codes: 0 done; 1 a trial failed or a threshold was missed; 2 the folder is no run;
3 the run must not be trusted, and the report says why.
"""


def register(subparsers: Subparsers) -> argparse.ArgumentParser:
    """Add ``report`` to the sub-commands of ``python -m analysis``.

    The parser's default ``run`` is this module's ``run``.
    """
    parser = subparsers.add_parser(
        "report",
        help="rebuild the report of a run from its raw rows",
        description="Rebuild RUN/report/ from the raw rows in RUN, and print the verdict.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "run_path",
        metavar="RUN",
        nargs="?",
        type=Path,
        default=DEFAULT_RUN,
        help=f"a run's folder ({DEFAULT_RUN})",
    )
    parser.add_argument("--json", action="store_true", help="print summary.json instead")
    parser.add_argument("--quiet", action="store_true", help="print the page's path only")
    parser.add_argument(
        "--open-nothing",
        action="store_true",
        help="for scripts that want to be sure: no browser is ever opened",
    )
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Write the report and say what it says; the exit code is the run's."""
    # Imported late: `python -m analysis --help` and `bounds` need no figures.
    from analysis.report import write_report
    from analysis.summary_files import as_json
    from testbed.errors import SchemaError
    from testbed.experiments import is_experiment

    try:
        if is_experiment(args.run_path):
            return _report_experiment(args)
        summary = write_report(args.run_path)
    except SchemaError as error:
        print(f"report: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except OSError as error:
        print(f"report: {args.run_path}: expected to write there: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    if args.json:
        sys.stdout.write(as_json(summary))
    elif args.quiet:
        print(summary.report_path)
    else:
        from rich.console import Console

        from analysis.terminal import terminal_summary

        Console(highlight=False).print(terminal_summary(summary))
    return summary.exit_code


def _report_experiment(args: argparse.Namespace) -> int:
    """As `run`, for a folder that holds several runs of one question."""
    from rich.console import Console

    from analysis.experiment_report import on_a_terminal, write_experiment_report

    judged = write_experiment_report(args.run_path)
    if args.json:
        sys.stdout.write(judged.as_json())
    elif args.quiet:
        print(judged.report_path)
    else:
        Console(highlight=False).print(on_a_terminal(judged))
    return judged.exit_code
