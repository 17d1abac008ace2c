"""Our swarm beside libtorrent's: `python -m benchmarks.swarm [--quick] [--clients 4 8] [--rounds 3]`.

A flash crowd of N clients over equal lines (origin 2 MB/s up; clients 1 MB/s up, 4 MB/s down; 16 MiB;
everybody keeps seeding), and one seed to one leecher without limits. In each round the contestants run
in turn: ours, libtorrent with its best settings, libtorrent with its defaults. Figures are medians of
the rounds, and a ratio is taken within a round. Without libtorrent only ours runs, and a line says so.

Linux only: every peer needs a loopback address of its own.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.swarm_crowd import MEGABYTE, Crowd, CrowdFailed, CrowdResult, run_crowd
from testbed.content import made_up

FILE_BYTES = 16 << 20
PAIR_BYTES = 1 << 30
FIRST_PORT = 21_000

#: From so many clients on, ours run in two processes beside the origin's, as trials do.
TWO_PROCESSES_FROM = 16


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who takes part, and with which pieces."""

    name: str
    module: str
    tuned: bool
    piece_bytes: Callable[[int], int]
    """By the number of clients."""


OURS = Contestant("ours", "benchmarks.swarm_ours", True, lambda clients: 32 << 10)
THEIRS = (
    Contestant(
        "libtorrent, best settings",
        "benchmarks.swarm_libtorrent",
        True,
        lambda clients: (64 if clients == 8 else 32) << 10,
    ),
    Contestant("libtorrent, defaults", "benchmarks.swarm_libtorrent", False, lambda clients: 256 << 10),
)


def processes_of(contestant: Contestant, clients: int) -> int:
    """How many processes a crowd is: libtorrent has threads of its own."""
    if contestant is not OURS:
        return 1
    return 3 if clients >= TWO_PROCESSES_FROM else 2


def figures_of(crowd: Crowd, result: CrowdResult) -> dict[str, float]:
    """Give the figures of one crowd, by name."""
    uploads = {node.node_id: node.uploaded_payload_bytes for node in result.nodes}
    leechers = [uploaded for node_id, uploaded in uploads.items() if node_id]
    total = crowd.clients * crowd.file_bytes
    mean = statistics.fmean(leechers)
    last = max(result.finished_seconds.values())
    return {
        "last seconds": last,
        "efficiency": crowd.bound_seconds / last,
        "redundant %": 100 * sum(node.redundant_bytes for node in result.nodes) / total,
        "origin copies": uploads[0] / crowd.file_bytes,
        "spread of uploads %": 100 * (max(leechers) - min(leechers)) / mean if mean else math.nan,
        "ahead of the rate ms": 1000 * max(node.ahead_seconds for node in result.nodes),
        "CPU seconds": sum(result.cpu_seconds),
    }


def pair_figures(crowd: Crowd, result: CrowdResult) -> dict[str, float]:
    """Give the figures of one seed and one leecher."""
    seconds = result.finished_seconds[1]
    gigabytes = crowd.file_bytes / 1e9
    return {
        "MB/s": crowd.file_bytes / MEGABYTE / seconds,
        "CPU s/GB sending": result.cpu_seconds[0] / gigabytes,
        "CPU s/GB receiving": result.cpu_seconds[1] / gigabytes,
    }


Rounds = dict[str, list[dict[str, float]]]


class Bench:
    """Runs crowds one after the other, each at a port of its own."""

    def __init__(self, folder: Path, contestants: Sequence[Contestant]) -> None:
        self._folder = folder
        self._contestants = contestants
        self._port = FIRST_PORT

    def rounds(
        self, rounds: int, file_bytes: int, clients: int, rates: tuple[float | None, ...]
    ) -> Rounds:
        """Let everybody be the crowd, in turn, so many times."""
        content = made_up(self._folder, file_bytes, 1)
        found: Rounds = {contestant.name: [] for contestant in self._contestants}
        unshaped = rates[0] is None
        for number in range(rounds):
            for contestant in self._contestants:
                self._port += 1
                crowd = Crowd(
                    clients=clients,
                    file=str(content.path),
                    file_bytes=file_bytes,
                    piece_bytes=(1 << 20) if unshaped else contestant.piece_bytes(clients),
                    folder=str(self._folder / "downloads"),
                    port=self._port,
                    origin_uplink=rates[0],
                    uplink=rates[1],
                    downlink=rates[2],
                    tuned=contestant.tuned,
                )
                processes = 2 if unshaped else processes_of(contestant, clients)
                try:
                    result = run_crowd(contestant.module, crowd, processes)
                except CrowdFailed as failed:
                    print(
                        f"{contestant.name}, N = {clients}, round {number + 1}: {failed}",
                        file=sys.stderr,
                    )
                    continue
                finally:
                    shutil.rmtree(crowd.folder, ignore_errors=True)
                figures = pair_figures if unshaped else figures_of
                found[contestant.name].append(figures(crowd, result))
        return found


def print_table(title: str, found: Rounds) -> None:
    """Print medians, and ours divided by each of the others'."""
    print(f"\n{title}")
    complete = {name: rounds for name, rounds in found.items() if rounds}
    if not complete:
        print("  nobody finished")
        return
    names = list(complete)
    print(f"  {'':24}" + "".join(f"{name:>28}" for name in names))
    ours = complete.get(OURS.name)
    for figure in next(iter(complete.values()))[0]:
        line = f"  {figure:24}"
        for name in names:
            line += f"{statistics.median(one[figure] for one in complete[name]):28.3f}"
        print(line)
    if ours is None:
        return
    key = "efficiency" if "efficiency" in ours[0] else "MB/s"
    for name in names[1:]:
        ratios = [mine[key] / his[key] for mine, his in zip(ours, complete[name], strict=False)]
        print(f"  {key}, ours / {name}: {statistics.median(ratios):.3f} ({len(ratios)} rounds)")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[4, 8, 16, 32, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="N = 4, one round, 128 MiB for the pair")
    parser.add_argument("--no-pair", action="store_true", help="leave out one seed to one leecher")
    args = parser.parse_args()
    clients, rounds, pair_bytes = args.clients, args.rounds, PAIR_BYTES
    if args.quick:
        clients, rounds, pair_bytes = [4], 1, 128 << 20
    contestants = [OURS]
    if importlib.util.find_spec("libtorrent") is None:
        print("libtorrent is not installed (PyPI has it): only ours runs")
    else:
        contestants += THEIRS
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), contestants)
        for number in clients:
            found = bench.rounds(rounds, FILE_BYTES, number, (2e6, 1e6, 4e6))
            ideal = number * 2 / (2 + number)
            print_table(f"N = {number}; proportional ideal: {ideal:.2f} origin copies", found)
        if not args.no_pair:
            found = bench.rounds(rounds, pair_bytes, 1, (None, None, None))
            print_table(f"One seed to one leecher, {pair_bytes >> 20} MiB, unshaped", found)


if __name__ == "__main__":
    main()
