"""What a report of a large run costs: `python -m benchmarks.large_report [--rows 10000000]`.

Writes a run with invented rows (two swarm trials of so many requests together, and two server trials)
a batch at a time, reports on it in a process of its own, and prints wall time, time for each row and
peak memory. Nothing of it is a measurement of anything but the report.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from testbed.frames import frames_of
from testbed.record import (
    METHOD_VERSION,
    SCHEMA_VERSION,
    TRANSFER_COLUMNS,
    NodeRow,
    SampleRow,
    TrialRecord,
    TrialRow,
)
from testbed.scenario import Links, Scenario

PIECE_BYTES = 16 * 1024
PIECES = 1000
FILE_BYTES = PIECES * PIECE_BYTES
REPEATS = 2
MOST_SECONDS, MOST_MEBIBYTES = 60.0, 1024.0
"""What a report of ten million rows may take."""
UPLINK = 1024.0 * 1024.0
_TYPES = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64()}
SCHEMA = pa.schema([(column.name, _TYPES[column.kind]) for column in TRANSFER_COLUMNS])


def write_run(folder: Path, rows: int) -> int:
    """Write a run with about so many transfer rows; gives how many they are."""
    clients = max(2, rows // (REPEATS * PIECES))
    scenario = Scenario(
        name="large_report",
        clients=(clients,),
        repeats=REPEATS,
        file_bytes=FILE_BYTES,
        links=Links(
            origin_uplink_bytes_per_second=8 * UPLINK,
            client_uplink_bytes_per_second=UPLINK,
            client_downlink_bytes_per_second=2 * UPLINK,
        ),
        tables={"peers": {"piece_length": "16 KiB"}},
    )
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "method_version": METHOD_VERSION,
        "world": "simulated",
        "seed": 0,
        "scenario": scenario.to_dict(),
        "command": "python -m benchmarks.large_report",
        "status": "complete",
        "reasons": [],
    }
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(manifest), encoding="utf-8")
    records = [
        _trial(architecture, clients, repeat)
        for repeat in range(REPEATS)
        for architecture in ("server", "swarm")
    ]
    for table, frame in frames_of(records).items():
        if table != "transfers":
            frame.to_parquet(folder / f"{table}.parquet", index=False)
    written = 0
    with pq.ParquetWriter(folder / "transfers.parquet", SCHEMA) as writer:
        for repeat in range(REPEATS):
            for batch in _requests(clients, repeat):
                writer.write_table(batch)
                written += batch.num_rows
    return written


def _seconds(architecture: str, clients: int) -> float:
    """Invent a makespan that no bound forbids."""
    rate = 8 * UPLINK if architecture == "server" else UPLINK * (8 + clients)
    return 1.3 * clients * FILE_BYTES / rate + 20.0


def _trial(architecture: str, clients: int, repeat: int) -> TrialRecord:
    end = _seconds(architecture, clients)
    swarm = architecture == "swarm"
    each = FILE_BYTES * 9 // 10 if swarm else 0
    key = {"architecture": architecture, "clients": clients, "repeat": repeat}
    nodes = [
        NodeRow(
            **key,
            node_id=node,
            role="client" if node else "origin",
            address="",
            process=0,
            placement="origin apart",
            uplink_bytes_per_second=UPLINK if node else 8 * UPLINK,
            downlink_bytes_per_second=2 * UPLINK,
            joined_seconds=0.0,
            finished_seconds=end * (1 - 0.1 * node / clients) if node else 0.0,
            left_seconds=end,
            uploaded_payload_bytes=each if node else clients * (FILE_BYTES - each),
            downloaded_payload_bytes=FILE_BYTES if node else 0,
            uploaded_wire_bytes=each if node else clients * (FILE_BYTES - each),
            downloaded_wire_bytes=FILE_BYTES if node else 0,
            wasted_payload_bytes=0,
            connections_dialled=1,
            connections_accepted=1,
            requests_made=1,
            requests_served=1,
            verified=True,
        )
        for node in range(clients + 1)
    ]
    trial = TrialRow(
        **key,
        order=2 * repeat + swarm,
        placement="origin apart",
        status="complete",
        reason="",
        started_utc="2026-01-02T03:04:05+00:00",
        wall_seconds=end,
        payload_sent_bytes=clients * FILE_BYTES,
        payload_received_bytes=clients * FILE_BYTES,
        files_verified=clients,
        files_expected=clients,
        generator_cpu_fraction=0.0,
        node_host_cpu_fraction=0.0,
        node_host_memory_bytes=0,
        link_rate_windows=0,
        link_rate_error_max=None,
        violations="{}",
    )
    samples: list[SampleRow] = []
    return TrialRecord(trial=trial, nodes=nodes, transfers=[], samples=samples)


def _requests(clients: int, repeat: int) -> Iterator[pa.Table]:
    """Invent the requests of both architectures, a few hundred clients at a time."""
    rng = np.random.default_rng(repeat)
    everybody = np.arange(1, clients + 1)
    yield _table("server", clients, repeat, everybody, np.zeros(clients, int), rng)
    for some in np.array_split(everybody, -(-clients // 250)):
        node = np.repeat(some, PIECES)
        yield _table("swarm", clients, repeat, node, np.tile(np.arange(PIECES), len(some)), rng)


def _table(
    architecture: str,
    clients: int,
    repeat: int,
    node: np.ndarray,
    index: np.ndarray,
    rng: np.random.Generator,
) -> pa.Table:
    count, swarm = len(node), architecture == "swarm"
    end = _seconds(architecture, clients) * (1 - 0.1 * node / clients)
    finished = end * rng.random(count) if swarm else end
    began = finished * 0.98 if swarm else 0.01 * finished
    size = PIECE_BYTES if swarm else FILE_BYTES
    columns = {
        "architecture": np.full(count, architecture),
        "clients": np.full(count, clients),
        "repeat": np.full(count, repeat),
        "node_id": node,
        "source_id": rng.integers(0, clients + 1, count) if swarm else np.zeros(count, int),
        "unit": np.full(count, "piece" if swarm else "file"),
        "index": index,
        "scheduled_seconds": began * 0.99,
        "started_seconds": began * 0.995,
        "first_byte_seconds": began,
        "finished_seconds": finished,
        "payload_bytes": np.full(count, size),
        "outcome": np.full(count, "ok"),
    }
    return pa.table(columns, schema=SCHEMA)


def report_on(folder: Path) -> tuple[float, float, int]:
    """Report in a process of its own; gives wall seconds, peak MiB and the exit code."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "analysis", "report", str(folder), "--quiet"])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - begun, used.ru_maxrss / 1024, process.returncode


def main() -> int:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="of transfers.parquet, about")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        rows = write_run(folder, args.rows)
        seconds, mebibytes, code = report_on(folder)
    print(
        f"{rows:,} rows: {seconds:.1f} s, {1e6 * seconds / rows:.2f} us a row, "
        f"{mebibytes:.0f} MiB peak, exit code {code}"
    )
    return int(code != 0 or seconds > MOST_SECONDS or mebibytes > MOST_MEBIBYTES)


if __name__ == "__main__":
    sys.exit(main())
