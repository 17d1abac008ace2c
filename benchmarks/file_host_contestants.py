"""The file hosts that are compared: how each is started on a directory, pinned to a core.

All serve the same files and all of them send with cubic: a listening socket with that congestion
control is made here and handed down (nginx takes it as if its own predecessor had left it, through the
variable NGINX). Ours makes its own, with the same.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed.sockets import CONGESTION_CONTROL, LISTEN_BACKLOG

ROOT = Path(__file__).parent.parent

#: A host that does not answer after so long is not going to.
START_SECONDS = 20.0

NAMES = ("ours", "nginx", "aiohttp", "hypercorn")

#: Ours on another engine, for decision 8; takes part only if it is asked for.
TASKS = "tasks"

_OURS = {"ours": "servers", TASKS: "benchmarks.file_host_tasks"}

_NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.error.log;
events {{ worker_connections 8192; }}
http {{
  access_log {access_log};
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    root {directory};
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A host that answers: where, and which process does the work."""

    name: str
    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Processor time of the process so far, in the kernel and out of it."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Memory of the process that lies in RAM now."""
        pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


def missing(name: str) -> str | None:
    """Why a contestant cannot take part, or None."""
    if name == "nginx":
        return None if _nginx_path() else "nginx is not installed"
    wanted = {"aiohttp": ("aiohttp", "uvloop"), "hypercorn": ("hypercorn",)}.get(name, ())
    absent = [package for package in wanted if importlib.util.find_spec(package) is None]
    return f"{' and '.join(absent)} not installed" if absent else None


def _nginx_path() -> str | None:
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


@contextlib.contextmanager
def running(
    name: str,
    directory: Path,
    folder: Path,
    core: int,
    options: tuple[str, ...] = (),
    *,
    logs: bool = False,
) -> Iterator[Running]:
    """Run a host until the block is left.

    Args:
      directory: What it serves.
      folder: Where it may write: logs, temporary files.
      core: The processor it is pinned to.
      options: For ours, further options of `python -m servers serve`.
      logs: Whether nginx writes an access log. Ours always does.

    Raises:
      RuntimeError: it ended or did not answer in time; says what it wrote last.
    """
    listener = _listener()
    port = listener.getsockname()[1]
    descriptor = listener.fileno()
    environment = dict(os.environ)
    inherited: tuple[int, ...] = (descriptor,)
    if name in _OURS:
        listener.close()
        inherited = ()
        command = [
            sys.executable,
            "-m",
            _OURS[name],
            "serve",
            str(directory),
            "--port",
            str(port),
            *options,
        ]
    elif name == "nginx":
        access_log = f"{folder}/access.log" if logs else "off"
        config = folder / "nginx.conf"
        text = _NGINX.format(folder=folder, port=port, directory=directory, access_log=access_log)
        config.write_text(text, encoding="utf-8")
        environment["NGINX"] = f"{descriptor};"
        command = [str(_nginx_path()), "-c", str(config), "-e", f"{folder}/nginx.error.log"]
    else:
        app = "benchmarks.file_host_apps"
        command = [sys.executable, "-m", app, name, str(directory), str(descriptor)]
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env=environment,
            pass_fds=inherited,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
    if name not in _OURS:
        listener.close()
    try:
        _await_answer(process, port, log)
        yield Running(name, port, _worker(process.pid) if name == "nginx" else process.pid)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listener() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with contextlib.suppress(AttributeError, OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, CONGESTION_CONTROL)
    sock.bind(("127.0.0.1", 0))
    sock.listen(LISTEN_BACKLOG)
    return sock


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Ask until there is an answer: a handed-down socket takes connections before its host runs."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2.0) as sock:
                sock.sendall(
                    b"HEAD /small.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                )
                if sock.recv(12).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    raise RuntimeError(f"{log.stem} does not answer: {last[0] if last else 'it said nothing'}")


def _worker(master: int) -> int:
    """The one child of nginx's master: it has answered, so it is there."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii").split()
    return int(children[0]) if children else master
