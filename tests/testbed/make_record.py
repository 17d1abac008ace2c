"""Builds small records for the tests of the store: invented rows, for no other purpose."""

from __future__ import annotations

from testbed.record import NodeRow, SampleRow, TransferRow, TrialRecord, TrialRow


def make_record(
    architecture: str = "server",
    clients: int = 1,
    repeat: int = 0,
    *,
    order: int = 0,
    status: str = "complete",
) -> TrialRecord:
    """Invent one trial: an origin and its clients, of which the last has not finished."""
    key = {"architecture": architecture, "clients": clients, "repeat": repeat}
    return TrialRecord(
        trial=TrialRow(
            **key,
            order=order,
            placement="origin apart",
            status=status,
            reason="" if status == "complete" else "the origin was killed",
            started_utc="2026-01-02T03:04:05+00:00",
            wall_seconds=1.5,
            payload_sent_bytes=100 * clients,
            payload_received_bytes=100 * clients,
            files_verified=clients,
            files_expected=clients,
            generator_cpu_fraction=0.1,
            node_host_cpu_fraction=0.2,
            node_host_memory_bytes=2**33,
            link_rate_windows=0,
            link_rate_error_max=None,
            violations="{}",
        ),
        nodes=[
            NodeRow(
                **key,
                node_id=node_id,
                role="client" if node_id else "origin",
                address=f"127.77.0.{node_id + 1}:6881",
                process=min(node_id, 1),
                placement="origin apart",
                uplink_bytes_per_second=float("inf"),
                downlink_bytes_per_second=2.5,
                joined_seconds=0.25,
                finished_seconds=None if node_id == clients else 1.0 / 3.0,
                left_seconds=None,
                uploaded_payload_bytes=2**53 + 1,
                downloaded_payload_bytes=0,
                uploaded_wire_bytes=0,
                downloaded_wire_bytes=0,
                wasted_payload_bytes=0,
                connections_dialled=1,
                connections_accepted=0,
                requests_made=1,
                requests_served=0,
                verified=node_id != clients,
            )
            for node_id in range(clients + 1)
        ],
        transfers=[
            TransferRow(
                **key,
                node_id=1,
                source_id=0,
                unit="file",
                index=0,
                scheduled_seconds=0.0,
                started_seconds=0.1,
                first_byte_seconds=0.2,
                finished_seconds=0.3,
                payload_bytes=100,
                outcome="ok",
            )
        ],
        samples=[
            SampleRow(
                **key,
                at_seconds=0.5,
                scope="node",
                node_id=1,
                process=1,
                role="client",
                downloading=1,
                uploaded_payload_bytes=1,
                downloaded_payload_bytes=2,
                uploaded_wire_bytes=3,
                downloaded_wire_bytes=4,
                pieces_held=5,
                cpu_seconds=None,
                memory_bytes=0,
                loop_lag_seconds=None,
            )
        ],
    )
