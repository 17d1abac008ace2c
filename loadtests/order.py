"""In which order the trials of a run are made.

Repeats are interleaved: every repeat visits every N with both architectures, so that a machine that
drifts does so for both alike. Which architecture goes first is random within each pair, and the
scenario's seed decides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from loadtests.plan import ARCHITECTURES, Architecture
from testbed.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Slot:
    """One trial and its place in the order."""

    order: int
    architecture: Architecture
    clients: int
    repeat: int

    @property
    def key(self) -> tuple[str, int, int]:
        """What names the trial in its run."""
        return self.architecture, self.clients, self.repeat


def trial_order(scenario: Scenario) -> list[Slot]:
    """List every trial of a run, first to last."""
    rng = Random(f"order {scenario.seed}")
    measured = [one for one in ARCHITECTURES if one in scenario.architectures]
    slots: list[Slot] = []
    for repeat in range(scenario.repeats):
        for clients in scenario.clients:
            for architecture in rng.sample(measured, len(measured)):
                slots.append(Slot(len(slots), architecture, clients, repeat))
    return slots
