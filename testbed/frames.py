"""Records as pandas frames, one a table, and back; and the check of a frame against its columns.

Empty cells: every nullable column is float64, and NaN is empty. No column of whole numbers is
nullable, so none is rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from testbed.columns import Columns
from testbed.errors import SchemaError
from testbed.record import TABLES, Column, TrialKey, TrialRecord

_DTYPES = {"int64": "int64", "float64": "float64", "string": "str", "bool": "bool"}


def frames_of(records: Iterable[TrialRecord]) -> dict[str, pd.DataFrame]:
    """Turn records into one frame a table, with the columns and types of `testbed.record`.

    Raises:
      SchemaError: a cell is empty that may not be.
    """
    records = list(records)
    parts: dict[str, list[Sequence[Any]]] = {
        "trials": [[record.trial for record in records]],
        "nodes": [record.nodes for record in records],
        "transfers": [record.transfers for record in records],
        "samples": [record.samples for record in records],
        "transactions": [record.transactions for record in records],
    }
    frames = {}
    for table, columns in TABLES.items():
        frames[table] = pd.DataFrame({column.name: _series(parts[table], column) for column in columns})
        check_frame(frames[table], columns, table)
    return frames


def _series(parts: Sequence[Sequence[Any]], column: Column) -> pd.Series[Any]:
    dtype = _DTYPES[column.kind]
    cells = [
        part.cells(column.name)
        if isinstance(part, Columns)
        else pd.Series([getattr(row, column.name) for row in part], dtype=dtype).to_numpy()
        for part in parts
        if len(part)
    ]
    return pd.Series(np.concatenate(cells) if cells else [], dtype=dtype)


def check_frame(frame: pd.DataFrame, columns: Sequence[Column], source: str) -> None:
    """Check a table against its columns.

    Raises:
      SchemaError: columns, their order or their types differ, or a cell is empty that may not be.
    """
    names = [column.name for column in columns]
    if list(frame.columns) != names:
        odd = sorted(set(frame.columns) ^ set(names))
        fault = f"missing or unknown: {', '.join(odd)}" if odd else "their order differs"
        raise SchemaError(f"{source}: expected the columns of this version; {fault}")
    for column in columns:
        kind = str(frame[column.name].dtype)
        # An older pandas reads text as `object`.
        if kind != _DTYPES[column.kind] and (column.kind, kind) != ("string", "object"):
            raise SchemaError(f"{source}: {column.name}: expected {column.kind}, not {kind}")
        if not column.nullable and bool(frame[column.name].isna().any()):
            raise SchemaError(f"{source}: {column.name}: expected a value in every row")


def records_of(frames: Mapping[str, pd.DataFrame]) -> list[TrialRecord]:
    """Turn frames back into records, one a trial, in the order in which they ran."""
    grouped: dict[TrialKey, dict[str, list[Mapping[Any, Any]]]] = {}
    for table in TABLES:
        frame = frames[table]
        cells = frame.astype(object).where(frame.notna(), None)
        for row in cells.to_dict("records"):
            key = (row["architecture"], row["clients"], row["repeat"])
            grouped.setdefault(key, {name: [] for name in TABLES})[table].append(row)
    records = [
        msgspec.convert({**tables, "trial": tables["trials"][0]}, TrialRecord)
        for tables in grouped.values()
        if tables["trials"]
    ]
    return sorted(records, key=lambda record: record.trial.order)
