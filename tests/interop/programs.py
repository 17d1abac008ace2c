"""Programs that take part in the interop tests: ours as processes, and clients nobody here wrote.

Every program gets a loopback address of its own where it can have one, and all that it needs on the
command line; none is special-cased on our side.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

SECONDS = 120
"""Longest wait for anything. All of it takes a few seconds; a machine may be very slow."""


def needs(program: str) -> str:
    """Give the path of a program, or skip the test."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


class Program:
    """A running process whose output is read as it comes, so that no pipe fills up."""

    def __init__(self, command: Sequence[object]) -> None:
        self.lines: list[str] = []
        self._said = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._said:
                self.lines.append(line)
                self._said.notify_all()
        with self._said:
            self._ended = True
            self._said.notify_all()

    @property
    def output(self) -> str:
        """All that it has said."""
        return "".join(self.lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the output matches."""
        with self._said:
            self._said.wait_for(lambda: self._ended or re.search(pattern, self.output), SECONDS)
            found = re.search(pattern, self.output)
        assert found, f"waited for {pattern!r}, and it said:\n{self.output}"
        return found

    def exit_code(self) -> int:
        """Wait for its end."""
        code = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        return code

    def stop(self) -> None:
        """End it, politely at first."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def running(*command: object) -> Iterator[Program]:
    """Run a program for as long as the block."""
    program = Program(command)
    try:
        yield program
    finally:
        program.stop()


# --- Ours -----------------------------------------------------------------------------------


def ours(command: str, *arguments: object) -> contextlib.AbstractContextManager[Program]:
    """Run one of our commands."""
    return running(sys.executable, "-m", "peers", command, *arguments)


#: A client remembers for a minute by host what a tracker over UDP gave it; each here is another one.
TRACKER_HOSTS = (f"127.0.3.{number}" for number in itertools.count(1))


@contextlib.contextmanager
def our_tracker(scheme: str = "http", host: str = "") -> Iterator[str]:
    """Run our tracker; gives its announce URL."""
    with ours("track", "--port", 0, "--host", host or next(TRACKER_HOSTS)) as program:
        yield program.wait_for(scheme + r"://\S+")[0]


@contextlib.contextmanager
def our_seed(torrent: Path, data: Path, *options: object) -> Iterator[Program]:
    """Offer the file of a torrent, and wait until it is offered."""
    with ours("seed", torrent, "--data", data, *options) as program:
        program.wait_for("seeding")
        yield program


# --- Theirs ---------------------------------------------------------------------------------


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Find a port that is free now, for programs that cannot choose one themselves and say so."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def aria2(torrent: object, folder: Path, *options: str) -> contextlib.AbstractContextManager[Program]:
    """Run aria2c on one torrent; it ends when complete unless an option says otherwise."""
    return running(
        needs("aria2c"),
        "--no-conf=true",
        f"--dir={folder}",
        f"--listen-port={free_port()}",
        "--enable-dht=false",
        "--enable-dht6=false",
        "--bt-enable-lpd=false",
        "--file-allocation=none",
        "--summary-interval=0",
        "--check-certificate=false",
        *options,
        torrent,
    )


@contextlib.contextmanager
def opentracker(folder: Path, *info_hashes: bytes) -> Iterator[int]:
    """Run opentracker for these torrents; gives its port, the same for HTTP and UDP.

    Debian's build introduces only peers of torrents on its whitelist. As root it changes its root to
    the folder and becomes nobody.
    """
    command = needs("opentracker")
    root = folder / "opentracker"
    root.mkdir(mode=0o755)
    (root / "whitelist").write_text("".join(f"{info_hash.hex()}\n" for info_hash in info_hashes))
    port = free_port()
    options = ["-i", "127.0.0.1", "-p", port, "-P", port, "-d", root, "-w", "whitelist"]
    with running(command, *options) as program:
        for _ in range(SECONDS * 10):
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert program.process.poll() is None, program.output
            threading.Event().wait(0.1)
        yield port
