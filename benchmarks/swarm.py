"""Our swarm beside libtorrent's: `python -m benchmarks.swarm [--quick] [--clients 4 8] [--rounds 1]`.

Three parts, and in each round of each the contestants run in turn: ours, libtorrent with its best
settings, libtorrent with its defaults. Figures are medians of the rounds, ratios are taken within a
round. Without libtorrent only ours runs, and a line says so.

* Crowds: N clients over equal lines (origin 2 MB/s up; clients 1 MB/s up, 4 MB/s down; 16 MiB;
  everybody keeps seeding). Beyond 64 clients all rates are divided by N / 32, so that the machine keeps
  up, and libtorrent is left out: its defaults at 128, both at 256.
* A pair: one seed and one leecher without limits.
* A join: how many round trips after the tracker's answer the first request leaves, with delay.

All of it takes some 11 minutes on two cores that have nothing else to do. Linux only: every peer needs
a loopback address of its own.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.swarm_crowd import Crowd, CrowdFailed, CrowdResult, run_crowd
from benchmarks.swarm_table import (
    ASKED_OF_JOIN,
    Figures,
    Rounds,
    asked_of_crowd,
    asked_of_pair,
    crowd_figures,
    ideal_origin_copies,
    join_figures,
    pair_figures,
    print_table,
)
from testbed.content import made_up
from testbed.links import Links

FIRST_PORT = 21_000

#: From so many clients on, ours run in two processes beside the origin's, as trials do.
TWO_PROCESSES_FROM = 16

#: Beyond so many clients rates are divided by N / 32, and nobody has links to everybody. At half the
#: rates 128 of ours took 1.1 cores of a machine that others used as well. A shorter file would save
#: time, but with as many pieces as clients much of it is the start: .74 with 4 MiB where 8 gave .90.
FULL_RATES_UP_TO = 64
CLIENTS_AT_FULL_RATES = 32
LIBTORRENT_UP_TO = 128
CROWDED_NEIGHBOURS = 16

PAIR_PIECE_BYTES = 1 << 20

JOIN_LATENCY_SECONDS = 0.05
JOIN_ROUNDS = 3

#: Where files are in memory: a disk would be the narrow place.
MEMORY_FOLDER = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who takes part, and with which pieces."""

    name: str
    module: str
    tuned: bool
    piece_bytes: Callable[[int], int]
    """By the number of clients."""


OURS = Contestant("ours", "benchmarks.swarm_ours", True, lambda clients: 32 << 10)
BEST = Contestant(
    "libtorrent, best settings",
    "benchmarks.swarm_libtorrent",
    True,
    lambda clients: (64 if clients == 8 else 32) << 10,
)
DEFAULTS = Contestant(
    "libtorrent, defaults", "benchmarks.swarm_libtorrent", False, lambda clients: 256 << 10
)


def processes_of(contestant: Contestant, clients: int) -> int:
    """How many processes a crowd is: libtorrent has threads of its own."""
    if contestant is not OURS:
        return 1
    return 3 if clients >= TWO_PROCESSES_FROM else 2


def folder_for(needed_bytes: int) -> Path | None:
    """Say where the files may lie: in memory if they fit; None for where the system has such files."""
    if MEMORY_FOLDER.is_dir() and shutil.disk_usage(MEMORY_FOLDER).free > needed_bytes:
        return MEMORY_FOLDER
    print(f"{needed_bytes >> 20} MiB do not fit in {MEMORY_FOLDER}: files are on disk")
    return None


class Bench:
    """Runs crowds one after the other, each at a port of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = FIRST_PORT

    def crowd(
        self,
        clients: int,
        file_bytes: int,
        rates: tuple[float | None, float | None, float | None],
        latency_seconds: float = 0.0,
    ) -> Crowd:
        """Describe a crowd, and make its file. `rates`: up from the origin, clients' up, and down."""
        return Crowd(
            clients=clients,
            file=str(made_up(self._folder, file_bytes, 1).path),
            file_bytes=file_bytes,
            piece_bytes=0,
            folder=str(self._folder / "downloads"),
            port=0,
            origin_uplink=rates[0],
            uplink=rates[1],
            downlink=rates[2],
            latency_seconds=latency_seconds,
            neighbours=CROWDED_NEIGHBOURS if clients > FULL_RATES_UP_TO else None,
        )

    def rounds(
        self,
        crowd: Crowd,
        rounds: int,
        contestants: Sequence[Contestant],
        figures: Callable[[Crowd, CrowdResult], Figures],
    ) -> Rounds:
        """Let everybody be the crowd, in turn, so many times."""
        found: Rounds = {contestant.name: [] for contestant in contestants}
        for number in range(rounds):
            for contestant in contestants:
                self._port += 1
                unlimited = crowd.uplink is None
                one = msgspec.structs.replace(
                    crowd,
                    port=self._port,
                    tuned=contestant.tuned,
                    piece_bytes=PAIR_PIECE_BYTES
                    if unlimited
                    else contestant.piece_bytes(crowd.clients),
                )
                processes = 2 if unlimited else processes_of(contestant, crowd.clients)
                try:
                    result = run_crowd(contestant.module, one, processes)
                except CrowdFailed as failed:
                    where = f"{contestant.name}, N = {crowd.clients}, round {number + 1}"
                    print(f"{where}: {failed}", file=sys.stderr)
                else:
                    found[contestant.name].append(figures(one, result))
                finally:
                    shutil.rmtree(crowd.folder, ignore_errors=True)
        return found

    def warm(self, size_bytes: int) -> None:
        """Have so much memory once: the first to use it would pay for the system's getting it."""
        path = self._folder / "warm"
        with path.open("wb") as file:
            for _ in range(0, size_bytes, PAIR_PIECE_BYTES):
                file.write(bytes(PAIR_PIECE_BYTES))
        path.unlink()


class Parts:
    """The three parts, each of which prints its table."""

    def __init__(self, bench: Bench, contestants: Sequence[Contestant]) -> None:
        self._bench = bench
        self._contestants = contestants
        self.verdicts: list[str] = []
        """A line for each thing that is asked."""

    def crowd(self, clients: int, file_bytes: int, rounds: int) -> None:
        """N clients over equal lines."""
        slower = 1.0 if clients <= FULL_RATES_UP_TO else clients / CLIENTS_AT_FULL_RATES
        crowd = self._bench.crowd(clients, file_bytes, (2e6 / slower, 1e6 / slower, 4e6 / slower))
        contestants = [
            one
            for one in self._contestants
            if slower == 1 or one is OURS or (one is BEST and clients <= LIBTORRENT_UP_TO)
        ]
        found = self._bench.rounds(crowd, rounds, contestants, crowd_figures)
        title = f"N = {clients}; bound {crowd.bound_seconds:.2f} s"
        title += f", proportional ideal {ideal_origin_copies(crowd):.2f} origin copies"
        if slower > 1:
            title += f", all rates divided by {slower:g}"
        asked = asked_of_crowd(crowd, Links().burst_seconds, BEST.name)
        self.verdicts += print_table(title, found, asked, OURS.name)

    def pair(self, file_bytes: int, rounds: int) -> None:
        """One seed and one leecher without limits."""
        crowd = self._bench.crowd(1, file_bytes, (None, None, None))
        self._bench.warm(file_bytes)
        found = self._bench.rounds(crowd, rounds, self._contestants, pair_figures)
        title = f"One seed to one leecher, {file_bytes >> 20} MiB, without limits"
        self.verdicts += print_table(title, found, asked_of_pair(BEST.name), OURS.name)

    def join(self) -> None:
        """How soon a newcomer asks a seed for something. Only of ours: of others it cannot be seen."""
        crowd = self._bench.crowd(1, 1 << 20, (2e6, 1e6, 4e6), JOIN_LATENCY_SECONDS)
        found = self._bench.rounds(crowd, JOIN_ROUNDS, [OURS], join_figures)
        title = f"A client joins a seed, {1000 * JOIN_LATENCY_SECONDS:g} ms away one way"
        self.verdicts += print_table(title, found, ASKED_OF_JOIN, OURS.name)


def main() -> None:
    """Run what was asked for."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, nargs="*", default=[4, 8, 16, 32, 64, 128, 256])
    parser.add_argument("--rounds", type=int, default=1, help="of each crowd")
    parser.add_argument("--file-mib", type=int, default=16, help="what a crowd downloads")
    parser.add_argument(
        "--pair-mib", type=int, default=1024, help="for one seed to one leecher; 0: none"
    )
    parser.add_argument("--pair-rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="N = 4, one round, 128 MiB for the pair")
    args = parser.parse_args()
    if args.quick:
        args.clients, args.rounds, args.pair_mib, args.pair_rounds = [4], 1, 128, 1
    sizes = (args.rounds, args.file_mib, args.pair_rounds, *args.clients)
    if min(sizes) < 1 or args.pair_mib < 0:
        parser.error("expected at least 1 of clients, of rounds and of MiB")
    contestants = [OURS]
    if importlib.util.find_spec("libtorrent") is None:
        print("libtorrent is not installed (PyPI has it): only ours runs")
    else:
        contestants += [BEST, DEFAULTS]
    most = max((max(args.clients, default=0) + 2) * args.file_mib, 2 * args.pair_mib) << 20
    with tempfile.TemporaryDirectory(dir=folder_for(most)) as name:
        parts = Parts(Bench(Path(name)), contestants)
        for clients in args.clients:
            parts.crowd(clients, args.file_mib << 20, args.rounds)
        if args.pair_mib:
            parts.pair(args.pair_mib << 20, args.pair_rounds)
        parts.join()
    print(f"\nAsked, and reached by ours ({(time.monotonic() - began) / 60:.1f} minutes)")
    for line in parts.verdicts:
        print(f"  {line}")


if __name__ == "__main__":
    main()
