"""Starts the dashboard as a person does, and looks at its page through a real browser."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loadtests.running import PATIENCE_SECONDS, family, start, wait_until

CHROMIUM = shutil.which("chromium")

#: Every client takes four seconds for its file, so that there is something to be seen on the way.
WATCHABLE = """\
[scenario]
name = "watchable"
question = "Does it move?"
clients = [2, 3]
repeats = 1
seed = 7
file_size = "512 KiB"
arrivals = "flash crowd"
trial_limit = "60 s"

[links]
origin_uplink = "1 MiB/s"
origin_downlink = "1 MiB/s"
client_uplink = "128 KiB/s"
client_downlink = "128 KiB/s"

[peers]
piece_length = "16 KiB"
"""

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, which is not installed")


@contextlib.contextmanager
def dashboard(
    folder: Path, scenario: Path, *options: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run it with a page on some free port; gives the process and the page's address."""
    process = start(
        folder, "dashboard", scenario, "--port", "0", "--json", "--output", folder / "results", *options
    )
    try:
        yield process, read_address(process)
    finally:
        end(process)


def read_address(process: subprocess.Popen[str]) -> str:
    """Read where the page is from the first line that the dashboard prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr is not None else ""
    values = json.loads(line)
    assert values["event"] == "page"
    return str(values["address"])


def end(process: subprocess.Popen[str]) -> None:
    """Leave nothing of it behind, whatever a test has found."""
    children = family(process)
    process.kill()
    process.communicate()
    for child in children:
        with contextlib.suppress(Exception):
            child.kill()


def fetch(address: str) -> str:
    """Get what is at an address of the page."""
    with urllib.request.urlopen(address, timeout=PATIENCE_SECONDS) as response:
        text: str = response.read().decode()
    return text


def state_of(address: str) -> dict[str, Any]:
    """Ask the page where the run is."""
    state: dict[str, Any] = json.loads(fetch(f"{address}swarm-or-server/state.json"))
    return state


def wait_for_stage(address: str, stage: str, seconds: float) -> dict[str, Any]:
    """Wait until the run is there; gives the state."""

    def there() -> dict[str, Any] | None:
        state = state_of(address)
        return state if state["run"]["stage"] == stage else None

    state: dict[str, Any] = wait_until(there, f"the run to be {stage}", seconds)
    return state


def rows_at(address: str) -> list[dict[str, str]]:
    """Read a CSV that the page offers."""
    return list(csv.DictReader(io.StringIO(fetch(address))))
