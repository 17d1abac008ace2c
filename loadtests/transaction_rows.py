"""Transactions put together from the two halves that client and host saw of them.

Both count seconds from the trial's start on one clock, so a half belongs to another by its time: the
request of a client that a host saw after the client had asked, and before it asked again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from loadtests.node_rows import SourceNames
from loadtests.plan import TrialPlan
from testbed.node import Address, Answered, Asked
from testbed.record import TransactionRow


def transaction_rows(
    plan: TrialPlan,
    asked: Mapping[int, Sequence[Asked]],
    answered: Mapping[int, Sequence[Answered]],
    addresses: Mapping[int, Address],
) -> list[TransactionRow]:
    """Make a row of every transaction of which both sides kept their half.

    Args:
      plan: The trial.
      asked: By client, in the order in which it asked.
      answered: By host, in any order.
      addresses: Where each node of the trial lived.
    """
    names = SourceNames(addresses)
    of_pair: dict[tuple[int, int], list[Answered]] = {}
    for source_id, halves in answered.items():
        for half in halves:
            of_pair.setdefault((names.name(half.client), source_id), []).append(half)
    return [
        _row(plan, node_id, source_id, ours, theirs)
        for node_id, halves_asked in sorted(asked.items())
        for source_id, ours, theirs in _together(node_id, halves_asked, of_pair, names)
    ]


def _together(
    node_id: int,
    asked: Sequence[Asked],
    of_pair: Mapping[tuple[int, int], Sequence[Answered]],
    names: SourceNames,
) -> Iterator[tuple[int, Asked, Answered]]:
    for ours in asked:
        source_id = names.name(ours.source)
        for theirs in of_pair.get((node_id, source_id), ()):
            if ours.asked_seconds <= theirs.begun_seconds <= ours.last_byte_seconds:
                yield source_id, ours, theirs
                break


def _row(
    plan: TrialPlan, node_id: int, source_id: int, ours: Asked, theirs: Answered
) -> TransactionRow:
    return TransactionRow(
        architecture=plan.architecture,
        clients=plan.clients,
        repeat=plan.repeat,
        node_id=node_id,
        source_id=source_id,
        asked_seconds=ours.asked_seconds,
        received_seconds=theirs.received_seconds,
        found_seconds=theirs.found_seconds,
        sent_seconds=theirs.sent_seconds,
        first_byte_seconds=ours.first_byte_seconds,
        last_byte_seconds=ours.last_byte_seconds,
        processed_seconds=ours.processed_seconds,
        total_seconds=ours.total_seconds,
        payload_bytes=ours.payload_bytes,
        cached_fraction=theirs.cached_fraction,
    )
