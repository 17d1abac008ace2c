"""Nodes that leave and go on at another address, in either world.

Clients go and come back as the scenario's `sessions` says, until they are done; an origin moves when
`origin_moves` says so. A world gives this module its clock, and says how a place is left and taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from loadtests.plan import TrialPlan
from testbed.moving import await_content, come_back, go_away
from testbed.node import Node
from testbed.sessions import parse_sessions
from testbed.station import Clock, Station

#: How often a tracker that is to leave is asked whether it knows everybody.
LOOK_SECONDS = 0.005


class Wanderers:
    """The nodes of one process that come and go.

    Args:
      plan: The trial.
      clock: Of the world they live in.
      stations: Where each node lives now; kept up to date here.
      leave: Lets a node leave its station: nothing new, and links end after what is on its way.
      settle: Gives a node its next place: called with its number and that of the session, from 1 on.
      peers_known: How many peers a tracker knows.
    """

    def __init__(
        self,
        plan: TrialPlan,
        clock: Clock,
        stations: MutableMapping[int, Any],
        leave: Callable[[Any], None],
        settle: Callable[[int, int], Station],
        peers_known: Callable[[int], int],
    ) -> None:
        sessions = parse_sessions(plan.read_scenario().sessions)
        self.over = False
        """The trial ends: whoever is away stays away."""
        self._away_seconds = 0.0 if sessions is None else sessions.away_seconds
        self._plan = plan
        self._clock = clock
        self._stations = stations
        self._leave = leave
        self._settle = settle
        self._peers_known = peers_known
        self._stays: dict[int, Iterator[float]] = {}
        self._scheduled: dict[int, float] = {}

    def client_came(self, node_id: int, scheduled_seconds: float) -> None:
        """Let a client that was just started for the first time leave when its session is over."""
        stays = self._plan.stays(node_id)
        if stays is not None:
            self._stays[node_id] = stays
            self._scheduled[node_id] = scheduled_seconds
            self._stay(node_id)

    def leave_at(self, when: float, node_id: int) -> None:
        """Let a node leave for good at a time; at none, as a tracker that has heard of every peer."""
        if when < math.inf:
            self._clock.call_at(when, self._leave_for_good, node_id)
        else:
            self._leave_once_all_are_known(node_id)

    def _leave_for_good(self, node_id: int) -> None:
        if not self.over:
            self._leave(self._stations[node_id])

    def _leave_once_all_are_known(self, node_id: int) -> None:
        station: Station = self._stations[node_id]
        if self.over or station.ledger.left_seconds is not None:
            return
        if self._peers_known(node_id) > self._plan.clients:  # The origin is one of them.
            self._leave(station)
        else:
            soon = self._clock.now() + LOOK_SECONDS
            self._clock.call_at(soon, self._leave_once_all_are_known, node_id)

    def move_at(self, when: float, node_id: int) -> None:
        """Let an origin go on at another address from a time on."""
        self._clock.call_at(when, self._move, node_id)

    def _stay(self, node_id: int) -> None:
        leaves_at = self._clock.now() + next(self._stays[node_id])
        self._clock.call_at(leaves_at, self._go, node_id)

    def _go(self, node_id: int) -> None:
        station: Station = self._stations[node_id]
        if self._is_done(station):
            return
        now = self._clock.now()
        self._leave(station)
        go_away(station, now)
        self._clock.call_at(now + self._away_seconds, self._come_back, node_id)

    def _come_back(self, node_id: int) -> None:
        if self._is_done(self._stations[node_id]):
            return
        station = self._take_next_place(node_id)
        await_content(station, self._clock.now())
        station.start(self._scheduled[node_id])
        self._stay(node_id)

    def _move(self, node_id: int) -> None:
        station: Station = self._stations[node_id]
        if self.over or station.ledger.left_seconds is not None:
            return
        now = self._clock.now()
        self._leave(station)
        go_away(station, now)
        self._take_next_place(node_id).start(now)

    def _take_next_place(self, node_id: int) -> Station:
        earlier: Station = self._stations[node_id]
        later = self._settle(node_id, earlier.ledger.sessions)
        come_back(earlier, later, self._clock.now())
        self._stations[node_id] = later
        return later

    def _is_done(self, station: Station) -> bool:
        """Whether it has what it came for, or gave up, or is gone for good."""
        ledger = station.ledger
        return self.over or ledger.verified or bool(ledger.outcome) or ledger.left_seconds is not None


def peers_known(node: Node) -> int:
    """How many peers a tracker knows; of another node, none."""
    known: int = getattr(node, "peers_known", 0)
    return known
