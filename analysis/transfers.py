"""The rows of transfers.parquet, a batch at a time: ten million of them are never all in memory.

Everything that a report says of single requests is made in a few passes over these batches, each of
which keeps no more than a number for a node or a request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from testbed.errors import SchemaError
from testbed.frames import check_frame
from testbed.record import TRANSFER_COLUMNS

TrialKeys = tuple[str, str, int, int]
"""Placement, architecture, clients, repeat."""

BATCH_ROWS = 250_000
_NAMES = ("architecture", "clients", "repeat")
_TEXTS = ("architecture", "unit", "outcome")


class Transfers:
    """All requests of a run.

    Args:
      source: transfers.parquet, or its rows where they are not on the disk yet.
      placement: Where processes were placed in a repeat.

    Raises:
      SchemaError: the file is not there, or its columns are not those of `testbed.record`.
    """

    def __init__(self, source: Path | pd.DataFrame, placement: Callable[[int], str]) -> None:
        self._source = source
        self._placement = placement
        if isinstance(source, Path):
            with _reading(source, ()) as file:
                # No rows are read: names and types are all that is looked at.
                empty = file.schema_arrow.empty_table().to_pandas()
            check_frame(empty, TRANSFER_COLUMNS, str(source))

    def by_trial(
        self, columns: Sequence[str], *, only: Collection[TrialKeys] | None = None
    ) -> Iterator[tuple[TrialKeys, pd.DataFrame]]:
        """Give the rows of each trial, in batches: a trial may come more than once.

        Args:
          columns: Which of them, besides the trial's keys.
          only: Which trials; all, if not given.

        Raises:
          SchemaError: a cell is empty.
        """
        for batch in self._batches([*_NAMES, *(one for one in columns if one not in _NAMES)]):
            groups: Any = batch.groupby(list(_NAMES), sort=False, observed=True)
            for (architecture, clients, repeat), rows in groups:
                trial = self._placement(int(repeat)), str(architecture), int(clients), int(repeat)
                if only is None or trial in only:
                    yield trial, rows[list(columns)]

    def largest_piece_bytes(self) -> int | None:
        """Give the most payload that a request for a piece brought; None without any piece."""
        most = None
        for _, rows in self.by_trial(["unit", "payload_bytes"]):
            pieces = rows.loc[rows["unit"] == "piece", "payload_bytes"]
            if len(pieces):
                most = max(int(pieces.max()), most or 0)
        return most

    def _batches(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        if isinstance(self._source, pd.DataFrame):
            yield self._source[columns]
            return
        with _reading(self._source, _TEXTS) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=columns):
                for name, cells in zip(batch.schema.names, batch.columns, strict=True):
                    if cells.null_count:
                        raise SchemaError(f"{self._source}: {name}: expected a value in every row")
                yield batch.to_pandas()


def _reading(path: Path, as_categories: Sequence[str]) -> Any:
    try:
        return pq.ParquetFile(path, read_dictionary=list(as_categories))
    except FileNotFoundError:
        raise SchemaError(f"{path}: expected this file in a run's folder") from None
    except (OSError, pa.ArrowException) as error:
        raise SchemaError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
