"""Options of the locustfiles, on top of Locust's own, and the trial they ask for.

The sweep passes a plan and two internals; a person passes a scenario, or nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import msgspec

from loadtests.folders import make_folder
from loadtests.plan import Architecture, TrialPlan, plan_content
from loadtests.processes import ROOT
from testbed import content, scenario
from testbed.errors import ScenarioError

DEFAULT_SCENARIO = ROOT / "scenarios" / "flash_crowd.toml"


def add_options(parser: Any) -> None:
    """Add them to Locust's parser."""
    group = parser.add_argument_group("Swarm or server")
    group.add_argument(
        "--scenario",
        metavar="PATH",
        default=str(DEFAULT_SCENARIO),
        help="scenario file (scenarios/flash_crowd.toml); N is Locust's number of users",
    )
    group.add_argument("--file", metavar="PATH", default="", help="distribute this file")
    group.add_argument(
        "--set",
        metavar="TABLE.KEY=VALUE",
        action="append",
        default=[],
        help='replace a key of the scenario, such as links.client_uplink="2 MiB/s"',
    )
    group.add_argument("--repeat", type=int, default=0, help="which repeat's random choices (0)")
    for internal in ("--trial-plan", "--progress-fd", "--parent-pid"):
        group.add_argument(internal, default="", help=argparse.SUPPRESS)


def read_plan(options: Any) -> TrialPlan | None:
    """Read the plan that the sweep wrote, if it started us."""
    if not options.trial_plan:
        return None
    return msgspec.msgpack.decode(Path(options.trial_plan).read_bytes(), type=TrialPlan)


def plan_by_hand(options: Any, architecture: Architecture, clients: int) -> TrialPlan:
    """Make a plan of what a person asked for, with a temporary folder of its own.

    Raises:
      ScenarioError: one line naming file, key and what was expected.
    """
    overrides = scenario.read_settings(options.set)
    if options.file:
        overrides["scenario.file"] = options.file
    loaded = scenario.load(Path(options.scenario), overrides)
    loaded = dataclasses.replace(loaded, clients=(clients,), repeats=1)
    if options.repeat < 0:
        raise ScenarioError(f"--repeat: expected 0 or more, not {options.repeat}")
    made = content.of_file(Path(loaded.file)) if loaded.file is not None else None
    folder = make_folder()
    if made is None:
        made = content.made_up(folder, loaded.file_bytes or 0, loaded.seed)
    return TrialPlan(
        architecture=architecture,
        clients=clients,
        repeat=options.repeat,
        order=0,
        scenario=loaded.to_dict(),
        content=plan_content(made),
        folder=str(folder),
    )
