"""On what a run was measured: versions, processor, kernel, settings of the network. No host names."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import socket
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from testbed.sockets import SHAPED_BUFFER_BYTES, new_socket

PROJECT = Path(__file__).resolve().parent.parent

#: Packages whose version can change a result.
PACKAGES = ("fastbencode", "gevent", "httptools", "locust", "msgspec", "numpy", "pyarrow", "trio")

#: Settings of the kernel that can change a result.
SETTINGS = (
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.core.rmem_max",
    "net.core.wmem_max",
    "net.core.somaxconn",
)


def capture() -> dict[str, Any]:
    """Describe this machine and this copy of the suite, for run.json.

    What cannot be found out is an empty text: a kernel without these settings, a copy without git.
    `dirty` says whether tracked files differ from the commit, and is None without one.
    """
    commit = _git("rev-parse", "HEAD") if _is_checkout() else ""
    return {
        "version": version(),
        "commit": commit,
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")) if commit else None,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": _usable_cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.system(),
        "kernel": platform.release(),
        "congestion_control": _congestion_control(),
        "shaped_buffer_bytes": SHAPED_BUFFER_BYTES,
        "settings": {name: _setting(name) for name in SETTINGS},
    }


def version() -> str:
    """The suite's own version, from its metadata or, in a checkout, its project file."""
    try:
        return importlib.metadata.version("swarm-or-server")
    except importlib.metadata.PackageNotFoundError:
        with (PROJECT / "pyproject.toml").open("rb") as file:
            return str(tomllib.load(file)["project"]["version"])


def _is_checkout() -> bool:
    """Whether git knows this very folder: a copy inside somebody else's repository is not it."""
    top = _git("rev-parse", "--show-toplevel")
    return bool(top) and Path(top).resolve() == PROJECT


def _git(*arguments: str) -> str:
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _usable_cores() -> int:
    """How many cores this process may run on; a container often has fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _congestion_control() -> str:
    """What a socket of the testbed really gets, which need not be what it asks for."""
    option = getattr(socket, "TCP_CONGESTION", None)
    if option is None:
        return ""
    with new_socket(shaped=False) as sock:
        return sock.getsockopt(socket.IPPROTO_TCP, option, 16).rstrip(b"\0").decode()


def _setting(name: str) -> str:
    try:
        return " ".join(Path("/proc/sys", *name.split(".")).read_text().split())
    except OSError:
        return ""
