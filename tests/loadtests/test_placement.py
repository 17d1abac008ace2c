"""Which nodes share a process."""

from __future__ import annotations

import pytest

from loadtests.placement import place_in_processes
from testbed.cast import Place
from testbed.errors import LocalMisuse
from testbed.node import NodeId
from testbed.scenario import PLACEMENTS


def place(node_id: int, role: str) -> Place:
    return Place(
        node_id=NodeId(node_id),
        role=role,
        accepts=None,
        uplink_bytes_per_second=1.0,
        downlink_bytes_per_second=1.0,
        latency_seconds=0.0,
    )


SWARM = [place(0, "origin"), place(1, "client"), place(2, "client"), place(3, "tracker")]


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_every_node_has_one_process(placement):
    tenancies = place_in_processes(SWARM, placement)
    assert sorted(node for one in tenancies for node in one.node_ids) == [0, 1, 2, 3]
    assert [one.process for one in tenancies] == list(range(len(tenancies)))
    assert all(one.node_ids for one in tenancies)


def test_origin_apart_keeps_the_tracker_with_the_origin():
    first, second = place_in_processes(SWARM, "origin apart")
    assert (first.role, first.node_ids) == ("origin", (0, 3))
    assert (second.role, second.node_ids) == ("client", (1, 2))


def test_a_crowd_of_clients_shares_two_processes():
    crowd = [place(0, "origin"), *(place(number, "client") for number in range(1, 18))]
    origin, *clients = place_in_processes(crowd, "origin apart")
    assert origin.node_ids == (0,)
    assert [len(one.node_ids) for one in clients] == [9, 8]
    assert sorted(node for one in clients for node in one.node_ids) == list(range(1, 18))


def test_together_is_one_mixed_process():
    (only,) = place_in_processes(SWARM, "together")
    assert (only.role, only.node_ids) == ("mixed", (0, 1, 2, 3))


def test_one_each_names_every_process_by_its_node():
    names = [one.name for one in place_in_processes(SWARM, "one each")]
    assert names == [
        "the origin's process",
        "client 1's process",
        "client 2's process",
        "the tracker's process",
    ]


def test_further_origins_live_with_the_origin_or_in_processes_of_their_own():
    several = [place(0, "origin"), place(1, "client"), place(2, "origin")]
    first, second = place_in_processes(several, "origin apart")
    assert (first.node_ids, second.node_ids) == ((0, 2), (1,))
    names = [one.name for one in place_in_processes(several, "one each")]
    assert names == ["the origin's process", "client 1's process", "origin 2's process"]


def test_an_unknown_placement_is_a_bug_of_ours():
    with pytest.raises(LocalMisuse, match="no such placement"):
        place_in_processes(SWARM, "somewhere")
