"""What connections cost a host that do nothing: in its own memory, and in the kernel's."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator

from benchmarks.file_host_contestants import Running

IDLE_CONNECTIONS = 2000

#: Memory has settled when it did not change for so long.
SETTLE_SECONDS = 0.5


@contextlib.contextmanager
def _asked(port: int, path: str, connections: int) -> Iterator[list[socket.socket]]:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    socks: list[socket.socket] = []
    try:
        for _ in range(connections):
            sock = socket.create_connection(("127.0.0.1", port), timeout=10.0)
            socks.append(sock)
            sock.sendall(request)
        yield socks
    finally:
        for sock in socks:
            sock.close()


def idle_bytes_each(host: Running, path: str) -> float:
    """Resident memory that each of 2000 connections takes, which have had one answer and wait.

    A first crowd that leaves again fills caches and the allocator's reserves, and is not counted.
    """
    with _asked(host.port, path, 64) as socks:
        for sock in socks:
            sock.recv(4096)
    before = _settled(host)
    with _asked(host.port, path, IDLE_CONNECTIONS) as socks:
        for sock in socks:
            sock.recv(4096)
        return (_settled(host) - before) / IDLE_CONNECTIONS


def _settled(host: Running) -> int:
    last, since = host.resident_bytes(), time.monotonic()
    while time.monotonic() - since < SETTLE_SECONDS:
        time.sleep(0.05)
        if (resident := host.resident_bytes()) != last:
            last, since = resident, time.monotonic()
    return last


def stalled_kernel_bytes(host: Running, path: str, readers: int) -> float | None:
    """Kernel memory behind each reader that asks for a large file and never reads: the median.

    Counted are the buffers of the host's own sockets (`ss -m`). None: ss is not installed.
    """
    if shutil.which("ss") is None:
        return None
    with _asked(host.port, path, readers):
        last, since = _queued(host.port), time.monotonic()
        while time.monotonic() - since < 2 * SETTLE_SECONDS:
            time.sleep(0.05)
            if (queued := _queued(host.port)) != last:
                last, since = queued, time.monotonic()
        return statistics.median(last) if last else None


def _queued(port: int) -> list[int]:
    """Memory of each socket at a host's port: what it has received and what it has to send."""
    text = subprocess.run(
        ["ss", "-Htmn", "state", "established", f"( sport = :{port} )"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    ).stdout
    found = re.findall(r"skmem:\(r(\d+),rb\d+,t(\d+),tb\d+,f(\d+),w(\d+)", text)
    return sorted(int(received) + int(forward) + int(queued) for received, _, forward, queued in found)
