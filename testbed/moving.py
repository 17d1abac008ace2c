"""A node that goes on at another address: a new node in a new place, and one record of both.

Whoever leaves and comes back is a new `Node` on a new `Station`, as a program that was started again on
another network is: nothing on its way to the old address can reach it. What was counted goes on.
"""

from __future__ import annotations

from testbed.node import Effect, Event, Node, Received, Tally
from testbed.station import Station


def go_away(station: Station, now: float) -> None:
    """Note that a node which has just left its place means to come back."""
    station.ledger.left_seconds = None
    station.ledger.went_away_seconds = now


def come_back(earlier: Station, later: Station, now: float) -> None:
    """Let a node's new station go on with the record of its last one, before it is started."""
    ledger = later.ledger = earlier.ledger
    later.transfers = earlier.transfers
    later.on_transfer = earlier.on_transfer
    later.on_finished = earlier.on_finished
    ledger.sessions += 1
    if ledger.went_away_seconds is not None:
        ledger.away_seconds += now - ledger.went_away_seconds
        ledger.went_away_seconds = None


def await_content(station: Station, now: float) -> None:
    """Note in the ledger how long it takes from now until content reaches this node."""
    station.node = _UntilContent(station, station.node, now)


class _UntilContent:
    """Stands before a node until content reaches it, so that afterwards nothing is in the way."""

    def __init__(self, station: Station, node: Node, came_back_at: float) -> None:
        self._station = station
        self._node = node
        self._came_back_at = came_back_at
        self.tally: Tally = node.tally

    @property
    def deadline(self) -> float | None:
        return self._node.deadline

    def handle(self, event: Event, now: float) -> list[Effect]:
        if type(event) is Received and event.message.payload_bytes:
            ledger = self._station.ledger
            took = now - self._came_back_at
            ledger.rediscovery_seconds = max(ledger.rediscovery_seconds or 0.0, took)
            self._station.node = self._node
        return self._node.handle(event, now)
