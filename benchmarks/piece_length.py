"""Which piece length suits a file and a crowd: `python -m benchmarks.piece_length [--draw X.png]`.

Flash crowds in the simulated world, us = 2u, d = 4u, u = 1 MB/s, for files F and crowds N with pieces
of every length. A row for each: fluid bound / makespan by piece length, the best of them, and what the
rule of `peers.torrent.default_piece_bytes` takes. The figure has the same over pieces / log2(N + 1),
where the curves meet, and what pieces cost: bytes of protocol for each of content.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import msgspec
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from analysis.figure_style import new_figure, styled, title
from analysis.theory.bounds import swarm_seconds
from benchmarks.simulation import makespan_seconds
from loadtests.plan import TrialPlan, plan_content
from loadtests.simulated_trial import SimulatedTrial
from peers.torrent import PIECES_A_DOUBLING, default_piece_bytes
from testbed.content import made_up
from testbed.links import Links
from testbed.scenario import Scenario

KIB, MIB = 1024, 1 << 20
MEGABYTE = 1e6
UPLINK = 1.0 * MEGABYTE

#: Files and crowds: what can be simulated in a few minutes.
GRID = ((1, 8), (1, 32), (1, 128), (4, 8), (4, 32), (4, 128), (16, 8), (16, 32), (64, 8))
PIECES_KIB = (16, 32, 64, 128, 256, 512)

COLOURS = {8: "tab:blue", 32: "tab:orange", 128: "tab:green"}
MARKERS = {1: "o", 4: "s", 16: "^", 64: "D"}


@dataclass(frozen=True)
class Point:
    """One crowd."""

    file_bytes: int
    clients: int
    piece_bytes: int
    efficiency: float
    control_bytes: float
    """Wire bytes that are not content, for each byte of content."""

    @property
    def generations(self) -> float:
        """Pieces for each doubling that a piece takes to get to everybody."""
        return self.file_bytes / self.piece_bytes / math.log2(self.clients + 1)


def scenario_of(file_bytes: int, clients: int, piece_bytes: int, seed: int, delay: float) -> Scenario:
    """Give a flash crowd."""
    return Scenario(
        name="piece length",
        clients=(clients,),
        repeats=1,
        seed=seed,
        file_bytes=file_bytes,
        trial_limit_seconds=3600.0,
        links=Links(
            origin_uplink_bytes_per_second=2 * UPLINK,
            origin_downlink_bytes_per_second=4 * UPLINK,
            client_uplink_bytes_per_second=UPLINK,
            client_downlink_bytes_per_second=4 * UPLINK,
            latency_seconds=delay,
        ),
        tables={"servers": {}, "peers": {"piece_length": f"{piece_bytes // KIB} KiB"}},
    )


def simulate(scenario: Scenario, piece_bytes: int) -> Point:
    """Simulate one crowd.

    Raises:
      RuntimeError: not everybody finished.
    """
    file_bytes, clients = scenario.file_bytes or 1, scenario.clients[0]
    with tempfile.TemporaryDirectory() as folder:
        made = made_up(Path(folder), file_bytes, scenario.seed)
        plan = TrialPlan(
            architecture="swarm",
            clients=clients,
            repeat=0,
            order=0,
            scenario=scenario.to_dict(),
            content=plan_content(made),
            folder=folder,
        )
        record = SimulatedTrial(plan).run(lambda progress: None)
    if record.trial.status != "complete":
        raise RuntimeError(f"N = {clients}: {record.trial.reason}")
    bound = swarm_seconds(file_bytes, 2 * UPLINK, UPLINK, 4 * UPLINK, clients)
    rows = [row for row in record.nodes if row.role != "tracker"]
    payload = sum(row.uploaded_payload_bytes for row in rows)
    wire = sum(row.uploaded_wire_bytes for row in rows)
    efficiency = bound / makespan_seconds(record)
    return Point(file_bytes, clients, piece_bytes, efficiency, wire / payload - 1)


def median_of(file_bytes: int, clients: int, piece_bytes: int, seeds: int, delay: float) -> Point:
    """Simulate a crowd with several seeds; the median by efficiency."""
    points = [
        simulate(scenario_of(file_bytes, clients, piece_bytes, seed, delay), piece_bytes)
        for seed in range(1, seeds + 1)
    ]
    return sorted(points, key=lambda point: point.efficiency)[len(points) // 2]


def print_row(points: list[Point]) -> None:
    """Print one file and crowd: all piece lengths, the best, and the rule's."""
    first = points[0]
    by_length = {point.piece_bytes: point for point in points}
    best = max(points, key=lambda point: point.efficiency)
    ruled = default_piece_bytes(first.file_bytes, first.clients)
    row = f"| {first.file_bytes // MIB} MiB | {first.clients} |"
    for kib in PIECES_KIB:
        point = by_length.get(kib * KIB)
        row += " |" if point is None else f" {point.efficiency:.3f} |".replace(" 0.", " .")
    taken = by_length.get(ruled)
    lost = "" if taken is None else f" ({100 * (1 - taken.efficiency / best.efficiency):.1f} %)"
    print(f"{row} {best.piece_bytes // KIB} KiB | {ruled // KIB} KiB{lost} |", flush=True)


def draw(points: list[Point]) -> Figure:
    """Draw efficiency over pieces for each doubling, and what smaller pieces cost."""
    figure, [left, right] = new_figure(2)
    title(figure, "How many pieces does a swarm need, and what do they cost?")
    groups = sorted({(point.file_bytes, point.clients) for point in points})
    for file_bytes, clients in groups:
        line = [p for p in points if (p.file_bytes, p.clients) == (file_bytes, clients)]
        look = {"color": COLOURS[clients], "marker": MARKERS[file_bytes // MIB], "ms": 5}
        label = f"{file_bytes // MIB} MiB, N = {clients}"
        shared = [point.generations for point in line]
        left.plot(shared, [point.efficiency for point in line], label=label, **look)
        kib = [point.piece_bytes / KIB for point in line]
        right.plot(kib, [100 * point.control_bytes for point in line], **look)
    left.axvspan(PIECES_A_DOUBLING, 2 * PIECES_A_DOUBLING, color="0.88", zorder=0)
    left.set_xlabel("pieces a doubling: M / log2(N + 1); grey: the rule")
    left.set_ylabel("efficiency: fluid bound / makespan")
    left.legend(fontsize=7.5, loc="lower right")
    right.set_xlabel("piece length, KiB")
    right.set_ylabel("protocol, % of content")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    return figure


def main() -> int:
    """Simulate all, print the table, and draw if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draw", type=Path, metavar="FIGURE.png", help="draw it, too")
    parser.add_argument("--seeds", type=int, default=1, help="median of so many (default: 1)")
    parser.add_argument(
        "--points", type=Path, metavar="X.json", help="take them from there if it is there"
    )
    parser.add_argument("--round-trip-ms", type=float, default=0.0)
    parser.add_argument("--only", metavar="MIB,N", action="append", help="not all of the grid")
    args = parser.parse_args()
    grid = GRID
    if args.only:
        grid = tuple(tuple(map(int, text.split(","))) for text in args.only)  # type: ignore[assignment]
    lengths = " | ".join(f"{kib} KiB" for kib in PIECES_KIB)
    print(f"| F | N | {lengths} | best | rule (loss) |")
    print("| ---: " * (len(PIECES_KIB) + 4) + "|")
    found: list[Point] = []
    if args.points is not None and args.points.exists():
        found = msgspec.json.decode(args.points.read_bytes(), type=list[Point])
        grid = ()
    for mib, clients in grid:
        file_bytes = mib * MIB
        points = [
            median_of(file_bytes, clients, kib * KIB, args.seeds, args.round_trip_ms / 2000)
            for kib in PIECES_KIB
            if kib * KIB * 2 <= file_bytes
        ]
        print_row(points)
        found += points
    if args.points is not None:
        args.points.write_bytes(msgspec.json.encode(found))
    if args.draw is not None:
        with mpl.rc_context(styled()):
            draw(found).savefig(args.draw, dpi=110)
    return 0


if __name__ == "__main__":
    sys.exit(main())
