"""The page's process, under Locust and gevent: what the sweep tells becomes users, requests, a board.

The trials are made elsewhere, each in a Locust process of its own as in every run, so that the page
measures nothing and disturbs little. Here one Locust user stands for one client of the trial that is
under way; when a client is done, a user reports the client's own times to Locust's statistics. Users
are interchangeable: whoever is free takes the next client that is done.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.queue import Queue

from loadtests.dashboard.board import Board
from loadtests.dashboard.events import (
    Began,
    Concluded,
    Ended,
    FromPage,
    Lines,
    Listening,
    Moved,
    Planned,
    StartAsked,
    StopAsked,
    ToPage,
    decode_to_page,
    encode_line,
)
from loadtests.plan import Architecture
from loadtests.watching import ClientOutcome

READ_BYTES = 64 * 1024

LISTENING_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Arrival:
    """A client that is done, on its way into Locust's statistics."""

    architecture: Architecture
    clients: int
    outcome: ClientOutcome


class Page:
    """What this process knows."""

    def __init__(self) -> None:
        self.board = Board()
        self.arrivals: Queue[Arrival] = Queue()
        self.clients = 1
        """N of the trial that is under way: so many users are wanted."""
        self._told: set[int] = set()
        self._began: Began | None = None
        self._concluded = False
        self._sweep: socket.socket | None = None

    # --- From the sweep ---------------------------------------------------------------------

    def connect(self, environment: Any) -> None:
        """Hear the sweep, which holds the other end of standard input, from now on."""
        self._sweep = socket.socket(fileno=os.dup(0))
        gevent.spawn(self._read, environment)
        gevent.spawn(self._say_when_listening, environment.web_ui)

    def _read(self, environment: Any) -> None:
        lines = Lines()
        assert self._sweep is not None
        while data := self._sweep.recv(READ_BYTES):
            for line in lines.feed(data):
                event = decode_to_page(line)
                self.apply(event)
                if isinstance(event, Planned):
                    # Locust's page shows it in its head, and files are named after it.
                    environment.host = event.scenario
        # The sweep has closed the page, or is gone: there is nothing here to be saved.
        os._exit(0)

    def apply(self, event: ToPage) -> None:
        """Take in what the sweep told."""
        self.board.apply(event)
        match event:
            case Planned():
                self._concluded = False
                self.clients = event.clients[0]
            case Began():
                self._began = event
                self._told.clear()
                self.clients = event.clients
            case Moved():
                self._arrive(event.progress.outcomes)
            case Ended():
                self._arrive(event.outcomes)
                if event.status != "complete":
                    self._give_up(event.reason)
            case Concluded():
                self._concluded = True

    def _arrive(self, outcomes: tuple[ClientOutcome, ...]) -> None:
        began = self._began
        if began is None:
            return
        for outcome in outcomes:
            self._told.add(outcome.node_id)
            self.arrivals.put(Arrival(began.architecture, began.clients, outcome))

    def _give_up(self, reason: str) -> None:
        """Count a failure for each client of a failed trial that was not done."""
        if self._began is not None:
            missing = set(range(1, self._began.clients + 1)) - self._told
            self._arrive(tuple(ClientOutcome(client, None, 0.0, reason) for client in missing))

    @property
    def over(self) -> bool:
        """Whether the run is over and all that is done has been reported."""
        return self._concluded and self.arrivals.empty()

    # --- To the sweep -----------------------------------------------------------------------

    def tell(self, event: FromPage) -> None:
        """Say something to the sweep."""
        assert self._sweep is not None
        self._sweep.sendall(encode_line(event))

    def _say_when_listening(self, web_ui: Any) -> None:
        while web_ui.server is None or not web_ui.server.started:
            gevent.sleep(LISTENING_POLL_SECONDS)
        self.tell(Listening())

    def start_over(self) -> None:
        """Forget that a run is over: Locust is about to start another."""
        self._concluded = False

    def test_started(self) -> None:
        """Pass on that Locust has started."""
        self.tell(StartAsked())

    def test_stopping(self) -> None:
        """Pass on that Locust was stopped, unless that is because the run is over."""
        if not self._concluded:
            self.tell(StopAsked())

    # --- Into Locust's statistics -----------------------------------------------------------

    def report(self, arrival: Arrival, request: Any) -> None:
        """Report the times of a client that is done.

        Args:
          arrival: The client.
          request: Locust's event hook for requests.
        """
        outcome = arrival.outcome
        # Padded, since Locust's page sorts names as text.
        crowd = f"N = {arrival.clients:>5}"
        common: dict[str, Any] = {
            "request_type": arrival.architecture,
            "context": {},
            "start_time": time.time() - outcome.whole_file_seconds,
        }
        if outcome.first_byte_seconds is not None:
            request.fire(
                name=f"{crowd}: first byte",
                response_time=outcome.first_byte_seconds * 1000,
                response_length=0,
                exception=None,
                **common,
            )
        plan = self.board.plan
        request.fire(
            name=f"{crowd}: whole file",
            response_time=outcome.whole_file_seconds * 1000,
            response_length=plan.file_bytes if plan is not None and not outcome.problem else 0,
            exception=RuntimeError(outcome.problem) if outcome.problem else None,
            **common,
        )
