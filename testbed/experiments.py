"""Experiments on disk: a folder that holds several runs of one question, and says how they belong.

    results/<scenario>/<UTC time>-<short id>/
        experiment.json
        <variant>/<UTC time>-<short id>/      a run's folder, for each variant
        report/                               the variants set side by side

As a run's, the folder has a temporary name until it is whole.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbed.errors import SchemaError
from testbed.store import point_latest, writing
from testbed.thresholds import Threshold

MANIFEST = "experiment.json"

#: Form of experiment.json.
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One variant of an experiment, as it was carried out."""

    name: str
    folder: Path
    """Its run."""
    against_first: tuple[Threshold, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Runs of one question under several settings."""

    folder: Path
    scenario: str
    question: str
    command: str
    status: str
    """`complete`, or `partial` if interrupted; what each run is worth stands in its own folder."""
    variants: tuple[Variant, ...]


class ExperimentWriter:
    """An experiment on its way to disk; its runs are written into `folder`.

    Args:
      root: The folder of all results; `latest` is kept there.
      scenario: Its name.
      question: What it asks.
      command: What the user typed.

    Raises:
      ScenarioError: the folder cannot be written. So do all methods.
    """

    def __init__(self, root: Path, scenario: str, question: str, command: str) -> None:
        started = datetime.now(UTC)
        self.root = root
        self.final = root / scenario / f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        self.folder = self.final.parent / f".{self.final.name}.partial"
        self._manifest: dict[str, Any] = {
            "experiment_schema_version": SCHEMA_VERSION,
            "scenario": scenario,
            "question": question,
            "command": command,
            "started": started.isoformat(timespec="seconds"),
            "variants": [],
        }
        with writing(self.folder):
            self.folder.mkdir(parents=True)

    def keep(self, name: str, run: Path, against_first: Sequence[Threshold]) -> None:
        """Enter the run of a variant; it lies in `folder`."""
        self._manifest["variants"].append(
            {
                "name": name,
                "folder": str(run.relative_to(self.folder)),
                "against_first": [dataclasses.asdict(one) for one in against_first],
            }
        )

    def finish(self, status: str) -> Path | None:
        """Give the folder its name; None, and nothing left, if it holds no run."""
        if not self._manifest["variants"]:
            shutil.rmtree(self.folder, ignore_errors=True)
            return None
        self._manifest |= {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "status": status,
        }
        with writing(self.folder):
            text = json.dumps(self._manifest, indent=1, ensure_ascii=False) + "\n"
            (self.folder / MANIFEST).write_text(text, encoding="utf-8")
            self.folder.rename(self.final)
        point_latest(self.root, self.final)
        return self.final


def is_experiment(folder: Path) -> bool:
    """Whether this folder holds an experiment, and not a run."""
    return (folder / MANIFEST).is_file()


def load_experiment(folder: Path) -> Experiment:
    """Read what an experiment's folder says of it.

    Raises:
      SchemaError: it is none.
    """
    path = folder / MANIFEST
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version = values["experiment_schema_version"]
        if not isinstance(version, int) or version > SCHEMA_VERSION:
            raise SchemaError(
                f"{path}: experiment_schema_version: expected at most {SCHEMA_VERSION}, not {version!r}"
            )
        return Experiment(
            folder=folder,
            scenario=str(values["scenario"]),
            question=str(values["question"]),
            command=str(values["command"]),
            status=str(values["status"]),
            variants=tuple(
                Variant(
                    name=str(one["name"]),
                    folder=folder / one["folder"],
                    against_first=tuple(Threshold(**item) for item in one["against_first"]),
                )
                for one in values["variants"]
            ),
        )
    except OSError as error:
        raise SchemaError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SchemaError(f"{path}: cannot be read: {error!r}") from None
