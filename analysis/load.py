"""Reading a run's folder: the raw rows as frames, and what its scenario says that metrics need.

Nothing is derived here and nothing is repaired: rows that do not fit their columns are an error of
the store's, with its own line for the user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.thresholds import Threshold

TRIAL_KEYS = ("placement", "architecture", "clients", "repeat")
"""What tells one trial from another in every frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run's scenario fixes and metrics, figures and thresholds need."""

    name: str
    question: str
    world: str
    seed: int
    clients: tuple[int, ...]
    repeats: int
    placements: tuple[str, ...]
    """More than one where the run compares places of processes; the first is the main one."""
    file_bytes: int
    piece_bytes: int | None
    burst_seconds: float
    origin_uplink_bytes_per_second: float
    client_uplink_bytes_per_second: float
    client_downlink_bytes_per_second: float
    thresholds: tuple[Threshold, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """A run as it lies on the disk, read and checked."""

    path: Path
    manifest: Mapping[str, Any]
    """run.json."""
    settings: Settings
    trials: pd.DataFrame
    nodes: pd.DataFrame
    transfers: pd.DataFrame
    samples: pd.DataFrame

    @property
    def expected_trials(self) -> int:
        """How many trials the scenario asks for."""
        arms = max(1, len(set(self.trials["architecture"]))) if len(self.trials) else 2
        sweep = len(self.settings.clients) * self.settings.repeats
        return arms * sweep * len(self.settings.placements)


def load(path: Path) -> RunData:
    """Read a run's folder."""
    raise NotImplementedError(path)
