"""The sub-command ``python -m analysis bounds``: what theory says, without running anything."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from typing import TYPE_CHECKING, TextIO

from analysis.bounds_models import MODELS, Model
from analysis.bounds_options import InputError, Options
from analysis.bounds_tables.table import Cell, Table
from testbed.units import UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Sequence

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

UNCONFIRMED = "unconfirmed"

EXAMPLES = """\
examples:
  python -m analysis bounds --file-size "15 Gbit" --origin-uplink "30 Mbit/s" \\
    --client-uplink "500 kbit/s" --client-downlink "2 Mbit/s" --clients 10,100,1000
  python -m analysis bounds --model unequal --file-size "118.75 MB" --origin-uplink "100 kB/s" \\
    --peers "13 x 20 kB/s, 14 x 50 kB/s, 13 x 200 kB/s"
  python -m analysis bounds --model schedule --file-size "4 MB" --client-uplink "1 MB/s" \\
    --clients 6 --pieces 4 --list
  python -m analysis bounds --model processor-sharing --service-time "31.25 ms" --load .3,.5,.9

models, and the options they read ([optional]):
"""

#: Option, what it stands for in --help, and what it says.
OPTIONS: tuple[tuple[str, str, str], ...] = (
    ("file_size", "SIZE", 'F, for instance "15 Gbit" or "16 MiB"'),
    ("origin_uplink", "RATE", f'us, for instance "30 Mbit/s"; or "{UNLIMITED}", as for all rates'),
    ("client_uplink", "RATE", "u of each client"),
    ("client_downlink", "RATE", "d, the slowest downlink"),
    ("clients", "N[,N...]", "how many nodes want the file"),
    ("origins", "M", "servers with such an uplink each, for the server's bound; a swarm has one (1)"),
    (
        "pieces",
        "M",
        "pieces of equal size; adds the store-and-forward bound (without F/us, F/d)",
    ),
    ("burst", "TIME", "how far each link may be ahead of its rate; comes off the bounds (0 s)"),
    ("peers", "CLASSES", 'unequal peers, "13 x 20 kB/s, 14 x 50 kB/s"'),
    ("degree", "K[,K...]", "children of a tree's node, or number of striped trees"),
    ("arrivals", "X[,X...]", "peers that arrive per second"),
    ("seeding_time", "TIME", "how long a peer stays on average when it has the file"),
    ("patience", "TIME", "after how long downloaders give up on average (never)"),
    ("effectiveness", "E", "chance that a downloader has something to give (1)"),
    ("until", "TIME", "print the course from an empty swarm with one seed until then"),
    ("service_time", "TIME", "what a request of mean size takes alone"),
    ("load", "RHO[,RHO...]", "share of the uplink that requests need, below 1"),
    ("requests", "FILE", "CSV with a header: arrival_seconds,response_bytes"),
    ("measured", "N:X[,N:X...]", "users and the throughput measured, six loads or more"),
    ("share", "F[,F...]", "share of free-riding clients, or of bad blocks, 0 to 1"),
    ("blocks", "B[,B...]", "blocks that one hash covers (1)"),
    ("leaves", "TIME[,TIME...]", "when the origin leaves"),
    ("up", "A[,A...]", "chance that a holder is up, 0 to 1"),
    ("copies", "R[,R...]", "holders of the file, or of each piece"),
    ("factor", "X[,X...]", "by what the origin's uplink is multiplied (2)"),
)


def register(subparsers: Subparsers) -> argparse.ArgumentParser:
    """Add ``bounds`` to the sub-commands of ``python -m analysis``.

    The parser's default ``run`` is this module's ``run``.
    """
    parser = subparsers.add_parser(
        "bounds",
        help="print what theory says: bounds on the makespan, and other models",
        description="Print what theory says, a row for each case, without running anything. "
        "Quantities carry their unit.",
        epilog=EXAMPLES + "".join(_describe(name, model) for name, model in MODELS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", metavar="NAME", default="fluid", help="see below (fluid)")
    for name, metavar, text in OPTIONS:
        parser.add_argument("--" + name.replace("_", "-"), metavar=metavar, help=text)
    parser.add_argument(
        "--list",
        action="store_const",
        const="yes",
        help="print every transfer of the schedule instead of its length",
    )
    parser.add_argument("--csv", action="store_true", help="comma-separated, for other programs")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Compute and print.

    Returns:
      0; or, with one line on standard error, 2 for wrong input and 1 for a fit or an integration
      that does not converge.
    """
    try:
        model, table = _compute(args)
    except (ValueError, RuntimeError) as error:
        # The formulas name the argument that is out of range; that is the user's doing as well.
        # A fit or an integration that does not converge is not.
        print(f"bounds: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    if not model.confirmed:
        table = Table((*table.columns, "status"), [(*row, UNCONFIRMED) for row in table.rows])
    if args.csv:
        _write_csv(table, sys.stdout)
    else:
        _write_aligned(table, sys.stdout)
        print(f"source: {model.source}" + ("" if model.confirmed else f" ({UNCONFIRMED})"))
    return 0


def _compute(args: argparse.Namespace) -> tuple[Model, Table]:
    if args.model not in MODELS:
        raise InputError(f"--model: expected one of {', '.join(MODELS)}, not {args.model!r}")
    model = MODELS[args.model]
    options = Options(args, [*(name for name, _, _ in OPTIONS), "list"], args.model)
    table = model.compute(options)
    options.refuse_unread()
    return model, table


def _describe(name: str, model: Model) -> str:
    note = "" if model.confirmed else f"; {UNCONFIRMED}"
    return f"  {name}\n    {model.summary}\n    source: {model.source}{note}\n"


def _write_csv(table: Table, to: TextIO) -> None:
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow(table.columns)
    for row in table.rows:
        writer.writerow([f"{cell:.12g}" if isinstance(cell, float) else cell for cell in row])


def _write_aligned(table: Table, to: TextIO) -> None:
    lines: list[Sequence[str]] = [table.columns]
    lines += [[_readable(cell) for cell in row] for row in table.rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table.columns))]
    for line in lines:
        cells = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells), file=to)


def _readable(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if not isinstance(cell, float):
        return str(cell)
    # Six digits, but no exponent for numbers that people still read as numbers.
    return f"{cell:.0f}" if 1e6 <= abs(cell) < 1e15 and math.isfinite(cell) else f"{cell:.6g}"
