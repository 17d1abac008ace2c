"""Imports point one way: data moves down the page of docs/architecture.md and never back up."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: What each package may import of the others. `peers` uses the HTTP of `servers` for its tracker.
MAY_IMPORT = {
    "testbed": set(),
    "servers": {"testbed"},
    "peers": {"testbed", "servers"},
    "analysis": {"testbed"},
    "loadtests": {"testbed", "servers", "peers", "analysis"},
}

#: Pure modules: no clock, no sockets, no event loop.
IMPURE = {"time", "socket", "select", "trio", "asyncio", "threading", "gevent"}
PURE = [
    *(ROOT / "peers" / "core").glob("*.py"),
    *(ROOT / "peers" / "wire").glob("*.py"),
    ROOT / "peers" / "tracker.py",
    ROOT / "peers" / "registry.py",
    ROOT / "servers" / "node.py",
    ROOT / "servers" / "downloader.py",
    ROOT / "testbed" / "node.py",
    ROOT / "testbed" / "link.py",
    ROOT / "testbed" / "station.py",
]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_lies_before_it(package):
    others = set(MAY_IMPORT) - {package} - MAY_IMPORT[package]
    for path in (ROOT / package).rglob("*.py"):
        above = {name for name in imported(path) if name.partition(".")[0] in others}
        assert not above, f"{path.relative_to(ROOT)} imports {sorted(above)}"


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_node_has_no_clock_and_no_sockets(path):
    assert not {name.partition(".")[0] for name in imported(path)} & IMPURE


def test_inside_the_core_only_the_peer_calls_the_others():
    """A star, not a web: all parts know the state, and a half of the peer the parts it is made of."""
    state = {"peers.core.session", "peers.core.bitfield", "peers.core.state"}
    halves = {
        "download": {"peers.core.picker", "peers.core.progress"},
        "upload": {"peers.core.serving", "peers.core.choking", "peers.core.suggesting"},
        "super_seeding": {"peers.core.peer", "peers.core.picker"},
    }
    for path in (ROOT / "peers" / "core").glob("*.py"):
        if path.stem == "peer":
            continue
        for name in imported(path):
            if name.startswith("peers.core"):
                allowed = state | halves.get(path.stem, set())
                assert name in allowed, f"{path.name} imports {name}"


@pytest.mark.parametrize("module", ["loadtests.server_arm", "loadtests.swarm_arm"])
def test_a_locustfile_brings_in_no_trio_and_no_pandas(module):
    """Trio cannot run in a process that gevent has patched, and pandas is half a second a trial."""
    code = (
        "import locust, sys\n"
        f"import {module}\n"
        "print([name for name in ('trio', 'pandas', 'pyarrow', 'matplotlib') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"
