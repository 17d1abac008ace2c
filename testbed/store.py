"""Runs on disk: written under a temporary name, renamed once, never edited.

While a run is under way each finished trial is one msgpack file in a folder that begins with a dot;
an interrupt loses nothing that was measured. `finish` turns them into the tables of
`testbed.record`, as parquet, and gives the folder its name.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from testbed.errors import ScenarioError, SchemaError
from testbed.record import METHOD_VERSION, SCHEMA_VERSION, TABLES, Column, TrialRecord

TrialKey = tuple[str, int, int]
"""Architecture, clients, repeat: what names a trial in a run."""

MANIFEST = "run.json"

_DTYPES = {"int64": "int64", "float64": "float64", "string": "str", "bool": "bool"}


def trial_key(record: TrialRecord) -> TrialKey:
    """Name the trial of a record."""
    return record.trial.architecture, record.trial.clients, record.trial.repeat


class RunWriter:
    """One run on its way to disk.

    Raises:
      ScenarioError: the folder cannot be written.
    """

    def __init__(self, root: Path, scenario: Mapping[str, Any], world: str, command: str) -> None:
        started = datetime.now(UTC)
        self.name = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        self.parent = root / str(scenario["name"])
        self.folder = self.parent / f".{self.name}.partial"
        self.trials = self.folder / "trials"
        try:
            self.trials.mkdir(parents=True)
        except OSError as error:
            raise ScenarioError(
                f"{self.parent}: expected a folder that can be written to: {error.strerror}"
            ) from error
        self._manifest: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "method_version": METHOD_VERSION,
            "world": world,
            "seed": scenario["seed"],
            "scenario": dict(scenario),
            "command": command,
            "started": started.isoformat(),
        }

    def note(self, key: str, value: Any) -> None:
        """Put something into run.json."""
        self._manifest[key] = value

    def adopt(self, records: Iterable[TrialRecord]) -> None:
        """Take over trials of an earlier run."""
        for record in records:
            write_trial(self.trials, record)

    def finish(self, status: str, reasons: Sequence[str]) -> Path:
        """Write the tables and run.json, and give the folder its name; the folder is returned."""
        records = read_trials(self.trials)
        for table, frame in frames_of(records).items():
            frame.to_parquet(self.folder / f"{table}.parquet", index=False)
        self._manifest |= {
            "finished": datetime.now(UTC).isoformat(),
            "status": status,
            "reasons": list(reasons),
        }
        text = json.dumps(self._manifest, indent=2, allow_nan=False) + "\n"
        (self.folder / MANIFEST).write_text(text)
        shutil.rmtree(self.trials)
        final = self.parent / self.name
        self.folder.rename(final)
        _point_latest(self.parent.parent, final)
        return final

    def discard(self) -> None:
        """Leave nothing behind: nothing was measured."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.parent.rmdir()


def _point_latest(root: Path, folder: Path) -> None:
    """Let `latest` name the newest run; replaced in one step."""
    temporary = root / f".latest-{secrets.token_hex(3)}"
    with contextlib.suppress(OSError):
        temporary.symlink_to(folder.relative_to(root))
        temporary.replace(root / "latest")


def write_trial(folder: Path, record: TrialRecord) -> None:
    """Keep one trial: whole or not at all."""
    architecture, clients, repeat = trial_key(record)
    path = folder / f"{architecture}-{clients:08d}-{repeat:04d}.msgpack"
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(msgspec.msgpack.encode(record))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_trials(folder: Path) -> list[TrialRecord]:
    """The trials kept so far, in the order in which they ran."""
    decoder = msgspec.msgpack.Decoder(TrialRecord)
    records = [decoder.decode(path.read_bytes()) for path in folder.glob("*.msgpack")]
    return sorted(records, key=lambda record: record.trial.order)


def frames_of(records: Iterable[TrialRecord]) -> dict[str, pd.DataFrame]:
    """Turn records into one frame a table, with the columns and types of `testbed.record`."""
    rows: dict[str, list[Any]] = {table: [] for table in TABLES}
    for record in records:
        rows["trials"].append(record.trial)
        rows["nodes"] += record.nodes
        rows["transfers"] += record.transfers
        rows["samples"] += record.samples
    return {
        table: pd.DataFrame(
            {
                column.name: pd.Series(
                    [getattr(row, column.name) for row in rows[table]],
                    dtype=_DTYPES[column.kind],
                )
                for column in columns
            }
        )
        for table, columns in TABLES.items()
    }


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it was recorded."""

    folder: Path
    manifest: Mapping[str, Any]
    trials: pd.DataFrame
    nodes: pd.DataFrame
    transfers: pd.DataFrame
    samples: pd.DataFrame


def load_run(folder: Path) -> Run:
    """Read a run and check every column.

    Raises:
      SchemaError: this is no run's folder, its schema is newer, or a table is not as declared.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        raise SchemaError(f"{folder}: expected a run's folder, it has no {MANIFEST}") from None
    except (OSError, ValueError) as error:
        raise SchemaError(f"{folder / MANIFEST}: cannot be read: {error}") from None
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if not isinstance(version, int) or version < 1:
        raise SchemaError(f"{folder / MANIFEST}: expected a schema_version, not {version!r}")
    if version > SCHEMA_VERSION:
        raise SchemaError(
            f"{folder}: written by a newer version (schema {version}; this reads {SCHEMA_VERSION})"
        )
    frames = {table: _read_table(folder, table, columns) for table, columns in TABLES.items()}
    return Run(folder, manifest, **frames)


def _read_table(folder: Path, table: str, columns: tuple[Column, ...]) -> pd.DataFrame:
    path = folder / f"{table}.parquet"
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise SchemaError(f"{path}: cannot be read: {error}") from None
    names = [column.name for column in columns]
    if list(frame.columns) != names:
        odd = sorted(set(frame.columns) ^ set(names)) or "their order"
        raise SchemaError(f"{path}: columns are not as declared: {odd}")
    for column in columns:
        kind = str(frame[column.name].dtype)
        if kind not in (_DTYPES[column.kind], "object" if column.kind == "string" else kind[:0]):
            raise SchemaError(f"{path}: {column.name}: expected {column.kind}, not {kind}")
        if not column.nullable and bool(frame[column.name].isna().any()):
            raise SchemaError(f"{path}: {column.name}: may not be empty")
    return frame


def records_of(run: Run) -> list[TrialRecord]:
    """Turn a run's tables back into records, one a trial: what a resumed run takes over."""
    grouped: dict[TrialKey, dict[str, list[dict[str, Any]]]] = {}
    for table in TABLES:
        frame: pd.DataFrame = getattr(run, table)
        cells = frame.astype(object).where(frame.notna(), None)
        for row in cells.to_dict("records"):
            key = (row["architecture"], row["clients"], row["repeat"])
            grouped.setdefault(key, {name: [] for name in TABLES})[table].append(
                {str(name): cell for name, cell in row.items()}
            )
    return [
        msgspec.convert({**tables, "trial": tables["trials"][0]}, TrialRecord)
        for tables in grouped.values()
        if tables["trials"]
    ]
