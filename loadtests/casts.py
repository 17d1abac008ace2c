"""Which cast plays an architecture: the one place where the load meets the protocols."""

from __future__ import annotations

from loadtests.plan import Architecture, TrialPlan
from testbed.cast import Cast
from testbed.content import Content
from testbed.scenario import Scenario


def make_cast(
    architecture: Architecture, scenario: Scenario, content: Content, clients: int, seed: int
) -> Cast:
    """Make everybody who takes part.

    Raises:
      ScenarioError: the architecture's own table in the scenario is wrong.
    """
    # A trial plays one of them; the other's imports would only delay its start.
    if architecture == "server":
        from servers.build import ServerCast

        return ServerCast(scenario, content, clients, seed)
    from peers.build import SwarmCast

    return SwarmCast(scenario, content, clients, seed)


def cast_of(plan: TrialPlan) -> Cast:
    """Make the cast of a trial."""
    return make_cast(
        plan.architecture, plan.read_scenario(), plan.read_content(), plan.clients, plan.seed
    )
