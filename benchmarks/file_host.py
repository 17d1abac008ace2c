"""Our file host beside others: `python -m benchmarks.file_host [--quick]`.

nginx (one worker, sendfile), aiohttp on uvloop, hypercorn on trio and ours serve the same files from
memory (tmpfs), each pinned to one core while the load has another, all sending with cubic. In each of
three rounds every host runs in turn; a figure is the median of its rounds, and ratios are taken within
a round. Ours has its full semantics, limits and access log on; the others write no log, unless
`--nginx-logs`. Software that is missing is skipped with a line.

What a host does once for each version of a file is done before it is measured and has a figure of its
own: ours computes a SHA-256 of what it serves.

The machine's other work shows in requests a second and not in processor time a request.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.file_host_contestants import NAMES, TASKS, Running, missing, running
from benchmarks.file_host_load import LargeReads, await_digest, has_wrk, run_wrk
from benchmarks.file_host_memory import IDLE_CONNECTIONS, idle_bytes_each, stalled_kernel_bytes
from benchmarks.file_host_shaper import RATE, measure_shaping
from testbed.environment import capture

SMALL_BYTES = 1024
MIDDLE_BYTES = 64 * 1024
LARGE_BYTES = 256 * 1024 * 1024
STALLED_READERS = (1, 16, 128)


@dataclass(frozen=True, slots=True)
class Kind:
    """One figure: what it is called, its unit, and how a value is shown."""

    title: str
    show: Callable[[float], str]
    at_least: str = ""


KINDS = {
    "small": Kind("1 KiB, 32 connections: requests/s", lambda v: f"{v:,.0f}", ">= 0.5 x nginx"),
    "small_cpu": Kind("1 KiB: CPU us a request", lambda v: f"{v:.1f}", "<= 14.6"),
    "small_p99": Kind("1 KiB, 32 connections: p99 ms", lambda v: f"{v:.2f}", "<= 1.5"),
    "middle": Kind("64 KiB, 32 connections: requests/s", lambda v: f"{v:,.0f}", ">= 6 x aiohttp"),
    "large_1": Kind("256 MiB, 1 connection: GB/s", lambda v: f"{v:.2f}", ">= 1.0 x nginx"),
    "large_32": Kind("256 MiB, 32 connections: GB/s", lambda v: f"{v:.2f}", ">= 1.0 x nginx"),
    "large_1_cpu": Kind("256 MiB, 1 connection: CPU ms a GB", lambda v: f"{v:.0f}", "<= 60"),
    "large_32_cpu": Kind("256 MiB, 32 connections: CPU ms a GB", lambda v: f"{v:.0f}", "<= 60"),
    "digest": Kind("SHA-256 of 256 MiB, once for each version: CPU ms", lambda v: f"{v:.0f}"),
    "idle": Kind(
        f"memory: {IDLE_CONNECTIONS} idle connections, kB each", lambda v: f"{v / 1e3:.1f}", "<= 6"
    ),
    **{
        f"stalled_{n}": Kind(
            f"kernel memory: {n} stalled readers, kB each",
            lambda v: f"{v / 1e3:.0f}",
            "<= 200" if n >= 64 else "",
        )
        for n in STALLED_READERS
    },
}


@dataclass(slots=True)
class Figures:
    """Values by kind and host, one for each round in which it was measured."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, kind: str, host: str, value: float) -> None:
        """Enter what one round showed."""
        self.values.setdefault(kind, {}).setdefault(host, []).append(value)

    def table(self, hosts: list[str]) -> str:
        """Medians and, under each other host, how often its value goes into ours."""
        head = ["what", "wanted", *hosts, *(f"ours / {host}" for host in hosts if host != "ours")]
        rows = [head, ["---"] * len(head)]
        for name, kind in KINDS.items():
            found = self.values.get(name)
            if not found:
                continue
            shown = [
                kind.show(statistics.median(found[host])) if host in found else "-" for host in hosts
            ]
            ratios = [self._ratio(found, host) for host in hosts if host != "ours"]
            rows.append([kind.title, kind.at_least, *shown, *ratios])
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        return "\n".join(
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
            for row in rows
        )

    @staticmethod
    def _ratio(found: dict[str, list[float]], host: str) -> str:
        pairs = zip(found.get("ours", ()), found.get(host, ()), strict=False)
        ratios = [ours / theirs for ours, theirs in pairs if theirs]
        return f"{statistics.median(ratios):.2f}" if ratios else "-"


def drive(host: Running, figures: Figures, seconds: int) -> None:
    """Take all figures of load that one host gives in one round."""
    if has_wrk():
        run_wrk(host.port, "/small.bin", 32, 1)  # Its caches are warm when it is measured.
        cpu = host.cpu_seconds()
        small = run_wrk(host.port, "/small.bin", 32, seconds)
        cpu = host.cpu_seconds() - cpu
        figures.add("small", host.name, small.count / small.seconds)
        figures.add("small_cpu", host.name, 1e6 * cpu / small.count)
        figures.add("small_p99", host.name, 1e3 * small.p99_seconds)
        middle = run_wrk(host.port, "/middle.bin", 32, seconds)
        figures.add("middle", host.name, middle.count / middle.seconds)
        if small.errors or middle.errors:
            print(f"{host.name}: {small.errors + middle.errors} requests failed")
    cpu = host.cpu_seconds()
    if await_digest(host.port, "/large.bin"):
        figures.add("digest", host.name, 1e3 * (host.cpu_seconds() - cpu))
    for connections in (1, 32):
        with LargeReads(host.port, "/large.bin", LARGE_BYTES, connections) as reads:
            reads.read_until(time.monotonic() + 0.3)
            before, start, cpu = sum(reads.received()), time.monotonic(), host.cpu_seconds()
            reads.read_until(start + seconds)
            gigabytes = (sum(reads.received()) - before) / 1e9
            cpu, elapsed = host.cpu_seconds() - cpu, time.monotonic() - start
        figures.add(f"large_{connections}", host.name, gigabytes / elapsed)
        figures.add(f"large_{connections}_cpu", host.name, 1e3 * cpu / gigabytes)


def weigh(host: Running, figures: Figures) -> None:
    """Take the figures of memory."""
    figures.add("idle", host.name, idle_bytes_each(host, "/small.bin"))
    for readers in STALLED_READERS:
        kernel = stalled_kernel_bytes(host, "/large.bin", readers)
        if kernel is None:
            print("ss is not installed: kernel memory is not measured")
            return
        figures.add(f"stalled_{readers}", host.name, kernel)


def make_files(directory: Path) -> None:
    """Write the files that are served."""
    sizes = {"small.bin": SMALL_BYTES, "middle.bin": MIDDLE_BYTES, "large.bin": LARGE_BYTES}
    for name, size in sizes.items():
        with (directory / name).open("wb") as file:
            for _ in range(0, size, 1 << 20):
                file.write(os.urandom(min(size, 1 << 20)))


def run(args: argparse.Namespace, folder: Path) -> None:
    """Measure everything asked for and print it."""
    cores = sorted(os.sched_getaffinity(0))
    server_core, client_core = cores[0], cores[-1]
    os.sched_setaffinity(0, {client_core})
    if server_core == client_core:
        print("only one core: server and client share it, read nothing but ratios")
    machine = capture()
    print(f"{machine['cpu']}; server on core {server_core}, client on core {client_core}")
    print(f"load average before: {os.getloadavg()[0]:.2f}")
    hosts = []
    for name in args.hosts:
        reason = missing(name)
        if reason is None:
            hosts.append(name)
        else:
            print(f"{name} skipped: {reason}")
    if not has_wrk():
        print("wrk is not installed: small files are skipped")
    directory, scratch = folder / "files", folder / "scratch"
    folder.chmod(0o755)  # nginx's worker, started by root, is nobody.
    directory.mkdir()
    scratch.mkdir()
    make_files(directory)
    rounds, seconds = (1, 1) if args.quick else (3, 2)
    figures = Figures()
    for number in range(rounds):
        # Every other round in the opposite order: who runs first finds another machine.
        for name in hosts if number % 2 == 0 else hosts[::-1]:
            try:
                with running(name, directory, scratch, server_core, logs=args.nginx_logs) as host:
                    drive(host, figures, seconds)
                    if number == 0:
                        weigh(host, figures)
            except RuntimeError as error:
                print(f"{name}, round {number + 1}: {error}")
    print(f"\n{figures.table(hosts)}\n")
    if "ours" in hosts:
        with running("ours", directory, scratch, server_core, ("--uplink", RATE)) as host:
            await_digest(host.port, "/large.bin")
            shaping = measure_shaping(host, "/large.bin", LARGE_BYTES, 2.0 if args.quick else 6.0)
            stalled = stalled_kernel_bytes(host, "/large.bin", 1)
        print(
            f"uplink of {RATE}, 32 clients: rate error {shaping.rate_error:+.3%} (<= 0.1 %), "
            f"Jain {shaping.jain:.5f} (>= .999), variation in 100 ms {shaping.variation:.2%} (<= 2 %), "
            f"{shaping.cpu_fraction:.1%} of a core (<= 10 %)"
        )
        if stalled is not None:
            print(
                f"a stalled reader of the shaped host: {stalled / 1e3:.0f} kB of kernel memory (<= 200)"
            )
    print(f"load average after: {os.getloadavg()[0]:.2f}")


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description="Our file host beside others.")
    parser.add_argument("--quick", action="store_true", help="one round of one second each")
    parser.add_argument(
        "--hosts", nargs="+", choices=(*NAMES, TASKS), default=list(NAMES), metavar="NAME"
    )
    parser.add_argument("--nginx-logs", action="store_true", help="let nginx write its access log too")
    args = parser.parse_args()
    memory = Path("/dev/shm")
    with contextlib.ExitStack() as stack:
        where = memory if memory.is_dir() else None
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="file-host-", dir=where))
        try:
            run(args, Path(name))
        except KeyboardInterrupt:
            sys.exit(130)


if __name__ == "__main__":
    main()
