"""One trial in the flow world: its clients in groups, their rates integrated, and the usual record.

A row of nodes stands for a whole group and says how large it is (`nodes`). Nothing is transferred, so
there are no rows of transfers, no connections and no protocol: wire bytes are payload. There is no file
either that could be verified; a client is `verified` when it has received all of it.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from analysis.theory.flow import Outcome, server_flow, swarm_flow
from loadtests.client_groups import ClientGroup, as_arrays, client_groups
from loadtests.plan import TrialPlan
from loadtests.watching import TrialProgress
from peers.settings import read_settings
from peers.torrent import default_piece_bytes
from servers.settings import read_settings as read_server_settings
from testbed.arrivals import parse_departures
from testbed.record import NodeRow, SampleRow, TrialRecord, TrialRow

#: So many moments of a trial are kept, evenly spaced.
SAMPLES = 400

#: All groups are computed in one process.
PROCESS = 0


def run_flow_trial(plan: TrialPlan, on_progress: Callable[[TrialProgress], None]) -> TrialRecord:
    """Compute one trial; one that does not end within its limit is a record too, with its reason."""
    started_utc = datetime.now(UTC).isoformat()
    began = time.monotonic()
    groups = client_groups(plan)
    outcome = _integrate(plan, groups)
    nodes = _node_rows(plan, groups, outcome)
    finished = sum(row.nodes for row in nodes if row.role == "client" and row.verified)
    reason = _what_is_missing(plan, groups, outcome)
    on_progress(TrialProgress("running", finished, sum(row.downloaded_payload_bytes for row in nodes)))
    return TrialRecord(
        trial=TrialRow(
            architecture=plan.architecture,
            clients=plan.clients,
            repeat=plan.repeat,
            order=plan.order,
            placement=plan.placement,
            status="failed" if reason else "complete",
            reason=reason,
            started_utc=started_utc,
            wall_seconds=time.monotonic() - began,
            payload_sent_bytes=sum(row.uploaded_payload_bytes for row in nodes),
            payload_received_bytes=sum(row.downloaded_payload_bytes for row in nodes),
            files_verified=0,
            files_expected=0,
            generator_cpu_fraction=0.0,
            node_host_cpu_fraction=0.0,
            node_host_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            link_rate_windows=0,
            link_rate_error_max=None,
            violations="{}",
        ),
        nodes=nodes,
        transfers=[],
        samples=_samples(plan, outcome),
    )


def _integrate(plan: TrialPlan, groups: list[ClientGroup]) -> Outcome:
    scenario = plan.read_scenario()
    file_bytes = plan.content.size_bytes
    seeding = parse_departures(scenario.departures).seeding_seconds
    origin = scenario.links.origin_uplink_bytes_per_second
    if plan.architecture == "server":
        everybody = as_arrays(groups)
        # Evenly dealt out, clients share all origins; each gets no more than the one it asks can send.
        narrow = np.minimum(everybody.downlink_bytes_per_second, origin)
        return server_flow(
            replace(everybody, downlink_bytes_per_second=narrow),
            file_bytes=file_bytes,
            origin_uplink=origin * _origins(plan),
            limit_seconds=scenario.trial_limit_seconds,
            seeding_seconds=seeding,
        )
    settings = read_settings(scenario.tables["peers"], scenario.source)
    return swarm_flow(
        as_arrays(groups),
        file_bytes=file_bytes,
        piece_bytes=settings.piece_bytes or default_piece_bytes(file_bytes, max(scenario.clients)),
        origin_uplink=origin,
        limit_seconds=scenario.trial_limit_seconds,
        seeding_seconds=seeding,
    )


def _origins(plan: TrialPlan) -> int:
    """How many nodes have the file at the start."""
    if plan.architecture == "swarm":
        return 1
    scenario = plan.read_scenario()
    return read_server_settings(scenario.tables["servers"], scenario.source).origins


def _what_is_missing(plan: TrialPlan, groups: list[ClientGroup], outcome: Outcome) -> str:
    limit = plan.read_scenario().trial_limit_seconds
    unfinished = sum(
        group.nodes
        for group, finished in zip(groups, outcome.finished_seconds, strict=True)
        if np.isnan(finished) and limit < group.joins_seconds + group.patience_seconds
    )
    if not unfinished:
        return ""
    return f"not done within {limit:g} s: {unfinished:,} of {plan.clients:,} clients unfinished"


def whole_bytes(amounts: list[float], total_bytes: int) -> list[int]:
    """Round amounts down to whole bytes; the largest takes what is left of their known total."""
    rounded = [int(amount) for amount in amounts]
    rounded[int(np.argmax(amounts))] += total_bytes - sum(rounded)
    return rounded


def _node_rows(plan: TrialPlan, groups: list[ClientGroup], outcome: Outcome) -> list[NodeRow]:
    """Make the origin's row and one for each group."""
    links = plan.read_scenario().links
    file_bytes = plan.content.size_bytes
    done = ~np.isnan(outcome.finished_seconds)
    received = [
        group.nodes * file_bytes if whole else round(group.nodes * amount)
        for group, whole, amount in zip(groups, done, outcome.received_bytes.tolist(), strict=True)
    ]
    sent = whole_bytes([outcome.origin_bytes, *outcome.uploaded_bytes.tolist()], sum(received))
    rows = [
        _row(
            plan,
            node_id=0,
            role="origin",
            nodes=_origins(plan),
            uplink_bytes_per_second=links.origin_uplink_bytes_per_second,
            downlink_bytes_per_second=links.origin_downlink_bytes_per_second,
            joined_seconds=0.0,
            left_seconds=outcome.ended_seconds,
            sent_bytes=sent[0],
            verified=True,
        )
    ]
    for index, group in enumerate(groups):
        rows.append(
            _row(
                plan,
                node_id=index + 1,
                role="client",
                nodes=group.nodes,
                uplink_bytes_per_second=group.line.uplink_bytes_per_second,
                downlink_bytes_per_second=group.line.downlink_bytes_per_second,
                joined_seconds=group.joins_seconds,
                finished_seconds=float(outcome.finished_seconds[index]) if done[index] else None,
                left_seconds=float(outcome.left_seconds[index]),
                sent_bytes=sent[index + 1],
                received_bytes=received[index],
                verified=bool(done[index]),
            )
        )
    return rows


def _row(
    plan: TrialPlan,
    *,
    node_id: int,
    role: str,
    uplink_bytes_per_second: float,
    downlink_bytes_per_second: float,
    joined_seconds: float,
    left_seconds: float,
    sent_bytes: int,
    verified: bool,
    nodes: int = 1,
    finished_seconds: float | None = None,
    received_bytes: int = 0,
) -> NodeRow:
    return NodeRow(
        architecture=plan.architecture,
        clients=plan.clients,
        repeat=plan.repeat,
        node_id=node_id,
        role=role,
        nodes=nodes,
        address="",
        process=PROCESS,
        placement=plan.placement,
        uplink_bytes_per_second=uplink_bytes_per_second,
        downlink_bytes_per_second=downlink_bytes_per_second,
        joined_seconds=joined_seconds,
        finished_seconds=finished_seconds,
        left_seconds=left_seconds,
        uploaded_payload_bytes=sent_bytes,
        downloaded_payload_bytes=received_bytes,
        uploaded_wire_bytes=sent_bytes,
        downloaded_wire_bytes=received_bytes,
        wasted_payload_bytes=0,
        connections_dialled=0,
        connections_accepted=0,
        requests_made=0,
        requests_served=0,
        verified=verified,
    )


def _samples(plan: TrialPlan, outcome: Outcome) -> list[SampleRow]:
    """Read the integration's state at evenly spaced moments: the population, and the bytes so far."""
    moments = np.linspace(0.0, outcome.ended_seconds, SAMPLES)
    # What is known at the beginning of a step holds until the next one begins.
    steps = np.searchsorted(outcome.moment_seconds, moments, side="right") - 1
    delivered = np.interp(moments, outcome.moment_seconds, outcome.delivered_bytes)
    return [
        SampleRow(
            architecture=plan.architecture,
            clients=plan.clients,
            repeat=plan.repeat,
            at_seconds=float(moment),
            scope="process",
            node_id=-1,
            process=PROCESS,
            role="mixed",
            downloading=round(float(outcome.downloading[step])),
            uploaded_payload_bytes=int(amount),
            downloaded_payload_bytes=int(amount),
            uploaded_wire_bytes=int(amount),
            downloaded_wire_bytes=int(amount),
            pieces_held=0,
            cpu_seconds=None,
            memory_bytes=0,
            loop_lag_seconds=None,
        )
        for moment, step, amount in zip(moments, steps, delivered, strict=True)
    ]
