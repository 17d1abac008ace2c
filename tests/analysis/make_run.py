"""Builds synthetic runs for the tests of `analysis`: invented rows, for no other purpose.

The numbers are made up so that everything is consistent (bytes add up, nobody beats a bound, the
swarm wins from N = 6 on), and each test then breaks what it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from analysis.theory import server_seconds, store_and_forward_seconds, swarm_seconds
from testbed.record import NodeRow, SampleRow, TransferRow, TrialRecord, TrialRow
from testbed.scenario import Scenario, parse
from testbed.store import RunWriter, write_trial

MIB = 1024 * 1024
FILE_BYTES = 5 * MIB // 2
PIECE_BYTES = 32 * 1024
PIECES = FILE_BYTES // PIECE_BYTES
ORIGIN_UPLINK, CLIENT_UPLINK, CLIENT_DOWNLINK = 8.0 * MIB, 1.0 * MIB, 2.0 * MIB
SAMPLE_SECONDS = 0.05
ORIGIN_PROCESS, CLIENT_PROCESS, GENERATOR = 0, 1, -1
ARMS = ("server", "swarm")

Change = Callable[[TrialRecord], None]


def make_scenario(
    clients: Sequence[int] = (2, 4, 6, 32),
    repeats: int = 3,
    placement: Sequence[str] = ("origin apart",),
    thresholds: dict[str, dict[str, float]] | None = None,
) -> Scenario:
    """Make the default scenario, with another sweep."""
    document = {
        "scenario": {
            "name": "invented",
            "question": "From how many clients does the swarm beat the server?",
            "clients": list(clients),
            "repeats": repeats,
            "seed": 7,
            "file_size": "2.5 MiB",
            "placement": list(placement),
        },
        "links": {
            "origin_uplink": "8 MiB/s",
            "origin_downlink": "8 MiB/s",
            "client_uplink": "1 MiB/s",
            "client_downlink": "2 MiB/s",
        },
        "peers": {"piece_length": "32 KiB"},
        "thresholds": {
            "server_efficiency": {"at_least": 0.95},
            "swarm_efficiency": {"at_least": 0.80, "from_clients": 6},
        }
        if thresholds is None
        else thresholds,
    }
    return parse(document, "invented.toml")


def make_run(
    root: Path,
    scenario: Scenario | None = None,
    *,
    arms: Iterable[str] = ARMS,
    world: str = "live",
    status: str = "complete",
    reasons: Sequence[str] = (),
    change: Change | None = None,
) -> Path:
    """Write a synthetic run.

    Args:
      root: Stands for `results/`.
      scenario: As `make_scenario` makes it.
      arms: Which architectures were measured.
      world: For run.json.
      status: For run.json.
      reasons: For run.json.
      change: Called with every trial before it is written, to break it; a trial that it empties
        of nodes is left out.

    Returns:
      The run's folder.
    """
    scenario = scenario or make_scenario()
    writer = RunWriter(root, scenario.to_dict(), world, "python -m loadtests run invented.toml")
    writer.note("environment", {"commit": "0" * 40, "packages": {"trio": "0"}, "python": "3"})
    order = 0
    for repeat in range(scenario.repeats):
        for clients in scenario.clients:
            for architecture in arms:
                placement = scenario.placement(repeat)
                record = trial(architecture, clients, repeat, placement, order)
                order += 1
                if change is not None:
                    change(record)
                if record.nodes:
                    write_trial(writer.trials, record)
    return writer.finish(status, reasons)


def trial(architecture: str, clients: int, repeat: int, placement: str, order: int = 0) -> TrialRecord:
    """Invent one trial."""
    nodes = node_rows(architecture, clients, repeat, placement)
    return TrialRecord(
        trial=TrialRow(
            architecture=architecture,
            clients=clients,
            repeat=repeat,
            order=order,
            placement=placement,
            status="complete",
            reason="",
            started_utc="2026-01-02T03:04:05+00:00",
            wall_seconds=makespan_of(architecture, clients, repeat) + 0.5,
            payload_sent_bytes=sum(node.uploaded_payload_bytes for node in nodes),
            payload_received_bytes=sum(node.downloaded_payload_bytes for node in nodes),
            files_verified=clients,
            files_expected=clients,
            generator_cpu_fraction=0.06,
            node_host_cpu_fraction=0.05 + 0.012 * clients,
            node_host_memory_bytes=60 * MIB,
            link_rate_windows=clients,
            link_rate_error_max=0.004,
            violations="{}",
        ),
        nodes=nodes,
        transfers=transfer_rows(architecture, clients, repeat),
        samples=sample_rows(architecture, clients, repeat, placement),
    )


def makespan_of(architecture: str, clients: int, repeat: int) -> float:
    """Invent a makespan: a bit above its bound, the swarm with a start-up of its own."""
    arm = ARMS.index(architecture)
    jitter = 1 + 0.004 * ((repeat * (5 + arm) + clients + arm) % 4)
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


def node_rows(architecture: str, clients: int, repeat: int, placement: str) -> list[NodeRow]:
    """Invent the nodes of one trial."""
    swarm = architecture == "swarm"
    done = completions_of(architecture, clients, repeat)
    total = clients * FILE_BYTES
    share = 0.0
    if swarm:
        busy = clients * CLIENT_UPLINK / (ORIGIN_UPLINK + clients * CLIENT_UPLINK)
        share = min(busy, 1 - 1 / clients)
    each = int(total * share / clients)
    from_origin = total - each * clients
    left = max(done) + 0.05
    rows = [
        NodeRow(
            architecture=architecture,
            clients=clients,
            repeat=repeat,
            node_id=0,
            role="origin",
            address="127.1.0.1:6881",
            process=ORIGIN_PROCESS,
            placement=placement,
            uplink_bytes_per_second=ORIGIN_UPLINK,
            downlink_bytes_per_second=ORIGIN_UPLINK,
            joined_seconds=0.0,
            finished_seconds=0.0,
            left_seconds=left,
            uploaded_payload_bytes=from_origin,
            downloaded_payload_bytes=0,
            uploaded_wire_bytes=int(from_origin * 1.002),
            downloaded_wire_bytes=400 * clients,
            wasted_payload_bytes=0,
            connections_dialled=0,
            connections_accepted=clients,
            requests_made=0,
            requests_served=PIECES * clients // 3 if swarm else clients,
            verified=True,
        )
    ]
    for node_id, finished in enumerate(done, start=1):
        rows.append(
            NodeRow(
                architecture=architecture,
                clients=clients,
                repeat=repeat,
                node_id=node_id,
                role="client",
                address=f"127.1.1.{node_id}:6881",
                process=ORIGIN_PROCESS if placement == "together" else CLIENT_PROCESS,
                placement=placement,
                uplink_bytes_per_second=CLIENT_UPLINK,
                downlink_bytes_per_second=CLIENT_DOWNLINK,
                joined_seconds=0.0,
                finished_seconds=finished,
                left_seconds=left,
                uploaded_payload_bytes=each,
                downloaded_payload_bytes=FILE_BYTES,
                uploaded_wire_bytes=int(each * 1.002) + 400,
                downloaded_wire_bytes=int(FILE_BYTES * 1.002),
                wasted_payload_bytes=0,
                connections_dialled=min(20, node_id) if swarm else 1,
                connections_accepted=min(20, clients - node_id) if swarm else 0,
                requests_made=PIECES if swarm else 1,
                requests_served=PIECES * 2 // 3 if swarm else 0,
                verified=True,
            )
        )
    if swarm:
        tracker = NodeRow(**{name: getattr(rows[0], name) for name in NodeRow.__struct_fields__})
        tracker.node_id, tracker.role = clients + 1, "tracker"
        tracker.uploaded_payload_bytes, tracker.finished_seconds = 0, None
        tracker.verified = False
        rows.append(tracker)
    return rows


def transfer_rows(architecture: str, clients: int, repeat: int) -> list[TransferRow]:
    """Invent the requests of one trial: a file for each client, or each piece once."""
    rng = np.random.default_rng([clients, repeat])
    swarm = architecture == "swarm"
    rows = []
    for node_id, finished in enumerate(completions_of(architecture, clients, repeat), start=1):
        ends = np.linspace(0.06, finished, PIECES) if swarm else [finished]
        order = rng.permutation(PIECES) if swarm else [0]
        for end, index in zip(ends, order, strict=True):
            scheduled = float(end) - 0.05 if swarm else 0.0
            rows.append(
                TransferRow(
                    architecture=architecture,
                    clients=clients,
                    repeat=repeat,
                    node_id=node_id,
                    source_id=int(rng.integers(0, clients + 1)) if swarm else 0,
                    unit="piece" if swarm else "file",
                    index=int(index),
                    scheduled_seconds=scheduled,
                    started_seconds=scheduled + 0.0005,
                    first_byte_seconds=scheduled + 0.002 + 0.0005 * node_id,
                    finished_seconds=float(end),
                    payload_bytes=PIECE_BYTES if swarm else FILE_BYTES,
                    outcome="ok",
                )
            )
    return rows


def sample_rows(architecture: str, clients: int, repeat: int, placement: str) -> list[SampleRow]:
    """Invent the samples of one trial: the processes' counters."""
    done = completions_of(architecture, clients, repeat)
    apart = placement != "together"
    shares = {GENERATOR: 0.05, ORIGIN_PROCESS: 0.1}
    if apart:
        shares[CLIENT_PROCESS] = 0.05 + 0.012 * clients
    roles = {GENERATOR: "generator", ORIGIN_PROCESS: "origin" if apart else "mixed"}
    host = CLIENT_PROCESS if apart else ORIGIN_PROCESS
    return [
        SampleRow(
            architecture=architecture,
            clients=clients,
            repeat=repeat,
            at_seconds=float(at),
            scope="process",
            node_id=-1,
            process=process,
            role=roles.get(process, "client"),
            downloading=sum(float(at) < one for one in done) if process == host else 0,
            uploaded_payload_bytes=0,
            downloaded_payload_bytes=0,
            uploaded_wire_bytes=0,
            downloaded_wire_bytes=0,
            pieces_held=0,
            cpu_seconds=share * float(at),
            memory_bytes=60 * MIB,
            loop_lag_seconds=0.001,
        )
        for at in np.arange(0.0, max(done) + SAMPLE_SECONDS, SAMPLE_SECONDS)
        for process, share in shares.items()
    ]
