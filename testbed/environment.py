"""On what a run was measured: versions, processor, kernel, settings of the network. No host names."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

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
    """Describe this machine and this copy of the suite."""
    from testbed.sockets import CONGESTION_CONTROL, SHAPED_BUFFER_BYTES

    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain")),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.system(),
        "kernel": platform.release(),
        "congestion_control": CONGESTION_CONTROL.decode(),
        "shaped_buffer_bytes": SHAPED_BUFFER_BYTES,
        "settings": {name: _setting(name) for name in SETTINGS},
    }


def version() -> str:
    """The suite's own version, from its metadata or, in a checkout, its project file."""
    try:
        return importlib.metadata.version("swarm-or-server")
    except importlib.metadata.PackageNotFoundError:
        import tomllib

        project = Path(__file__).parent.parent / "pyproject.toml"
        with project.open("rb") as file:
            return str(tomllib.load(file)["project"]["version"])


def _git(*arguments: str) -> str:
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
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


def _setting(name: str) -> str:
    try:
        return " ".join(Path("/proc/sys", *name.split(".")).read_text().split())
    except OSError:
        return ""
