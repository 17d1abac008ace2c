"""Going on with a run that ended early: what it measured counts, what is missing is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from loadtests.order import Slot
from testbed import content, store
from testbed.errors import SchemaError
from testbed.scenario import Scenario, from_dict
from testbed.store import Resumable


def scenario_of_run(folder: Path) -> tuple[Scenario, str]:
    """Read what a run was to do, whether it has ended or not: its scenario and its world.

    Raises:
      SchemaError: this is no run's folder.
    """
    path = folder / store.MANIFEST
    try:
        manifest: Any = json.loads(path.read_text(encoding="utf-8"))
        return from_dict(manifest["scenario"]), str(manifest["world"])
    except (FileNotFoundError, NotADirectoryError):
        raise SchemaError(f"{folder}: expected a run's folder, it has no {path.name}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SchemaError(f"{path}: cannot be read: {error!r}") from None


def resume(folder: Path, scenario: Scenario, world: str) -> Resumable:
    """Take over what a run has measured of this scenario.

    Raises:
      SchemaError: it is no run, or its trials must not be mixed with this scenario's.
      ScenarioError: the file that is distributed cannot be read.
    """
    # Made-up content follows from size and seed, which are compared with the rest.
    file = scenario.file
    sha256 = content.of_file(Path(file)).sha256 if file is not None else None
    return store.resume_from(folder.resolve(), scenario.to_dict(), world, sha256)


def missing(slots: list[Slot], earlier: Resumable) -> list[Slot]:
    """Which trials the earlier run has not made, or made in vain, numbered on from its own."""
    left = [slot for slot in slots if slot.key not in earlier.done]
    first = earlier.next_order
    return [
        Slot(first + place, slot.architecture, slot.clients, slot.repeat)
        for place, slot in enumerate(left)
    ]
