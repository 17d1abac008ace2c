"""What drives the hosts: wrk for small files, and a client that reads large for large ones.

wrk reads 8 KiB at a time and is the slower side with large files; nothing here times a request itself.
"""

from __future__ import annotations

import contextlib
import re
import select
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from http.client import HTTPConnection

READ_BYTES = 1 << 20

_UNIT_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True)
class Requests:
    """What wrk measured."""

    count: int
    seconds: float
    p99_seconds: float
    errors: int
    """Answers that are no success, and connections that broke."""


def has_wrk() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def run_wrk(port: int, path: str, connections: int, seconds: int) -> Requests:
    """Ask for one file again and again over kept connections.

    Raises:
      RuntimeError: wrk said something else than it should.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    result = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=False,
    )
    return parse_wrk(result.stdout)


def parse_wrk(text: str) -> Requests:
    """Read wrk's report.

    Raises:
      RuntimeError: it is none.
    """
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", text)
    if total is None or p99 is None:
        raise RuntimeError(f"wrk gave no report: {text.strip()[-200:]!r}")
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return Requests(
        count=int(total[1]),
        seconds=float(total[2]) * _UNIT_SECONDS[total[3]],
        p99_seconds=float(p99[1]) * _UNIT_SECONDS[p99[2]],
        errors=sum(map(int, errors.groups() if errors else ())) + int(failed[1] if failed else 0),
    )


def await_digest(port: int, path: str) -> bool:
    """Have the SHA-256 of a file computed (RFC 9530), and say whether the host knows what that is."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30.0)
    with contextlib.closing(connection):
        connection.request("HEAD", path, headers={"Want-Repr-Digest": "sha-256=1"})
        return connection.getresponse().getheader("Repr-Digest") is not None


@dataclass(slots=True)
class _Reader:
    """One connection: what is still to come of the answer, and what has come in all."""

    sock: socket.socket
    missing: int = 0
    received: int = 0


class LargeReads:
    """Downloads one file over and over on several connections, read 1 MiB at a time in one thread.

    Bodies are counted and thrown away. Used as a context; connections are closed at its end.
    """

    def __init__(self, port: int, path: str, size_bytes: int, connections: int) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self._size_bytes = size_bytes
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._readers: dict[int, _Reader] = {}
        self._epoll = select.epoll()
        for _ in range(connections):
            sock = socket.create_connection(("127.0.0.1", port), timeout=10.0)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._readers[sock.fileno()] = _Reader(sock)
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    def __enter__(self) -> LargeReads:
        """Ask for the file on every connection, and take the heads."""
        for reader in self._readers.values():
            self._ask(reader)
        for reader in self._readers.values():
            reader.sock.setblocking(False)
        return self

    def __exit__(self, *exc: object) -> None:
        self._epoll.close()
        for reader in self._readers.values():
            reader.sock.close()

    def received(self) -> list[int]:
        """Bytes of bodies that each connection has received so far."""
        return [reader.received for reader in self._readers.values()]

    def read_until(self, deadline: float) -> None:
        """Read on until the monotonic time `deadline`.

        Raises:
          RuntimeError: a connection ended or an answer is none of the expected size.
        """
        while (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in self._epoll.poll(left):
                self._read(self._readers[descriptor])

    def _read(self, reader: _Reader) -> None:
        try:
            count = reader.sock.recv_into(self._buffer, min(READ_BYTES, reader.missing))
        except BlockingIOError:
            return
        if count == 0:
            raise RuntimeError("the host ended a download")
        reader.received += count
        reader.missing -= count
        if not reader.missing:
            reader.sock.setblocking(True)
            self._ask(reader)
            reader.sock.setblocking(False)

    def _ask(self, reader: _Reader) -> None:
        """Send a request and take its head, byte-exactly; the body stays in the socket."""
        reader.sock.sendall(self._request)
        peeked = b""
        while b"\r\n\r\n" not in peeked:
            peeked = reader.sock.recv(4096, socket.MSG_PEEK)
            if not peeked:
                raise RuntimeError("the host ended a connection")
        head = peeked[: peeked.index(b"\r\n\r\n") + 4]
        reader.sock.recv(len(head))
        if not head.startswith(b"HTTP/1.1 200") or b"chunked" in head.lower():
            raise RuntimeError(f"unexpected answer: {head[:40]!r}")
        reader.missing = self._size_bytes
