"""Which world a run takes place in: the name on the command line, and who runs a trial there."""

from __future__ import annotations

import math
from collections.abc import Callable

from loadtests.flow_trial import run_flow_trial
from loadtests.plan import TrialPlan
from loadtests.simulated_trial import run_simulated_trial
from loadtests.trial import run_live_trial
from loadtests.watching import TrialProgress
from servers.settings import read_settings
from testbed.arrivals import parse_departures
from testbed.errors import ScenarioError
from testbed.load import ONCE, WHOLE_FILE
from testbed.record import TrialRecord
from testbed.scenario import Scenario
from testbed.sessions import ADDRESSES_A_NODE, UNINTERRUPTED

#: Runs one trial to its record, telling on the way where it is.
TrialRunner = Callable[[TrialPlan, Callable[[TrialProgress], None]], TrialRecord]

#: 127.77.0.0/16 in steps of 250 has a loopback address for so many nodes.
LIVE_NODES_LIMIT = 60_000

#: A node with 20 neighbours takes 50 KB and more of memory: so many fill 5 GB.
SIMULATED_NODES_LIMIT = 100_000


def trial_runner(world: str, scenario: Scenario) -> TrialRunner:
    """Say who runs a trial in this world.

    Raises:
      ScenarioError: the world cannot run this scenario.
    """
    if world not in scenario.worlds:
        raise ScenarioError(
            f"{scenario.source}: [scenario] worlds: made for {' and '.join(scenario.worlds)}, not for "
            f"the {world} world; try --world {scenario.worlds[0]}"
        )
    if world == "simulated":
        if max(scenario.clients) > SIMULATED_NODES_LIMIT:
            raise ScenarioError(
                f"{scenario.source}: [scenario] clients: the simulated world carries up to "
                f"{SIMULATED_NODES_LIMIT:,} nodes, not {max(scenario.clients):,}"
            )
        return run_simulated_trial
    if world == "flow":
        _check_flow(scenario)
        return run_flow_trial
    if scenario.links.has_loss:
        raise ScenarioError(
            f"{scenario.source}: [links] loss: loss is for the simulated world only, expected none, or "
            "--world simulated"
        )
    if parse_departures(scenario.departures).aborts_per_second:
        raise ScenarioError(
            f"{scenario.source}: [scenario] departures: clients that give up are for the simulated "
            f"world only, expected another sentence than {scenario.departures!r}"
        )
    wandering = scenario.sessions != UNINTERRUPTED
    if wandering and max(scenario.clients) > LIVE_NODES_LIMIT // ADDRESSES_A_NODE:
        raise ScenarioError(
            f"{scenario.source}: [scenario] sessions: the live world has addresses for "
            f"{LIVE_NODES_LIMIT // ADDRESSES_A_NODE} clients that come and go, not for "
            f"{max(scenario.clients):,}; try --world simulated"
        )
    if max(scenario.clients) > LIVE_NODES_LIMIT:
        raise ScenarioError(
            f"{scenario.source}: [scenario] clients: the live world has addresses for "
            f"{LIVE_NODES_LIMIT:,} nodes, not for {max(scenario.clients):,}"
        )
    return run_live_trial


def _check_flow(scenario: Scenario) -> None:
    """Refuse what a model of rates alone has no answer to."""
    links = scenario.links
    if scenario.load != ONCE or scenario.sizes != WHOLE_FILE:
        raise ScenarioError(
            f"{scenario.source}: [scenario]: in the flow world everybody wants the whole file once; "
            f'expected load = "{ONCE}" and sizes = "{WHOLE_FILE}", or --world simulated'
        )
    if "server" in scenario.architectures:
        _check_even(scenario)
    if scenario.has_outages or scenario.sessions != UNINTERRUPTED:
        raise ScenarioError(
            f"{scenario.source}: [scenario]: the flow world knows nobody who leaves before the end; "
            "expected no sessions, origin_leaves, origin_moves and tracker_leaves, or --world simulated"
        )
    if links.longest_latency_seconds or links.has_loss:
        raise ScenarioError(
            f"{scenario.source}: [links]: the flow world knows neither delay nor loss; expected "
            "none, or --world simulated"
        )
    lines = [one.downlink_bytes_per_second for one in links.client_classes]
    if math.isinf(min(links.origin_uplink_bytes_per_second, max(lines))):
        raise ScenarioError(
            f"{scenario.source}: [links] origin_uplink: expected a rate here or for every "
            "client_downlink: where no line limits anything nothing takes any time"
        )


def _check_even(scenario: Scenario) -> None:
    """Refuse several origins of which one would have more clients than another."""
    servers = read_settings(scenario.tables["servers"], scenario.source)
    if servers.origins > 1 and servers.choice == "random":
        raise ScenarioError(
            f"{scenario.source}: [servers] choice: in the flow world no origin is fuller than another; "
            'expected "round robin" or "least busy", or --world simulated'
        )
    for clients in scenario.clients:
        if clients > servers.origins and clients % servers.origins:
            raise ScenarioError(
                f"{scenario.source}: [servers] origins: in the flow world no origin is fuller than "
                f"another; expected a number that divides {clients:,} clients, or --world simulated"
            )
