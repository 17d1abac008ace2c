"""Runs small scenarios in the simulated world, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.plan import Architecture, TrialPlan, plan_content
from loadtests.simulated_trial import SimulatedTrial
from testbed import content
from testbed.links import Links
from testbed.record import NodeRow, TrialRecord
from testbed.scenario import Scenario

KIB = 1024


def small_scenario(**changes: Any) -> Scenario:
    """256 KiB over lines that make a few seconds of it; `links` and `peers` may be given too."""
    links = {
        "origin_uplink_bytes_per_second": 512.0 * KIB,
        "origin_downlink_bytes_per_second": 512.0 * KIB,
        "client_uplink_bytes_per_second": 128.0 * KIB,
        "client_downlink_bytes_per_second": 256.0 * KIB,
    } | changes.pop("links", {})
    peers = {"piece_length": "16 KiB"} | changes.pop("peers", {})
    values: dict[str, Any] = {
        "name": "small",
        "clients": (4,),
        "repeats": 1,
        "seed": 5,
        "file_bytes": 256 * KIB,
    }
    return Scenario(links=Links(**links), tables={"servers": {}, "peers": peers}, **(values | changes))


def make_plan(
    scenario: Scenario, architecture: Architecture, clients: int, folder: Path, *, trace: bool = False
) -> TrialPlan:
    """Plan a trial; its content lies in `folder`."""
    made = content.made_up(folder, scenario.file_bytes or 1, scenario.seed)
    return TrialPlan(
        architecture=architecture,
        clients=clients,
        repeat=0,
        order=0,
        scenario=scenario.to_dict(),
        content=plan_content(made),
        folder=str(folder),
        trace=trace,
    )


@dataclass
class Simulated:
    """A trial that was simulated."""

    record: TrialRecord
    makespan_seconds: float
    """From the first join to the last completion; infinite if somebody has no file."""

    @property
    def clients(self) -> list[NodeRow]:
        """Rows of the clients."""
        return [row for row in self.record.nodes if row.role == "client"]


def simulate(plan: TrialPlan) -> Simulated:
    """Run a trial on virtual time."""
    record = SimulatedTrial(plan).run(lambda progress: None)
    return Simulated(record, makespan_seconds(record))


def makespan_seconds(record: TrialRecord) -> float:
    """From the first join to the last completion; infinite if somebody has no file."""
    clients = [row for row in record.nodes if row.role == "client"]
    joined = [row.joined_seconds for row in clients if row.joined_seconds is not None]
    finished = [row.finished_seconds for row in clients if row.finished_seconds is not None]
    if len(finished) < len(clients):
        return float("inf")
    return max(finished) - min(joined)
