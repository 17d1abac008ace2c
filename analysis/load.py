"""Reading a run's folder: the raw rows as frames, and what its scenario says that metrics need.

`testbed.store` checks every column. Nothing is derived or repaired here, but that each row learns in
which placement of processes its trial ran: the repeats take the placements in turn. Where clients want
something else than the file once, a node also learns how much that was (`wanted_bytes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.transfers import Transfers
from testbed import scenario as scenarios
from testbed.errors import ScenarioError, SchemaError
from testbed.load import ONCE, WHOLE_FILE
from testbed.record import TABLES
from testbed.scenario import Scenario
from testbed.store import Run, load_run
from testbed.units import parse_size

TRIAL_KEYS = ("placement", "architecture", "clients", "repeat")
"""What tells one trial from another in every frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """A run as it was recorded, ready for metrics."""

    path: Path
    manifest: Mapping[str, Any]
    """run.json."""
    scenario: Scenario
    world: str
    file_bytes: int
    """F; of the user's own file as well."""
    piece_bytes: int | None
    """p; None where no swarm was measured and none configured."""
    trials: pd.DataFrame
    nodes: pd.DataFrame
    transfers: Transfers
    samples: pd.DataFrame
    transactions: pd.DataFrame
    """The steps of single requests, where the scenario has them recorded."""

    @property
    def placements(self) -> tuple[str, ...]:
        """Where processes were placed, in the scenario's order; the first is the main one."""
        return tuple(dict.fromkeys(self.scenario.placements))

    @property
    def expected_trials(self) -> int:
        """How many trials the scenario asks for, of the architectures that were measured."""
        arms = int(self.trials["architecture"].nunique()) or 2
        return arms * len(self.scenario.clients) * self.scenario.repeats


def load(path: Path) -> RunData:
    """Read a run's folder.

    Raises:
      SchemaError: it is no run, or its rows are not what this version reads.
    """
    # results/latest is a link: what is printed should last longer than it.
    folder = path.resolve()
    run = load_run(folder, leave_out=("transfers",))
    return _prepare(run, folder / "transfers.parquet")


def prepare(run: Run) -> RunData:
    """Make a run ready for metrics; also one that is not on the disk yet.

    Raises:
      SchemaError: the scenario in its run.json cannot be read.
    """
    return _prepare(run, run.transfers)


def _prepare(run: Run, requests: Path | pd.DataFrame) -> RunData:
    where = run.folder / "run.json"
    try:
        scenario = scenarios.from_dict(run.manifest["scenario"])
        world = str(run.manifest["world"])
    except KeyError as error:
        raise SchemaError(f"{where}: expected {error}, it is missing") from None
    except (SchemaError, ScenarioError) as error:
        raise SchemaError(f"{where}: {error}") from None
    placement = {repeat: scenario.placement(repeat) for repeat in set(run.trials["repeat"])}
    frames = {name: _placed(getattr(run, name), placement) for name in TABLES if name != "transfers"}
    if scenario.load != ONCE or scenario.sizes != WHOLE_FILE:
        nodes = frames["nodes"]
        nodes["wanted_bytes"] = nodes["downloaded_payload_bytes"] - nodes["wasted_payload_bytes"]
    transfers = Transfers(requests, scenario.placement)
    return RunData(
        path=run.folder,
        manifest=run.manifest,
        scenario=scenario,
        world=world,
        file_bytes=_file_bytes(scenario, run, where),
        piece_bytes=_piece_bytes(scenario, transfers, where),
        transfers=transfers,
        **frames,
    )


def _placed(frame: pd.DataFrame, placement: Mapping[int, str]) -> pd.DataFrame:
    placed = frame.drop(columns="placement", errors="ignore")
    placed.insert(0, "placement", frame["repeat"].map(placement).astype("str"))
    return placed


def _file_bytes(scenario: Scenario, run: Run, where: Path) -> int:
    """Give F; for a user's file that is what a client with the whole file got, less its waste."""
    if scenario.file_bytes:
        return scenario.file_bytes
    done = run.nodes[(run.nodes["role"] == "client") & run.nodes["verified"]]
    if done.empty:
        raise SchemaError(f"{where}: scenario.file_bytes: expected the size of {scenario.file}")
    return int((done["downloaded_payload_bytes"] - done["wasted_payload_bytes"]).median())


def _piece_bytes(scenario: Scenario, transfers: Transfers, where: Path) -> int | None:
    configured = scenario.tables.get("peers", {}).get("piece_length")
    if configured in (None, "by rule"):
        return transfers.largest_piece_bytes()
    try:
        return parse_size(configured)
    except ScenarioError as error:
        raise SchemaError(f"{where}: peers.piece_length: {error}") from None
