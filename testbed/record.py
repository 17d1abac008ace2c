"""What a run records: one row an observation, units in the column names, all columns in one place.

These tables write the files, check every file on load, label axes and generate results/README.md.
Node processes import this module, so it stays free of pandas and pyarrow; `testbed.store` has those.

Raw observations are kept; percentiles and everything else derived is computed later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

#: Form of the files. Rises when columns change.
#: 1: first form.
#: 2: `nodes` in nodes.parquet; in a run of version 1 every row is one node.
#: 3: transactions.parquet, the steps of requests; runs before have none. `file` in nodes.parquet; empty
#:    in runs before. `sessions` and what belongs
#:    to it in nodes.parquet; in runs before everybody came once.
SCHEMA_VERSION = 3

#: Rises when the same scenario would give other numbers; runs of different versions are not compared.
#: 1: first method.
#: 2: peers ask for twice as many pieces until near the end, and wait for grants as delay demands.
METHOD_VERSION = 3

Kind = Literal["int64", "float64", "string", "bool"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a raw table. `nullable`: it may be empty, and what that means is in `meaning`."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    nullable: bool = False


_TRIAL = (
    Column("architecture", "string", "", "`server` or `swarm`."),
    Column("clients", "int64", "", "N: how many nodes want the file."),
    Column("repeat", "int64", "", "Which repetition, from 0."),
)

NODE_COLUMNS = (
    *_TRIAL,
    Column(
        "node_id",
        "int64",
        "",
        "Stable within a trial; 0 is the origin, 1 to N are the clients, and after them come further "
        "origins (servers only) or the tracker.",
    ),
    Column("role", "string", "", "`origin`, `client`, `tracker` or `relay`."),
    Column(
        "nodes",
        "int64",
        "",
        "How many nodes the row stands for. 1, but in the flow world, where it is a class of nodes: "
        "rates and times are then those of each, bytes and counts those of all together.",
    ),
    Column("address", "string", "", "Host and port where it lived, last if it moved."),
    Column("process", "int64", "", "Which process of the trial it lived in, from 0."),
    Column("placement", "string", "", "How roles were placed in processes."),
    Column("uplink_bytes_per_second", "float64", "B/s", "Configured rate of its outgoing line."),
    Column("downlink_bytes_per_second", "float64", "B/s", "Configured rate of its incoming line."),
    Column("joined_seconds", "float64", "s", "When it began; empty if it never did.", True),
    Column("finished_seconds", "float64", "s", "When its file was verified; or empty.", True),
    Column("left_seconds", "float64", "s", "When it left for good.", True),
    Column("sessions", "int64", "", "How often it came, each time to another address."),
    Column("away_seconds", "float64", "s", "How long it was away between its sessions, in all."),
    Column(
        "rediscovery_seconds",
        "float64",
        "s",
        "The longest it took, after it had come back, until content reached it; empty if it never did.",
        True,
    ),
    Column("uploaded_payload_bytes", "int64", "B", "File content sent."),
    Column("downloaded_payload_bytes", "int64", "B", "File content received."),
    Column("uploaded_wire_bytes", "int64", "B", "All bytes sent, protocol included, TCP/IP not."),
    Column("downloaded_wire_bytes", "int64", "B", "All bytes received."),
    Column("wasted_payload_bytes", "int64", "B", "Content received twice or failing its hash."),
    Column("connections_dialled", "int64", "", "Connections it opened."),
    Column("connections_accepted", "int64", "", "Connections it took."),
    Column("requests_made", "int64", "", "Requests for content it sent."),
    Column("requests_served", "int64", "", "Requests for content it answered."),
    Column("verified", "bool", "", "Its file's SHA-256 was right (clients), or it had it (origin)."),
    Column(
        "file",
        "string",
        "",
        "What lay on a client's disk in the end, by its bytes: `whole`; `replaced`, all of the version "
        "that replaced it; `partial`, some of it and holes; `mixed`, some of either version; `wrong`; "
        "`none`. Empty of others, and where nobody looked.",
    ),
)

TRANSFER_COLUMNS = (
    *_TRIAL,
    Column("node_id", "int64", "", "Who asked."),
    Column("source_id", "int64", "", "Who answered."),
    Column("unit", "string", "", "`file` or `piece`."),
    Column("index", "int64", "", "Which piece; 0 for a file."),
    Column("scheduled_seconds", "float64", "s", "When the request was meant to be made."),
    Column("started_seconds", "float64", "s", "When it was made."),
    Column("first_byte_seconds", "float64", "s", "When the first byte of content had arrived."),
    Column("finished_seconds", "float64", "s", "When all had arrived and was verified."),
    Column("payload_bytes", "int64", "B", "File content received for it."),
    Column("outcome", "string", "", "`ok`, or why not."),
)

SAMPLE_COLUMNS = (
    *_TRIAL,
    Column("at_seconds", "float64", "s", "When the counters were read."),
    Column("scope", "string", "", "`node` or `process`."),
    Column("node_id", "int64", "", "Whose counters; -1 for a process."),
    Column("process", "int64", "", "Which process of the trial; -1 is the load generator, Locust."),
    Column(
        "role",
        "string",
        "",
        "Of a node: as in nodes. Of a process: whose nodes it runs, `mixed`, or `generator`.",
    ),
    Column("downloading", "int64", "", "Clients that have joined and not finished at this moment."),
    Column("uploaded_payload_bytes", "int64", "B", "So far."),
    Column("downloaded_payload_bytes", "int64", "B", "So far."),
    Column("uploaded_wire_bytes", "int64", "B", "So far."),
    Column("downloaded_wire_bytes", "int64", "B", "So far."),
    Column("pieces_held", "int64", "", "Verified pieces (swarm) or files (server)."),
    Column("cpu_seconds", "float64", "s", "Processor time of the process so far.", True),
    Column("memory_bytes", "int64", "B", "Resident memory of the process; 0 for a node."),
    Column("loop_lag_seconds", "float64", "s", "Latest due call since the last sample.", True),
)

TRIAL_COLUMNS = (
    *_TRIAL,
    Column("order", "int64", "", "Place in the order in which the trials ran."),
    Column("placement", "string", "", "How roles were placed in processes."),
    Column("status", "string", "", "`complete`, `failed` or `interrupted`."),
    Column("reason", "string", "", "Why it is not complete; or nothing."),
    Column("started_utc", "string", "", "ISO 8601."),
    Column("wall_seconds", "float64", "s", "From its first process to its last."),
    Column("payload_sent_bytes", "int64", "B", "File content sent by all nodes, drained."),
    Column("payload_received_bytes", "int64", "B", "File content received by all nodes, drained."),
    Column("files_verified", "int64", "", "Clients whose file on disk had the right SHA-256."),
    Column("files_expected", "int64", "", "Clients."),
    Column("generator_cpu_fraction", "float64", "", "Locust's share of a core."),
    Column("node_host_cpu_fraction", "float64", "", "Busiest node host's share of a core."),
    Column("node_host_memory_bytes", "int64", "B", "Largest resident memory of a node host."),
    Column("link_rate_windows", "int64", "", "Windows of 1 s and more in which a link was busy."),
    Column("link_rate_error_max", "float64", "", "Worst of them; empty if there were none.", True),
    Column("violations", "string", "", "JSON: links ended for a fault of the remote, by reason."),
)

TRANSACTION_COLUMNS = (
    *_TRIAL,
    Column("node_id", "int64", "", "Who asked."),
    Column("source_id", "int64", "", "Who answered."),
    Column("asked_seconds", "float64", "s", "When the client sent its request."),
    Column("received_seconds", "float64", "s", "When the host had all of it."),
    Column("found_seconds", "float64", "s", "When it had interpreted it and found the answer."),
    Column("sent_seconds", "float64", "s", "When all of the answer was with the host's kernel."),
    Column("first_byte_seconds", "float64", "s", "When the first byte of content had arrived."),
    Column("last_byte_seconds", "float64", "s", "When the last byte had arrived."),
    Column("processed_seconds", "float64", "s", "When the client had verified the content."),
    Column(
        "total_seconds",
        "float64",
        "s",
        "From when it asked until it had verified it, by a stopwatch of the client's own.",
    ),
    Column("payload_bytes", "int64", "B", "File content received."),
    Column(
        "cached_fraction",
        "float64",
        "",
        "Which share of the file the host's page cache held before; empty if nobody looked.",
        True,
    ),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "trials": TRIAL_COLUMNS,
    "nodes": NODE_COLUMNS,
    "transfers": TRANSFER_COLUMNS,
    "samples": SAMPLE_COLUMNS,
    "transactions": TRANSACTION_COLUMNS,
}


class TrialRow(msgspec.Struct, kw_only=True):
    """One trial; see TRIAL_COLUMNS."""

    architecture: str
    clients: int
    repeat: int
    order: int
    placement: str
    status: str
    reason: str
    started_utc: str
    wall_seconds: float
    payload_sent_bytes: int
    payload_received_bytes: int
    files_verified: int
    files_expected: int
    generator_cpu_fraction: float
    node_host_cpu_fraction: float
    node_host_memory_bytes: int
    link_rate_windows: int
    link_rate_error_max: float | None
    violations: str


class NodeRow(msgspec.Struct, kw_only=True):
    """One node of one trial; see NODE_COLUMNS."""

    architecture: str
    clients: int
    repeat: int
    node_id: int
    role: str
    nodes: int = 1
    address: str
    process: int
    placement: str
    uplink_bytes_per_second: float
    downlink_bytes_per_second: float
    joined_seconds: float | None
    finished_seconds: float | None
    left_seconds: float | None
    sessions: int = 1
    away_seconds: float = 0.0
    rediscovery_seconds: float | None = None
    uploaded_payload_bytes: int
    downloaded_payload_bytes: int
    uploaded_wire_bytes: int
    downloaded_wire_bytes: int
    wasted_payload_bytes: int
    connections_dialled: int
    connections_accepted: int
    requests_made: int
    requests_served: int
    verified: bool
    file: str = ""


class TransferRow(msgspec.Struct, kw_only=True):
    """One finished request; see TRANSFER_COLUMNS."""

    architecture: str
    clients: int
    repeat: int
    node_id: int
    source_id: int
    unit: str
    index: int
    scheduled_seconds: float
    started_seconds: float
    first_byte_seconds: float
    finished_seconds: float
    payload_bytes: int
    outcome: str


class SampleRow(msgspec.Struct, kw_only=True):
    """Counters at one moment; see SAMPLE_COLUMNS."""

    architecture: str
    clients: int
    repeat: int
    at_seconds: float
    scope: str
    node_id: int
    process: int
    role: str
    downloading: int
    uploaded_payload_bytes: int
    downloaded_payload_bytes: int
    uploaded_wire_bytes: int
    downloaded_wire_bytes: int
    pieces_held: int
    cpu_seconds: float | None
    memory_bytes: int
    loop_lag_seconds: float | None


class TransactionRow(msgspec.Struct, kw_only=True):
    """The steps of one request, where a scenario has them recorded; see TRANSACTION_COLUMNS."""

    architecture: str
    clients: int
    repeat: int
    node_id: int
    source_id: int
    asked_seconds: float
    received_seconds: float
    found_seconds: float
    sent_seconds: float
    first_byte_seconds: float
    last_byte_seconds: float
    processed_seconds: float
    total_seconds: float
    payload_bytes: int
    cached_fraction: float | None


TrialKey = tuple[str, int, int]
"""Architecture, clients, repeat: what names a trial in a run."""


class TrialRecord(msgspec.Struct, kw_only=True):
    """All that one trial observed: what a trial writes and a run is made of."""

    trial: TrialRow
    nodes: list[NodeRow]
    transfers: Sequence[TransferRow]
    samples: Sequence[SampleRow]
    """Like `transfers` a list, or `testbed.columns.Columns` where there are many."""
    transactions: list[TransactionRow] = []


def trial_key(record: TrialRecord) -> TrialKey:
    """Name the trial of a record."""
    return record.trial.architecture, record.trial.clients, record.trial.repeat


_README_HEAD = """\
# Results

<!-- Made by `python -m testbed.record > results/README.md`; a test keeps it up to date. -->

A run is a folder, `<scenario>/<UTC time>-<short id>/`, written under a temporary name, renamed once
and never edited; `latest` links to the newest. `published/` is committed, the rest is not. A name
that begins with a dot and ends in `.partial` is a run under way, or one that was killed, which
`--resume` takes up.

- `run.json`: `schema_version`, `method_version`, `world` (`live`, `simulated` or `flow`), `seed`, the
  resolved `scenario` (sizes in bytes, rates in bytes per second with `null` for unlimited), the
  `command`, the `environment`, `content_sha256` of the file, `started` and `finished` (UTC), `status`
  (`complete`, `partial`, `failed` or `invalid`) with its `reasons`, and `resumed_from` where trials of
  an earlier run were taken over.
- `*.parquet`: the raw rows, described below.
- `report/`: made from the raw rows by `make report`, and replaced whole.

`published/benchmarks/` holds what the scripts of `benchmarks/` printed, beside other people's software.

What `make compare` finds goes to `comparisons/<base>--<new>/`: a page, Markdown, a figure and
`comparison.json`. It is made from the raw rows of both runs and may be made again.

A trial is one architecture, one N, one repeat. Every time in seconds counts from its trial's start on
the monotonic clock. Payload is file content; wire bytes are all bytes of the application, protocol
included, TCP/IP not.

This is schema {schema}; numbers of one method (now {method}) may be compared with each other only.
"""


def describe_results() -> str:
    """All of results/README.md: what each file and column of a run means."""
    head = _README_HEAD.format(schema=SCHEMA_VERSION, method=METHOD_VERSION)
    return f"{head}\n{describe_tables()}"


def describe_tables() -> str:
    """What each column means, as tables in Markdown."""
    lines = []
    for table, columns in TABLES.items():
        lines += [f"## {table}.parquet", "", "| Column | Type | Unit | Meaning |"]
        lines += ["| --- | --- | --- | --- |"]
        for column in columns:
            kind = column.kind + (", may be empty" if column.nullable else "")
            lines.append(f"| `{column.name}` | {kind} | {column.unit} | {column.meaning} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(describe_results(), end="")
