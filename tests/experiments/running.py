"""Runs the command in this process, where it needs no socket and no process, and reads its answer."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from loadtests import __main__ as command

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    exit_code: int
    summary: dict[str, Any]
    """Of the run or the experiment; empty if there is none."""
    said: str
    """On standard error."""
    reasons: tuple[str, ...] = ()
    """Why the run is not complete."""

    @property
    def variants(self) -> dict[str, dict[str, Any]]:
        """The summaries of an experiment's variants, by name."""
        return {one["name"]: one for one in self.summary["variants"]}


def run_command(*arguments: str | Path) -> Ended:
    """Run `python -m loadtests run … --json` here."""
    out, err = io.StringIO(), io.StringIO()
    words = ["loadtests", "run", *map(str, arguments), "--json"]
    with (
        mock.patch.object(sys, "argv", words),
        _signals_as_before(),
        # Nobody looks at these reports; to draw them takes longer than most of the runs.
        mock.patch("analysis.report.make_charts", return_value=[]),
        mock.patch("analysis.experiment_report.experiment_charts", return_value=[]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            exit_code = command.main()
        except SystemExit as ended:
            exit_code = int(ended.code or 0)
    lines = out.getvalue().splitlines()
    last = json.loads(lines[-1]) if lines else {}
    return Ended(exit_code, last.get("summary", {}), err.getvalue(), tuple(last.get("reasons", ())))


@contextlib.contextmanager
def _signals_as_before() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def run_scenario(name: str, output: Path, *arguments: str | Path) -> Ended:
    """Run one of the scenario files, in the world that it names first unless told otherwise."""
    return run_command(ROOT / "scenarios" / f"{name}.toml", "--output", output, *arguments)


def point(summary: dict[str, Any], architecture: str, clients: int) -> dict[str, Any]:
    """Find one architecture at one N in a summary."""
    (found,) = (
        one
        for one in summary["points"]
        if (one["architecture"], one["clients"]) == (architecture, clients)
    )
    return found


def makespan(summary: dict[str, Any], architecture: str, clients: int) -> float:
    """The makespan of one architecture at one N."""
    return float(point(summary, architecture, clients)["makespan_seconds"]["median"])
