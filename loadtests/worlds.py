"""Which world a run takes place in: the name on the command line, and who runs a trial there."""

from __future__ import annotations

from collections.abc import Callable

from loadtests.plan import TrialPlan
from loadtests.trial import TrialProgress, run_live_trial
from testbed.arrivals import parse_departures
from testbed.errors import ScenarioError
from testbed.record import TrialRecord
from testbed.scenario import Scenario

#: Runs one trial to its record, telling on the way where it is.
TrialRunner = Callable[[TrialPlan, Callable[[TrialProgress], None]], TrialRecord]

WORLDS = ("live", "simulated", "flow")

#: 127.77.0.0/16 in steps of 250 has a loopback address for so many nodes.
LIVE_NODES_LIMIT = 60_000


def trial_runner(world: str, scenario: Scenario) -> TrialRunner:
    """Say who runs a trial in this world.

    Raises:
      ScenarioError: the world cannot run this scenario.
    """
    if world != "live":
        raise ScenarioError(f"--world {world}: not available yet; expected live")
    if parse_departures(scenario.departures).aborts_per_second:
        raise ScenarioError(
            f"{scenario.source}: [scenario] departures: clients that give up are for the simulated "
            f"world only, expected another sentence than {scenario.departures!r}"
        )
    if max(scenario.clients) > LIVE_NODES_LIMIT:
        raise ScenarioError(
            f"{scenario.source}: [scenario] clients: the live world has addresses for "
            f"{LIVE_NODES_LIMIT:,} nodes, not for {max(scenario.clients):,}"
        )
    return run_live_trial
