"""What one trial is to do: everything its processes need to know, as one message.

The sweep writes a plan, Locust reads it and passes it on to its node hosts. Nothing else reaches
them: no environment variable and no file of settings changes a result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any, Literal

import msgspec

from testbed.arrivals import due_times, parse_departures
from testbed.cast import Cast
from testbed.content import Content
from testbed.load import wanted_bytes
from testbed.outages import NEVER, parse_tracker_outage
from testbed.replacement import parse_replacement
from testbed.scenario import Scenario, from_dict
from testbed.sessions import parse_sessions

Architecture = Literal["server", "swarm"]

ARCHITECTURES: tuple[Architecture, ...] = ("server", "swarm")

RESULT = "result.msgpack"
"""Where Locust leaves the trial's record, in the trial's folder."""


class ContentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`testbed.content.Content` on its way to another process."""

    path: str
    size_bytes: int
    sha256: str
    name: str


class TrialPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One trial."""

    architecture: Architecture
    clients: int
    repeat: int
    order: int
    """Its place in the order in which the trials of the run are made."""
    scenario: dict[str, Any]
    """`Scenario.to_dict()`."""
    content: ContentPlan
    folder: str
    """Absolute. Clients' files, logs and the result lie here; whoever made it removes it."""
    trace: bool = False
    watch: bool = False
    """Tell each node's counters on the way, four times a second: somebody looks at them."""

    @property
    def placement(self) -> str:
        """How its roles are placed in processes."""
        return self.read_scenario().placement(self.repeat)

    @property
    def seed(self) -> int:
        """What every random choice of its nodes derives from: both arms of a repeat share it."""
        return Random(f"trial {self.scenario['seed']} {self.repeat}").getrandbits(48)

    def read_scenario(self) -> Scenario:
        """Rebuild the scenario."""
        return from_dict(self.scenario)

    def read_content(self) -> Content:
        """Rebuild the content."""
        content = self.content
        return Content(Path(content.path), content.size_bytes, content.sha256, content.name)

    def due_seconds(self) -> tuple[float, ...]:
        """When each client is to join, from the first order on. The same for both architectures."""
        rng = Random(f"arrivals {self.scenario['seed']} {self.repeat} {self.clients}")
        return due_times(self.scenario["arrivals"], self.clients, rng)

    def wanted_bytes(self) -> tuple[int, ...]:
        """How much of the file each client asks for."""
        sizes = self.scenario["sizes"]
        return wanted_bytes(sizes, self.content.size_bytes, self.clients, self.seed)

    def patience_seconds(self) -> tuple[float, ...]:
        """How long after joining each client gives up if it is not done; infinite: never."""
        aborts = parse_departures(self.scenario["departures"]).aborts_per_second
        if not aborts:
            return (math.inf,) * self.clients
        rng = Random(f"giving up {self.seed} {self.clients}")
        return tuple(rng.expovariate(aborts) for _ in range(self.clients))

    def outages(self, cast: Cast) -> dict[int, float]:
        """Who leaves whom the others rely on, and how long after the first client was due.

        Infinite for a tracker that leaves once it knows every peer.
        """
        scenario = self.read_scenario()
        sentences = {"origin": scenario.origin_leaves, "tracker": scenario.tracker_leaves}
        return self._due_of(cast, sentences)

    def moves(self, cast: Cast) -> dict[int, float]:
        """Which origins move to another address, and how long after the first client was due."""
        return self._due_of(cast, {"origin": self.read_scenario().origin_moves})

    def replacements(self, cast: Cast) -> dict[int, float]:
        """Whose file is replaced, and how long after the first client was due."""
        replacement = parse_replacement(self.read_scenario().origin_replaces_file)
        if replacement is None:
            return {}
        return {
            int(place.node_id): replacement.when.due_seconds(
                self.content.size_bytes, place.uplink_bytes_per_second
            )
            for place in cast.places
            if place.role == "origin"
        }

    def stays(self, client: int) -> Iterator[float] | None:
        """How long each session of a client lasts, in seconds, one after the other.

        The same for both architectures. None: it stays until it is done.
        """
        sessions = parse_sessions(self.read_scenario().sessions)
        if sessions is None:
            return None
        return sessions.online_seconds(Random(f"sessions {self.seed} {self.clients} {client}"))

    def _due_of(self, cast: Cast, sentences: Mapping[str, str]) -> dict[int, float]:
        due: dict[int, float] = {}
        for place in cast.places:
            outage = parse_tracker_outage(sentences.get(place.role, NEVER))
            if outage is not None:
                due[int(place.node_id)] = outage.due_seconds(
                    self.content.size_bytes, place.uplink_bytes_per_second
                )
        return due

    def describe(self) -> str:
        """Name it for people."""
        return f"{self.architecture} at N = {self.clients}, repeat {self.repeat}"


def plan_content(content: Content) -> ContentPlan:
    """Make content fit for a message."""
    return ContentPlan(
        path=str(content.path.resolve()),
        size_bytes=content.size_bytes,
        sha256=content.sha256,
        name=content.name,
    )
