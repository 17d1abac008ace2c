"""Rows of one node: what its station, whatever the world, has to say when a trial is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loadtests.plan import TrialPlan
from testbed.cast import Place
from testbed.node import Address, Transfer
from testbed.record import NodeRow, TransferRow
from testbed.station import Station

#: What a transfer's source is called when no node of the trial has its address.
UNKNOWN_SOURCE = -1


class SourceNames:
    """Names nodes by their addresses; by host alone where each has its own."""

    def __init__(self, addresses: Mapping[int, Address]) -> None:
        # What came over the control socket is a list.
        self._by_address = {tuple(address): node_id for node_id, address in addresses.items()}
        by_host = {address[0]: node_id for node_id, address in addresses.items()}
        # A peer that dialled us is seen with the port it dialled from.
        self._by_host = by_host if len(by_host) == len(addresses) else {}

    def also(self, node_id: int, address: Address) -> None:
        """Know a node by another address too, whose host is its own."""
        self._by_address[tuple(address)] = node_id
        if self._by_host:
            self._by_host[address[0]] = node_id

    def name(self, source: Address) -> int:
        """Say which node lives there."""
        node_id = self._by_address.get(tuple(source))
        return self._by_host.get(source[0], UNKNOWN_SOURCE) if node_id is None else node_id


def node_row(
    plan: TrialPlan, process: int, place: Place, station: Station, *, verified: bool, file: str = ""
) -> NodeRow:
    """Make the row of one node. `verified`: its file has the right content; `file`: what it is."""
    ledger, tally = station.ledger, station.node.tally
    host, port = station.address
    return NodeRow(
        architecture=plan.architecture,
        clients=plan.clients,
        repeat=plan.repeat,
        node_id=place.node_id,
        role=place.role,
        address=f"{host}:{port}",
        process=process,
        placement=plan.placement,
        uplink_bytes_per_second=place.uplink_bytes_per_second,
        downlink_bytes_per_second=place.downlink_bytes_per_second,
        joined_seconds=ledger.joined_seconds,
        finished_seconds=ledger.finished_seconds,
        left_seconds=ledger.left_seconds,
        sessions=ledger.sessions,
        away_seconds=ledger.away_seconds,
        rediscovery_seconds=ledger.rediscovery_seconds,
        uploaded_payload_bytes=ledger.uploaded_payload_bytes,
        downloaded_payload_bytes=ledger.downloaded_payload_bytes,
        uploaded_wire_bytes=ledger.uploaded_wire_bytes,
        downloaded_wire_bytes=ledger.downloaded_wire_bytes,
        wasted_payload_bytes=tally.wasted_payload_bytes + ledger.discarded_payload_bytes,
        connections_dialled=ledger.connections_dialled,
        connections_accepted=ledger.connections_accepted,
        requests_made=tally.requests_made,
        requests_served=tally.requests_served,
        verified=verified or place.role == "origin",
        file=file,
    )


def transfer_rows(
    plan: TrialPlan, node_id: int, station: Station, names: SourceNames
) -> Iterator[TransferRow]:
    """Make the rows of all that one node asked for and got."""
    for transfer in station.transfers:
        yield transfer_row(plan, node_id, transfer, names)


def transfer_row(plan: TrialPlan, node_id: int, transfer: Transfer, names: SourceNames) -> TransferRow:
    """Make the row of one request."""
    return TransferRow(
        architecture=plan.architecture,
        clients=plan.clients,
        repeat=plan.repeat,
        node_id=node_id,
        source_id=names.name(transfer.source),
        unit=transfer.unit,
        index=transfer.index,
        scheduled_seconds=transfer.scheduled_seconds,
        started_seconds=transfer.started_seconds,
        first_byte_seconds=transfer.first_byte_seconds,
        finished_seconds=transfer.finished_seconds,
        payload_bytes=transfer.payload_bytes,
        outcome=transfer.outcome,
    )
