"""The record: columns, rows and the description for people say the same."""

import subprocess
import sys
import types
import typing
from pathlib import Path

import pytest

from testbed.record import (
    TABLES,
    NodeRow,
    SampleRow,
    TransactionRow,
    TransferRow,
    TrialRow,
    describe_results,
)

ROOT = Path(__file__).parents[2]

ROWS = {
    "trials": TrialRow,
    "nodes": NodeRow,
    "transfers": TransferRow,
    "samples": SampleRow,
    "transactions": TransactionRow,
}

TYPES = {"int64": int, "float64": float, "string": str, "bool": bool}

#: What CONTRACT.md promises of nodes and transfers; scripts rely on these names.
PROMISED = {
    "nodes": """architecture clients repeat node_id role address uplink_bytes_per_second
        downlink_bytes_per_second joined_seconds finished_seconds left_seconds
        uploaded_payload_bytes downloaded_payload_bytes uploaded_wire_bytes downloaded_wire_bytes
        wasted_payload_bytes connections_dialled connections_accepted requests_made requests_served
        verified""",
    "transfers": """architecture clients repeat node_id source_id unit index scheduled_seconds
        started_seconds first_byte_seconds finished_seconds payload_bytes outcome""",
}


@pytest.mark.parametrize("table", TABLES)
def test_rows_have_the_fields_of_their_columns_in_order(table):
    hints = typing.get_type_hints(ROWS[table])
    declared = {
        column.name: TYPES[column.kind] | None if column.nullable else TYPES[column.kind]
        for column in TABLES[table]
    }
    assert list(hints) == list(declared)
    assert hints == declared


@pytest.mark.parametrize("table", PROMISED)
def test_promised_columns_are_there_in_order(table):
    names = [column.name for column in TABLES[table]]
    promised = PROMISED[table].split()
    assert [name for name in names if name in promised] == promised


@pytest.mark.parametrize("table", TABLES)
def test_names_are_unique_and_carry_their_unit(table):
    columns = TABLES[table]
    assert len({column.name for column in columns}) == len(columns)
    endings = {"s": "_seconds", "B": "_bytes", "B/s": "_bytes_per_second"}
    for column in columns:
        assert column.meaning.endswith(".")
        if column.unit:
            assert column.name.endswith(endings[column.unit])


@pytest.mark.parametrize("table", TABLES)
def test_only_fractions_may_be_empty(table):
    # An empty whole number would turn its whole column into floating point.
    assert {column.kind for column in TABLES[table] if column.nullable} <= {"float64"}


def test_the_readme_of_results_is_up_to_date():
    # To renew it: python -m testbed.record > results/README.md
    assert (ROOT / "results" / "README.md").read_text(encoding="utf-8") == describe_results()


def test_node_processes_can_record_without_pandas():
    code = "import sys, testbed.record; print('pandas' in sys.modules, 'pyarrow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_nullable_types_are_unions_with_none():
    assert isinstance(typing.get_type_hints(NodeRow)["finished_seconds"], types.UnionType)
