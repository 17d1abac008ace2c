"""Builds synthetic runs for the tests of `analysis`: invented rows, for no other purpose.

The numbers are made up so that everything is consistent (bytes add up, nobody beats a bound, the
swarm wins from N = 6 on), and each test then breaks what it is about.
"""

from __future__ import annotations

import numpy as np

from analysis.theory import server_seconds, store_and_forward_seconds, swarm_seconds

MIB = 1024 * 1024
FILE_BYTES = 5 * MIB // 2
PIECE_BYTES = 32 * 1024
PIECES = FILE_BYTES // PIECE_BYTES
ORIGIN_UPLINK, CLIENT_UPLINK, CLIENT_DOWNLINK = 8.0 * MIB, 1.0 * MIB, 2.0 * MIB
BURST_SECONDS = 0.02
SAMPLE_SECONDS = 0.05


def makespan_of(architecture: str, clients: int, repeat: int) -> float:
    """Invent a makespan: a bit above its bound, the swarm with a start-up of its own."""
    jitter = 1 + 0.004 * ((repeat * 7 + clients) % 3)
    if architecture == "server":
        bound = server_seconds(FILE_BYTES, ORIGIN_UPLINK, CLIENT_DOWNLINK, clients)
        return bound * 1.015 * jitter
    fluid = swarm_seconds(FILE_BYTES, ORIGIN_UPLINK, CLIENT_UPLINK, CLIENT_DOWNLINK, clients)
    stored = store_and_forward_seconds(FILE_BYTES, ORIGIN_UPLINK, CLIENT_UPLINK, clients, PIECES)
    return (max(fluid, stored) * 1.03 + 0.06) * jitter


def completions_of(architecture: str, clients: int, repeat: int) -> list[float]:
    """Invent when each client finishes: all close to the end, the last one at the makespan."""
    makespan = makespan_of(architecture, clients, repeat)
    width = 0.01 if architecture == "server" else 0.06
    return [makespan * (1 - width * (clients - place) / clients) for place in range(1, clients + 1)]


def node_rows(architecture: str, clients: int, repeat: int) -> list[dict[str, object]]:
    """Invent the nodes of one trial."""
    done = completions_of(architecture, clients, repeat)
    total = clients * FILE_BYTES
    share = 0.0
    if architecture == "swarm" and clients > 1:
        share = min(
            CLIENT_UPLINK / (ORIGIN_UPLINK + clients * CLIENT_UPLINK) * clients, 1 - 1 / clients
        )
    each = int(total * share / clients)
    common = {
        "architecture": architecture,
        "clients": clients,
        "repeat": repeat,
        "left_seconds": max(done) + 0.05,
    }
    rows: list[dict[str, object]] = [
        common
        | {
            "node_id": 0,
            "role": "origin",
            "address": "127.1.0.1:6881",
            "uplink_bytes_per_second": ORIGIN_UPLINK,
            "downlink_bytes_per_second": ORIGIN_UPLINK,
            "joined_seconds": 0.0,
            "finished_seconds": 0.0,
            "uploaded_payload_bytes": total - each * clients,
            "downloaded_payload_bytes": 0,
            "uploaded_wire_bytes": int((total - each * clients) * 1.002),
            "downloaded_wire_bytes": 400 * clients,
            "wasted_payload_bytes": 0,
            "connections_dialled": 0,
            "connections_accepted": clients,
            "requests_made": 0,
            "requests_served": clients if architecture == "server" else PIECES * clients // 3,
            "verified": True,
        }
    ]
    for node_id, finished in enumerate(done, start=1):
        swarm = architecture == "swarm"
        rows.append(
            common
            | {
                "node_id": node_id,
                "role": "client",
                "address": f"127.1.1.{node_id}:6881",
                "uplink_bytes_per_second": CLIENT_UPLINK,
                "downlink_bytes_per_second": CLIENT_DOWNLINK,
                "joined_seconds": 0.0,
                "finished_seconds": finished,
                "uploaded_payload_bytes": each,
                "downloaded_payload_bytes": FILE_BYTES,
                "uploaded_wire_bytes": int(each * 1.002) + 400,
                "downloaded_wire_bytes": int(FILE_BYTES * 1.002),
                "wasted_payload_bytes": 0,
                "connections_dialled": min(20, node_id) if swarm else 1,
                "connections_accepted": min(20, clients - node_id) if swarm else 0,
                "requests_made": PIECES if swarm else 1,
                "requests_served": PIECES * 2 // 3 if swarm else 0,
                "verified": True,
            }
        )
    return rows


def transfer_rows(architecture: str, clients: int, repeat: int) -> list[dict[str, object]]:
    """Invent the requests of one trial: a file for each client, or each piece once."""
    done = completions_of(architecture, clients, repeat)
    rng = np.random.default_rng([clients, repeat])
    rows: list[dict[str, object]] = []
    common = {
        "architecture": architecture,
        "clients": clients,
        "repeat": repeat,
        "outcome": "ok",
    }
    for node_id, finished in enumerate(done, start=1):
        if architecture == "server":
            rows.append(
                common
                | {
                    "node_id": node_id,
                    "source_id": 0,
                    "unit": "file",
                    "index": 0,
                    "scheduled_seconds": 0.0,
                    "started_seconds": 0.001,
                    "first_byte_seconds": 0.004 + 0.0005 * node_id,
                    "finished_seconds": finished,
                    "payload_bytes": FILE_BYTES,
                }
            )
            continue
        ends = np.linspace(0.06, finished, PIECES)
        for end, index in zip(ends, rng.permutation(PIECES), strict=True):
            rows.append(
                common
                | {
                    "node_id": node_id,
                    "source_id": int(rng.integers(0, clients + 1)),
                    "unit": "piece",
                    "index": int(index),
                    "scheduled_seconds": float(end) - 0.05,
                    "started_seconds": float(end) - 0.05,
                    "first_byte_seconds": float(end) - 0.03,
                    "finished_seconds": float(end),
                    "payload_bytes": PIECE_BYTES,
                }
            )
    return rows


def sample_rows(architecture: str, clients: int, repeat: int) -> list[dict[str, object]]:
    """Invent the samples of one trial: each client's progress, and three processes' CPU."""
    done = completions_of(architecture, clients, repeat)
    makespan = max(done)
    common = {"architecture": architecture, "clients": clients, "repeat": repeat}
    rows: list[dict[str, object]] = []
    for at in np.arange(0.0, makespan + SAMPLE_SECONDS, SAMPLE_SECONDS):
        for process, share in (
            ("locust", 0.05),
            ("clients", 0.012 * clients + 0.05),
            ("origin", 0.1),
        ):
            rows.append(
                common
                | {
                    "at_seconds": float(at),
                    "scope": "process",
                    "process": process,
                    "node_id": -1,
                    "cpu_seconds": 0.3 + share * float(at),
                    "memory_bytes": 60 * MIB,
                    "loop_lag_seconds": 0.001,
                    "downloaded_payload_bytes": 0,
                    "uploaded_payload_bytes": 0,
                }
            )
        for node_id, finished in enumerate(done, start=1):
            rows.append(
                common
                | {
                    "at_seconds": float(at),
                    "scope": "node",
                    "process": "",
                    "node_id": node_id,
                    "cpu_seconds": float("nan"),
                    "memory_bytes": 0,
                    "loop_lag_seconds": float("nan"),
                    "downloaded_payload_bytes": int(FILE_BYTES * min(1.0, at / finished)),
                    "uploaded_payload_bytes": 0,
                }
            )
    return rows
