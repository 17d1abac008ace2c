"""Runs the real command on tiny scenarios, and looks at the processes and files that it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from loadtests.processes import ROOT

#: Any single thing here happens within two seconds on an idle machine.
PATIENCE_SECONDS = 120.0

POLL_SECONDS = 0.01

TINY = """\
[scenario]
name = "tiny"
clients = [1, 2]
repeats = 1
seed = 7
file_size = "96 KiB"
arrivals = "flash crowd"
trial_limit = "20 s"

[links]
origin_uplink = "8 MiB/s"
origin_downlink = "8 MiB/s"
client_uplink = "4 MiB/s"
client_downlink = "4 MiB/s"

[peers]
piece_length = "16 KiB"
"""

#: The trials at N = 1 end at once; at N = 2 the second client is not due before the test is over.
HANGING = TINY.replace("flash crowd", "every 100 s").replace('"20 s"', '"200 s"')


def write_scenario(folder: Path, text: str = TINY) -> Path:
    """Put a scenario file there."""
    path = folder / "tiny.toml"
    path.write_text(text, encoding="utf-8")
    return path


def temporary_files(folder: Path) -> Path:
    """The folder that commands started here take for temporary files."""
    path = folder / "tmp"
    path.mkdir(exist_ok=True)
    return path


def start(
    folder: Path, *arguments: str | Path, module: str = "loadtests", python_path: str = ""
) -> subprocess.Popen[str]:
    """Start a command whose temporary files lie in this folder."""
    environment = os.environ | {"TMPDIR": str(temporary_files(folder)), "PYTHONPATH": python_path}
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts pytest in the background makes its children deaf to Ctrl-C.
        preexec_fn=_hear_interrupts,
    )


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(
    folder: Path, *arguments: str | Path, module: str = "loadtests", python_path: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    process = start(folder, *arguments, module=module, python_path=python_path)
    with process:
        try:
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def wait_until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Look until it holds; gives what the condition gave.

    Raises:
      AssertionError: it did not hold in time.
    """
    deadline = time.monotonic() + seconds
    never = threading.Event()
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"expected within {seconds:.0f} s: {what}"
        never.wait(POLL_SECONDS)
    return answer


def read_until_trial(process: subprocess.Popen[str], count: int) -> list[dict[str, Any]]:
    """Read what a command with `--json` prints, until so many trials have ended."""
    assert process.stdout is not None
    trials: list[dict[str, Any]] = []
    while len(trials) < count:
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr is not None else ""
        values = json.loads(line)
        if values["event"] == "trial":
            trials.append(values)
    return trials


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """All that descend from a command."""
    try:
        return list(psutil.Process(process.pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def find(process: subprocess.Popen[str], word: str) -> psutil.Process | None:
    """Find the descendant with this argument on its command line."""
    for child in family(process):
        try:
            if word in child.cmdline():
                return child
        except psutil.Error:
            continue
    return None


def wait_for_trial_under_way(process: subprocess.Popen[str], folder: Path) -> list[psutil.Process]:
    """Wait until Locust and both node hosts run and the clients' files are there; gives them all."""

    def under_way() -> bool:
        names = ("locust", "the origin's process", "the clients' process")
        files = list(temporary_files(folder).rglob("client-000002.download"))
        return bool(files) and all(find(process, name) for name in names)

    wait_until(under_way, "Locust, both node hosts and the clients' files")
    return family(process)


def manifest(folder: Path) -> dict[str, Any]:
    """Read a run's own description."""
    text = (folder / "run.json").read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)
    return values


def last_line(text: str) -> str:
    """The last line of a command's output."""
    return text.strip().splitlines()[-1]
