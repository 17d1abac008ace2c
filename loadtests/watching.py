"""What a trial tells on its way, while it is under way: made in the node hosts, passed on by Locust,
shown by the sweep on the terminal and, where there is one, on the dashboard.

Nothing here becomes a result: those are the rows that are collected at the end.
"""

from __future__ import annotations

import msgspec


class NodeCounters(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One node's counters at some moment; trackers have none."""

    node_id: int
    uploaded_payload_bytes: int
    downloaded_payload_bytes: int
    pieces_held: int
    """Verified pieces (swarm) or files (server)."""


class ClientOutcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How it went for a client that is done. Seconds count from when it was due."""

    node_id: int
    first_byte_seconds: float | None
    whole_file_seconds: float
    problem: str
    """Empty: the file is there and verified."""


class TrialProgress(msgspec.Struct, frozen=True):
    """Where a trial is."""

    phase: str
    done: int
    downloaded_payload_bytes: int
    at_seconds: float = 0.0
    """When the counters were read, since the first client was due; meant only while `running`."""
    nodes: tuple[NodeCounters, ...] = ()
    """Of a watched trial: origin and clients, as last heard."""
    outcomes: tuple[ClientOutcome, ...] = ()
    """Of a watched trial: the clients that are done since the last report."""
