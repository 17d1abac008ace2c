"""Experiment E1, the four steps of a transaction: `python -m benchmarks.transaction [--repeats 20]`.

    request    the client sends, until the host has all of the request
    service    the host interprets it and finds the file, and waits for the added service delay
    response   the host sends, until the client has the last byte
    client     the client processes the content: SHA-256

One client fetches files of 1 KiB to 8 MiB from hosts in processes of their own, with an added service
delay of 0, 20 and 100 ms, cold (the file was dropped from the page cache, as far as its file system
has one) and warm. The hosts take turns, and know the digests of their files before. The times of a
host are those of its access log, on the clock of the machine that both processes share. Steps are
differences of readings by two processes; the total is the client's own.

Right when: the steps sum to the total within 1 %, in nine of ten transactions at least: between two
readings the machine may give the core to somebody else; and the delay moves the time to the first byte
by that much within 2 ms, and every other step by less than 2 ms, comparing the least of all repeats.
Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from testbed.units import format_bytes

SIZES_BYTES = (1 << 10, 64 << 10, 1 << 20, 8 << 20)
DELAYS_SECONDS = (0.0, 0.020, 0.100)

SUM_TOLERANCE = 0.01
MOVE_TOLERANCE_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Fetch:
    """What the client saw of one request, in seconds on the monotonic clock."""

    target: str
    begun: float
    first_byte: float
    last_byte: float
    processed: float
    total_seconds: float
    """By another clock than the readings."""
    content_bytes: int


@dataclass(frozen=True, slots=True)
class Steps:
    """One transaction, in seconds."""

    request: float
    service: float
    response: float
    client: float
    first_byte: float
    """From the client's first step to the first byte of the answer."""
    total: float

    @property
    def sum(self) -> float:
        """Of the four."""
        return self.request + self.service + self.response + self.client


STEPS = ("request", "service", "response", "client")


def steps_of(fetch: Fetch, line: dict[str, object]) -> Steps:
    """Put together what both sides saw.

    Raises:
      ValueError: it cannot have been one transaction: steps out of order, or other bytes.
    """
    begun = _number(line, "monotonic")
    received = begun + _number(line, "received_seconds")
    found = received + _number(line, "found_seconds")
    readings = [fetch.begun, received, found, fetch.last_byte, fetch.processed]
    if sorted(readings) != readings or begun < fetch.begun or found > fetch.first_byte:
        raise ValueError(f"{fetch.target}: steps are out of order: {readings}")
    own = sum(_number(line, f"{step}_seconds") for step in ("received", "found", "sent", "drained"))
    total = _number(line, "total_seconds")
    if abs(own - total) > SUM_TOLERANCE * total:
        raise ValueError(f"{fetch.target}: the host's own steps sum to {own}, its total is {total}")
    if line["payload_bytes"] != fetch.content_bytes:
        raise ValueError(f"{fetch.target}: {line['payload_bytes']} bytes, not {fetch.content_bytes}")
    return Steps(
        request=received - fetch.begun,
        service=found - received,
        response=fetch.last_byte - found,
        client=fetch.processed - fetch.last_byte,
        first_byte=fetch.first_byte - fetch.begun,
        total=fetch.total_seconds,
    )


def _number(line: dict[str, object], key: str) -> float:
    value = line[key]
    if not isinstance(value, (int, float)):
        raise ValueError(f"{key} must be a number, not {value!r}")
    return float(value)


def least(rows: Sequence[Steps]) -> Steps:
    """The least of each step by itself: whatever else the machine does only adds to it."""
    names = [field.name for field in fields(Steps)]
    return Steps(**{name: min(getattr(row, name) for row in rows) for name in names})


def faults(rows: Sequence[Steps], without: Sequence[Steps], delay_seconds: float) -> list[str]:
    """What is not as the experiment says it must be, of rows with a delay and rows without."""
    off = sum(abs(row.sum - row.total) > SUM_TOLERANCE * row.total for row in rows)
    found = [f"steps of {off} of {len(rows)} do not sum to the total"] if off > len(rows) / 10 else []
    now, before = least(rows), least(without)
    for name, expected in (
        ("first_byte", delay_seconds),
        ("service", delay_seconds),
        ("request", 0.0),
        ("response", 0.0),
        ("client", 0.0),
    ):
        moved = getattr(now, name) - getattr(before, name)
        if abs(moved - expected) > MOVE_TOLERANCE_SECONDS:
            found.append(f"{name} moved by {moved * 1e3:.2f} ms, not by {expected * 1e3:.0f} ms")
    return found


class Client:
    """A client on one connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(1 << 20))

    def fetch(self, target: str, headers: str = "") -> Fetch:
        """Fetch one file whole, and hash it."""
        request = f"GET {target} HTTP/1.1\r\nHost: host\r\n{headers}\r\n".encode()
        counted_from = time.perf_counter_ns()
        begun = time.monotonic()
        self._socket.sendall(request)
        head = bytearray()
        first_byte = 0.0
        while b"\r\n\r\n" not in head:
            count = self._socket.recv_into(self._buffer)
            first_byte = first_byte or time.monotonic()
            if not count:
                raise ConnectionError("the host hung up")
            head += self._buffer[:count]
        start, _, content = bytes(head).partition(b"\r\n\r\n")
        if not start.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(f"answered {start[:40]!r}")
        size = int(start.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        parts = [content]
        missing = size - len(content)
        while missing:
            part = self._socket.recv(missing)
            if not part:
                raise ConnectionError("the host hung up")
            parts.append(part)
            missing -= len(part)
        last_byte = time.monotonic()
        hashlib.sha256(b"".join(parts)).digest()
        processed = time.monotonic()
        total = (time.perf_counter_ns() - counted_from) / 1e9
        return Fetch(target, begun, first_byte, last_byte, processed, total, size)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


@contextlib.contextmanager
def running_host(folder: Path, delay_seconds: float, log: Path) -> Iterator[tuple[str, int]]:
    """Run a host in a process of its own; afterwards its log is whole."""
    command = [sys.executable, "-m", "servers", "serve", str(folder), "--port", "0"]
    command += ["--service-delay", f"{delay_seconds * 1000:.0f} ms"]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file)
        try:
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], 30)
            if not ready:
                raise TimeoutError("the host did not come up")
            host, port = process.stdout.readline().split(b"http://")[1].strip(b"/\n").split(b":")
            yield host.decode(), int(port)
        finally:
            process.terminate()
            process.communicate(timeout=30)


Kind = tuple[float, int, bool]
"""Added delay in seconds, size in bytes, and whether cold."""


def measure(
    folder: Path, delays: Sequence[float], sizes: Sequence[int], repeats: int
) -> dict[Kind, list[Steps]]:
    """Fetch every size with every delay, cold and warm, in turn, `repeats` times."""
    fetches: dict[tuple[float, str], tuple[Kind, Fetch]] = {}
    with tempfile.TemporaryDirectory() as logs:
        with contextlib.ExitStack() as stack:
            clients = {}
            for delay in delays:
                address = stack.enter_context(running_host(folder, delay, Path(logs, f"{delay}")))
                client = clients[delay] = stack.enter_context(contextlib.closing(Client(address)))
                for size in sizes:
                    # Now, and not beside one of the transactions that are measured.
                    client.fetch(f"/{size}.bin", "Want-Repr-Digest: sha-256=1\r\n")
            for repeat, size, cold, delay in itertools.product(
                range(repeats), sizes, (True, False), delays
            ):
                # Another query is another request, for which no answer is at hand.
                target = f"/{size}.bin?{repeat}-{cold}"
                if cold:
                    forget(folder / f"{size}.bin")
                fetches[delay, target] = ((delay, size, cold), clients[delay].fetch(target))
        rows: dict[Kind, list[Steps]] = {}
        for delay in delays:
            for text in Path(logs, f"{delay}").read_text().splitlines():
                line = json.loads(text)
                kind, fetch = fetches.pop((delay, line["target"]), (None, None))
                if kind is not None and fetch is not None:
                    rows.setdefault(kind, []).append(steps_of(fetch, line))
    if fetches:
        raise ValueError(f"the logs lack {len(fetches)} transactions")
    return rows


def forget(path: Path) -> None:
    """Drop a file from the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def main() -> int:
    """Run the experiment and print its table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.transaction", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--repeats", type=int, default=20, help="of every kind (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where the files lie (default: a temporary folder)")
    args = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name, "files")
        folder.mkdir()
        for size in SIZES_BYTES:
            (folder / f"{size}.bin").write_bytes(os.urandom(size))
        rows = measure(folder, DELAYS_SECONDS, SIZES_BYTES, args.repeats)
    print(
        f"{'file':>8} {'cache':5} {'delay':>6} | {'request':>8} {'service':>8} {'response':>8} ", end=""
    )
    print(f"{'client':>8} | {'total':>8} {'1st byte':>8}   least of {args.repeats}, ms")
    for (delay, size, cold), steps in sorted(rows.items()):
        m = least(steps)
        figures = [m.request, m.service, m.response, m.client, m.total, m.first_byte]
        shown = [f"{seconds * 1e3:8.3f}" for seconds in figures]
        print(f"{format_bytes(size):>8} {'cold' if cold else 'warm':5} {delay * 1e3:3.0f} ms", end="")
        print(f" | {' '.join(shown[:4])} | {' '.join(shown[4:])}")
        for fault in faults(steps, rows[DELAYS_SECONDS[0], size, cold], delay):
            wrong += 1
            print(f"         wrong: {fault}")
    print("as it must be" if not wrong else f"{wrong} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
