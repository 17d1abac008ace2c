"""Runs on disk: written under a temporary name, renamed once, never edited.

While a run is under way each finished trial is one msgpack file in a folder that begins with a dot;
an interrupt loses nothing that was measured. `finish` turns them into the tables of
`testbed.record`, as parquet, and gives the folder its name.

A run is resumed by making a new one that takes over the complete trials of the old. The old one, be
it finished or left behind by a kill, stays as it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from testbed.columns import Columns, StoredColumns, columns_of
from testbed.errors import ScenarioError, SchemaError
from testbed.frames import check_frame, frames_of, records_of
from testbed.record import (
    METHOD_VERSION,
    SAMPLE_COLUMNS,
    SCHEMA_VERSION,
    TABLES,
    TRANSFER_COLUMNS,
    NodeRow,
    SampleRow,
    TransactionRow,
    TransferRow,
    TrialKey,
    TrialRecord,
    TrialRow,
    trial_key,
)
from testbed.variants import folder_name

MANIFEST = "run.json"
TRIALS = "trials"
"""Folder of the trials kept so far, in a run that has not ended."""


class RunWriter:
    """One run on its way to disk.

    Args:
      root: The folder of all results, in which `latest` is kept; for a variant, its experiment's.
      scenario: As `Scenario.to_dict` gives it.
      world: `live`, `simulated` or `flow`.
      command: What the user typed.

    Raises:
      ScenarioError: the folder cannot be written. So do all methods.
    """

    def __init__(self, root: Path, scenario: Mapping[str, Any], world: str, command: str) -> None:
        started = datetime.now(UTC)
        self.name = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        self.root = root
        variant = folder_name(str(scenario.get("variant", "")))
        self.parent = root / (variant or str(scenario["name"]))
        self.folder = self.parent / f".{self.name}.partial"
        self.trials = self.folder / TRIALS
        self._manifest: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "method_version": METHOD_VERSION,
            "world": world,
            "seed": scenario["seed"],
            "scenario": dict(scenario),
            "command": command,
            "started": started.isoformat(timespec="seconds"),
            "finished": None,
            "status": "partial",
            "reasons": ["this run has not ended"],
        }
        self._made = [folder for folder in (self.parent, root) if not folder.exists()]
        with writing(self.parent):
            self.trials.mkdir(parents=True)
            self._write_manifest()

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What run.json says so far."""
        return self._manifest

    def note(self, key: str, value: Any) -> None:
        """Put something more into run.json: the environment, what the content was."""
        self._manifest[key] = value
        with writing(self.folder):
            self._write_manifest()

    def adopt(self, earlier: Resumable) -> None:
        """Take over the trials of an earlier run; run.json says so."""
        for record in earlier.records:
            self.keep(record)
        self.note("resumed_from", earlier.folder.name)

    def keep(self, record: TrialRecord) -> None:
        """Keep a trial that has ended."""
        write_trial(self.trials, record)

    def finish(self, status: str, reasons: Sequence[str]) -> Path:
        """Write tables and run.json, give the folder its name and let `latest` point there.

        Args:
          status: `complete`, `partial`, `failed` or `invalid`.
          reasons: Why it is not complete; one sentence each.

        Returns:
          The run's folder.
        """
        final = self.parent / self.name
        frames = frames_of(read_trials(self.trials))
        self._manifest |= {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "status": status,
            "reasons": list(reasons),
        }
        with writing(self.folder):
            for table, frame in frames.items():
                frame.to_parquet(self.folder / f"{table}.parquet", index=False)
            self._write_manifest()
            shutil.rmtree(self.trials)
            self.folder.rename(final)
        if not self._manifest["scenario"].get("variant"):  # `latest` is then the experiment.
            point_latest(self.root, final)
        return final

    def discard(self) -> None:
        """Leave nothing behind, for a run in which nothing was measured."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()  # Fails, as it should, if another run has put something there.

    def _write_manifest(self) -> None:
        text = json.dumps(self._manifest, indent=2, allow_nan=False) + "\n"
        temporary = self.folder / f"{MANIFEST}.tmp"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.folder / MANIFEST)


class _StoredTrial(msgspec.Struct, kw_only=True):
    """A trial as its file has it. Files of an earlier version have all rows as lists."""

    trial: TrialRow
    nodes: list[NodeRow]
    transfers: StoredColumns | list[TransferRow]
    samples: StoredColumns | list[SampleRow]
    transactions: list[TransactionRow] = []

    @classmethod
    def of(cls, record: TrialRecord) -> _StoredTrial:
        return cls(
            trial=record.trial,
            nodes=record.nodes,
            transfers=columns_of(record.transfers, TRANSFER_COLUMNS, TransferRow).stored(),
            samples=columns_of(record.samples, SAMPLE_COLUMNS, SampleRow).stored(),
            transactions=record.transactions,
        )

    def record(self, source: str) -> TrialRecord:
        transfers: Sequence[TransferRow] = ()
        samples: Sequence[SampleRow] = ()
        if isinstance(self.transfers, StoredColumns):
            transfers = Columns(TRANSFER_COLUMNS, TransferRow)
            transfers.restore(self.transfers, source)
        else:
            transfers = self.transfers
        if isinstance(self.samples, StoredColumns):
            samples = Columns(SAMPLE_COLUMNS, SampleRow)
            samples.restore(self.samples, source)
        else:
            samples = self.samples
        return TrialRecord(
            trial=self.trial,
            nodes=self.nodes,
            transfers=transfers,
            samples=samples,
            transactions=self.transactions,
        )


def write_trial(folder: Path, record: TrialRecord) -> None:
    """Keep one trial: whole or not at all, and on the disk when this returns.

    Raises:
      ScenarioError: the folder cannot be written.
    """
    architecture, clients, repeat = trial_key(record)
    path = folder / f"{architecture}-{clients:09d}-{repeat:04d}.msgpack"
    temporary = path.with_suffix(".tmp")
    with writing(path), temporary.open("wb") as file:
        file.write(msgspec.msgpack.encode(_StoredTrial.of(record)))
        file.flush()
        os.fsync(file.fileno())
        temporary.replace(path)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong on the disk into one line.

    Raises:
      ScenarioError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise ScenarioError(
            f"{path}: expected a place that can be written to: {error.strerror or error}"
        ) from error


def point_latest(root: Path, folder: Path) -> None:
    """Let `latest` name the newest run; replaced in one step, and left out where links cannot be."""
    temporary = root / f".latest-{secrets.token_hex(3)}"
    with contextlib.suppress(OSError):
        temporary.symlink_to(folder.relative_to(root))
        try:
            temporary.replace(root / "latest")
        except OSError:
            temporary.unlink()


def read_trials(folder: Path) -> list[TrialRecord]:
    """Read the trials kept so far, in the order in which they ran.

    Raises:
      SchemaError: one of them cannot be read.
    """
    decoder = msgspec.msgpack.Decoder(_StoredTrial)
    records = []
    for path in sorted(folder.glob("*.msgpack")):
        try:
            records.append(decoder.decode(path.read_bytes()).record(str(path)))
        except (OSError, msgspec.MsgspecError) as error:
            raise SchemaError(f"{path}: cannot be read: {error}") from None
    return sorted(records, key=lambda record: record.trial.order)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as it was recorded; its tables have the columns of `testbed.record`."""

    folder: Path
    manifest: Mapping[str, Any]
    trials: pd.DataFrame
    nodes: pd.DataFrame
    transfers: pd.DataFrame
    samples: pd.DataFrame
    transactions: pd.DataFrame

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """The tables by name."""
        return {table: getattr(self, table) for table in TABLES}


def load_run(folder: Path, *, leave_out: Collection[str] = ()) -> Run:
    """Read a run and check every column.

    Args:
      folder: A run's folder.
      leave_out: Tables that are not read and stay empty, for who reads them a part at a time.

    Raises:
      SchemaError: this is no run's folder, its schema is newer, or a table is not as declared.
    """
    manifest = _read_manifest(folder)
    if (folder / TRIALS).is_dir():
        raise SchemaError(f"{folder}: expected a run that has ended; --resume takes this one up")
    frames = {}
    for table, columns in TABLES.items():
        path = folder / f"{table}.parquet"
        # Before version 3 no steps were recorded.
        if table in leave_out or (table == "transactions" and manifest["schema_version"] < 3):
            frames[table] = frames_of(())[table]
            continue
        try:
            frames[table] = pd.read_parquet(path)
        except FileNotFoundError:
            raise SchemaError(f"{path}: expected this file in a run's folder") from None
        except (OSError, ValueError) as error:
            raise SchemaError(f"{path}: cannot be read: {_first_line(error)}") from None
        frames[table] = _upgraded(frames[table], table, manifest["schema_version"])
        check_frame(frames[table], columns, str(path))
    return Run(folder=folder, manifest=manifest, **frames)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest: Any = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise SchemaError(f"{folder}: expected a run's folder, it has no {MANIFEST}") from None
    except (OSError, ValueError) as error:
        raise SchemaError(f"{path}: cannot be read: {_first_line(error)}") from None
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise SchemaError(f"{path}: schema_version: expected a whole number, not {version!r}")
    if version > SCHEMA_VERSION:
        raise SchemaError(
            f"{path}: schema_version: expected at most {SCHEMA_VERSION}, which this version of the "
            f"suite reads, not {version}"
        )
    for key in ("method_version", "world", "scenario", "status"):
        if key not in manifest:
            raise SchemaError(f"{path}: {key}: expected this key, it is missing")
    if not isinstance(manifest["scenario"], dict):
        raise SchemaError(f"{path}: scenario: expected a table, not {manifest['scenario']!r:.60}")
    return dict(manifest)


def _upgraded(frame: pd.DataFrame, table: str, version: int) -> pd.DataFrame:
    """Bring a table of an older schema to this one's form, step by step."""
    if version < 2 and table == "nodes" and "role" in frame and "nodes" not in frame:
        frame.insert(list(frame.columns).index("role") + 1, "nodes", 1)
    if version < 3 and table == "nodes" and "left_seconds" in frame and "sessions" not in frame:
        after = list(frame.columns).index("left_seconds") + 1
        frame.insert(after, "sessions", 1)
        frame.insert(after + 1, "away_seconds", 0.0)
        frame.insert(after + 2, "rediscovery_seconds", np.nan)
        frame["file"] = pd.Series("", index=frame.index, dtype="str")
    return frame


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumable:
    """What a new run takes over from an earlier one."""

    folder: Path
    manifest: Mapping[str, Any]
    records: tuple[TrialRecord, ...]
    """Its complete trials that the new run wants too, in the order in which they ran."""

    @property
    def done(self) -> frozenset[TrialKey]:
        """The trials that need not run again."""
        return frozenset(trial_key(record) for record in self.records)

    @property
    def next_order(self) -> int:
        """Where the order of the new trials goes on."""
        return 1 + max((record.trial.order for record in self.records), default=-1)


#: A run may go on with more clients or repeats; the rest decides what its trials mean.
_MAY_DIFFER = frozenset({"clients", "repeats", "question", "thresholds", "source"})


def resume_from(
    folder: Path, scenario: Mapping[str, Any], world: str, content_sha256: str | None = None
) -> Resumable:
    """Read what a run has measured, finished or not, to go on with its missing trials.

    Args:
      folder: A run's folder, or the `.partial` one that a killed run left behind.
      scenario: Of the new run, as `Scenario.to_dict` gives it.
      world: Of the new run.
      content_sha256: Of the file that the new run distributes; a run notes it under this name.

    Raises:
      SchemaError: the folder cannot be read, or holds trials of another scenario, world or method.
    """
    manifest = _read_manifest(folder)
    earlier = manifest["scenario"]
    compared = (set(earlier) | set(scenario)) - _MAY_DIFFER
    differing = sorted(key for key in compared if earlier.get(key) != scenario.get(key))
    if manifest["method_version"] != METHOD_VERSION:
        differing.append("method_version")
    if manifest["world"] != world:
        differing.append("world")
    if content_sha256 is not None and manifest.get("content_sha256") != content_sha256:
        differing.append("content_sha256")
    if differing:
        raise SchemaError(
            f"{folder}: cannot be resumed: expected a run of this same scenario; "
            f"{', '.join(differing)} differ"
        )
    trials = folder / TRIALS
    records = read_trials(trials) if trials.is_dir() else records_of(load_run(folder).frames)
    return Resumable(
        folder=folder,
        manifest=manifest,
        records=tuple(
            record
            for record in records
            if record.trial.status == "complete"
            and record.trial.clients in scenario["clients"]
            and record.trial.repeat < scenario["repeats"]
        ),
    )
