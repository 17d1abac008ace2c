"""Rows of one table of a record, kept in columns.

A simulated swarm of ten thousand makes 640,000 transfers. As Python objects they take 400 bytes each,
here 86: numbers are 8 bytes, and a text is a number that stands for it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from testbed.errors import SchemaError
from testbed.record import Column

Row = TypeVar("Row", bound=msgspec.Struct)

#: How cells are kept. A text is its place among the column's texts, of which there are few.
_CODES = {"int64": "q", "float64": "d", "string": "H", "bool": "b"}


#: Rows that are put into columns together.
ROWS_TOGETHER = 256


class StoredColumns(msgspec.Struct, frozen=True):
    """Columns on disk: the bytes of each, and the texts that its numbers stand for."""

    cells: dict[str, bytes]
    texts: dict[str, list[str]]


class Columns(Sequence[Row], Generic[Row]):
    """Rows of one type, to be read like a list; what is read are copies.

    Args:
      columns: What a row has, in the order of its fields. Only float64 may be nullable.
      row_type: What to make of a row that is read.
    """

    def __init__(self, columns: Sequence[Column], row_type: type[Row]) -> None:
        self._columns = tuple(columns)
        self._row_type = row_type
        self._cells: list[array[Any]] = [array(_CODES[column.kind]) for column in columns]
        self._texts: list[dict[str, int] | None] = [
            {} if column.kind == "string" else None for column in columns
        ]
        self._waiting: list[tuple[Any, ...]] = []
        self._fields = attrgetter(*(column.name for column in columns))

    def append(self, row: Row) -> None:
        """Keep the cells of one more row."""
        self.add(*self._fields(row))

    def add(self, *cells: Any) -> None:
        """Keep one more row, given by its cells in the order of the columns."""
        waiting = self._waiting
        waiting.append(cells)
        if len(waiting) >= ROWS_TOGETHER:
            self._take_in()

    def _take_in(self) -> None:
        """Put the rows that wait into the columns: together they cost a third of each alone."""
        if not self._waiting:
            return
        by_column = zip(*self._waiting, strict=True)
        for column, kept, texts, cells in zip(
            self._columns, self._cells, self._texts, by_column, strict=True
        ):
            if texts is not None:
                kept.extend([texts.setdefault(cell, len(texts)) for cell in cells])
            elif column.nullable:
                kept.extend([math.nan if cell is None else cell for cell in cells])
            else:
                kept.extend(cells)
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._cells[0]) + len(self._waiting)

    def __iter__(self) -> Iterator[Row]:
        return (self[place] for place in range(len(self)))

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        """Make a row, or several, of their cells."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        self._take_in()
        row: dict[str, Any] = {}
        for column, kept, texts in zip(self._columns, self._cells, self._texts, strict=True):
            cell: Any = kept[place]
            if texts is not None:
                cell = list(texts)[cell]
            elif column.kind == "bool":
                cell = bool(cell)
            elif column.nullable and math.isnan(cell):
                cell = None
            row[column.name] = cell
        return self._row_type(**row)

    def cells(self, name: str) -> NDArray[Any]:
        """All cells of one column: numbers, truth values or texts; an empty one is NaN."""
        self._take_in()
        place = [column.name for column in self._columns].index(name)
        texts = self._texts[place]
        kept: NDArray[Any] = np.array(self._cells[place])
        if texts is not None:
            values: NDArray[Any] = np.array([*texts, ""], dtype=object)
            kept = values[kept]
        elif self._columns[place].kind == "bool":
            kept = kept.astype(bool)
        return kept

    def keep(self, wanted: NDArray[np.bool_]) -> None:
        """Let go of all rows but those that are wanted: a truth value for each."""
        self._take_in()
        for place, kept in enumerate(self._cells):
            self._cells[place] = array(kept.typecode, np.array(kept)[wanted].tobytes())

    def stored(self) -> StoredColumns:
        """Give what a file keeps of them."""
        self._take_in()
        names = [column.name for column in self._columns]
        return StoredColumns(
            cells={name: kept.tobytes() for name, kept in zip(names, self._cells, strict=True)},
            texts={
                name: list(texts)
                for name, texts in zip(names, self._texts, strict=True)
                if texts is not None
            },
        )

    def restore(self, stored: StoredColumns, source: str) -> None:
        """Take what a file has kept.

        Raises:
          SchemaError: it has other columns, or not of one length. The message begins with `source`.
        """
        self._waiting.clear()
        names = [column.name for column in self._columns]
        texts = {column.name for column in self._columns if column.kind == "string"}
        if set(stored.cells) != set(names) or set(stored.texts) != texts:
            raise SchemaError(f"{source}: expected the columns of this version")
        for place, name in enumerate(names):
            kept: array[Any] = array(self._cells[place].typecode)
            try:
                kept.frombytes(stored.cells[name])
            except ValueError:
                raise SchemaError(f"{source}: {name}: expected whole cells") from None
            self._cells[place] = kept
            if name in texts:
                self._texts[place] = {text: code for code, text in enumerate(stored.texts[name])}
                if kept and max(kept) >= len(stored.texts[name]):
                    raise SchemaError(f"{source}: {name}: a cell stands for no text")
        if len({len(kept) for kept in self._cells}) > 1:
            raise SchemaError(f"{source}: expected columns of one length")


def columns_of(rows: Sequence[Row], columns: Sequence[Column], row_type: type[Row]) -> Columns[Row]:
    """Give rows in columns, if they are not already."""
    if isinstance(rows, Columns):
        return rows
    made = Columns(columns, row_type)
    for row in rows:
        made.append(row)
    return made
