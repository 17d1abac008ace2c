"""The form in which every model hands over what it computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Cell = int | float | str | bool
Rows = list[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """Column names, with units, and one row for each case."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
