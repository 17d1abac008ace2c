"""Rows in columns are the same rows, in memory, on disk and in frames."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.columns import Columns, StoredColumns, columns_of
from testbed.errors import SchemaError
from testbed.record import SAMPLE_COLUMNS, SampleRow

WHOLE = st.integers(-(2**63), 2**63 - 1)
NUMBER = st.floats(allow_nan=False)
KINDS = {"int64": WHOLE, "float64": NUMBER, "string": st.text(max_size=5)}
ROWS = st.lists(
    st.builds(
        SampleRow,
        **{
            column.name: st.none() | KINDS[column.kind] if column.nullable else KINDS[column.kind]
            for column in SAMPLE_COLUMNS
        },
    ),
    max_size=8,
)


def kept(rows):
    return columns_of(rows, SAMPLE_COLUMNS, SampleRow)


@given(ROWS)
def test_rows_come_back_as_they_were(rows):
    columns = kept(rows)
    assert list(columns) == rows
    assert len(columns) == len(rows)
    assert columns[1:3] == rows[1:3]


@given(ROWS)
def test_rows_come_back_from_their_stored_form(rows):
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(kept(rows).stored()), type=StoredColumns)
    again = Columns(SAMPLE_COLUMNS, SampleRow)
    again.restore(stored, "file")
    assert list(again) == rows


@given(ROWS, st.data())
def test_only_wanted_rows_are_kept(rows, data):
    wanted = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    columns = kept(rows)
    columns.keep(np.array(wanted, dtype=bool))
    assert list(columns) == [row for row, keep in zip(rows, wanted, strict=True) if keep]


@given(ROWS)
def test_a_column_has_the_cells_of_all_rows(rows):
    assert list(kept(rows).cells("role")) == [row.role for row in rows]
    assert list(kept(rows).cells("node_id")) == [row.node_id for row in rows]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.cells.pop("role"), "expected the columns"),
        (lambda s: s.cells.update(node_id=b"123"), "node_id: expected whole cells"),
        (lambda s: s.cells.update(node_id=bytes(16)), "of one length"),
        (lambda s: s.texts.update(role=[]), "role: a cell stands for no text"),
    ],
)
def test_a_damaged_file_is_refused_with_the_column(change, message):
    row = SampleRow(**{column.name: "x" if column.kind == "string" else 1 for column in SAMPLE_COLUMNS})
    stored = kept([row]).stored()
    change(stored)
    with pytest.raises(SchemaError, match=message):
        Columns(SAMPLE_COLUMNS, SampleRow).restore(stored, "file")
