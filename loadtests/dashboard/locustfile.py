"""Locust as the dashboard runs it; started by `python -m loadtests dashboard`, never by hand.

Locust has been imported, and has patched the sockets, before it reads this.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from locust import LoadTestShape, User, events, stats, task

# The `locust` command does not look for packages where the project is.
sys.path.append(str(Path(__file__).resolve().parent.parent.parent))

from loadtests.dashboard import honest_times, routes
from loadtests.dashboard.page import Page
from loadtests.processes import die_with_parent, ignore_terminal_interrupts

#: All users of a step at once: when each client joins is the scenario's business.
SPAWN_RATE = 100.0

#: Locust draws its charts of a page that is opened late from what it noted: a step of N takes seconds.
stats.HISTORY_STATS_INTERVAL_SEC = 1

PAGE = Page()


class Client(User):
    """Stands for one client of the trial that is under way."""

    @task
    def report_a_client_that_is_done(self) -> None:
        """Wait until a client is done, and report its own times."""
        PAGE.report(PAGE.arrivals.get(), self.environment.events.request)


class Sweep(LoadTestShape):
    """As many users as the trial that is under way has clients."""

    def tick(self) -> tuple[int, float] | None:
        """Follow the sweep; None ends Locust's test when the run is over."""
        return None if PAGE.over else (PAGE.clients, SPAWN_RATE)

    def reset_time(self) -> None:
        """Begin: called by Locust each time it is started."""
        super().reset_time()  # type: ignore[no-untyped-call]
        PAGE.start_over()


def add_options(parser: Any) -> None:
    """Add what the sweep tells when it starts this process."""
    parser.add_argument(
        "--parent-pid", type=int, default=0, help=argparse.SUPPRESS, include_in_web_ui=False
    )


def on_init(environment: Any, **_: Any) -> None:
    """Tie this process to the sweep and put the pages where Locust's is."""
    if not environment.parsed_options.parent_pid:
        raise SystemExit("expected to be started by: python -m loadtests dashboard SCENARIO")
    die_with_parent(environment.parsed_options.parent_pid)
    ignore_terminal_interrupts()
    honest_times.install(environment)
    routes.install(environment, PAGE.board)
    PAGE.connect(environment)


def _listen() -> None:
    listeners: list[tuple[Any, Callable[..., None]]] = [
        (events.init_command_line_parser, lambda parser, **_: add_options(parser)),
        (events.init, on_init),
        (events.test_start, lambda **_: PAGE.test_started()),
        (events.test_stopping, lambda **_: PAGE.test_stopping()),
    ]
    for event, listener in listeners:
        event.add_listener(listener)


_listen()
