"""The [servers] table of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from testbed.errors import ScenarioError

Sharing = Literal["fair", "first come first served"]

SHARINGS: tuple[Sharing, ...] = ("fair", "first come first served")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How the file host of a run behaves."""

    sharing: Sharing = "fair"
    """Who gets the uplink: it decides the median completion time and not the makespan."""


def read_settings(table: Mapping[str, object], source: str) -> ServerSettings:
    """Read the table strictly; `source` names the file in errors.

    Raises:
      ScenarioError: an unknown key or value.
    """
    for key in table:
        if key != "sharing":
            raise ScenarioError(f"{source}: [servers] {key}: unknown key; expected sharing")
    sharing = table.get("sharing", "fair")
    if sharing not in SHARINGS:
        expected = " or ".join(f'"{known}"' for known in SHARINGS)
        raise ScenarioError(f"{source}: [servers] sharing: expected {expected}, not {sharing!r}")
    return ServerSettings(sharing=sharing)
