"""Who takes part in a swarm, and with what."""

import dataclasses
import math
from pathlib import Path

import pytest

from peers.build import (
    SwarmCast,
    grants,
    in_flight_blocks,
    peer_id,
    pieces_in_flight,
    pieces_on_the_way,
)
from peers.core.peer import PeerNode
from peers.core.super_seeding import SuperSeedingPeer
from peers.tracker import TrackerNode
from testbed.cast import Place
from testbed.content import made_up
from testbed.errors import LocalMisuse
from testbed.node import NodeId
from testbed.scenario import Scenario, load
from testbed.storage import FileStorage

SCENARIO = Path(__file__).parents[2] / "scenarios" / "flash_crowd.toml"


@pytest.fixture
def scenario() -> Scenario:
    return load(SCENARIO)


@pytest.fixture
def cast(scenario: Scenario, tmp_path: Path) -> SwarmCast:
    return SwarmCast(scenario, made_up(tmp_path, 300_000, 1), 3, 1)


def place(uplink: float = math.inf, downlink: float = math.inf, latency: float = 0.0) -> Place:
    return Place(
        node_id=NodeId(1),
        role="client",
        accepts="peer",
        uplink_bytes_per_second=uplink,
        downlink_bytes_per_second=downlink,
        latency_seconds=latency,
    )


def test_places_are_the_origin_the_clients_and_the_tracker(cast):
    assert [(p.node_id, p.role) for p in cast.places] == [
        (0, "origin"),
        (1, "client"),
        (2, "client"),
        (3, "client"),
        (4, "tracker"),
    ]
    assert {p.accepts for p in cast.places} <= set(cast.wires)


def test_only_the_origin_has_the_file_at_the_start(cast, tmp_path):
    known = {"tracker": [("127.0.0.1", 1)]}
    nodes = {}
    for each in cast.places:
        storage = None
        if each.role != "tracker":
            storage = FileStorage.empty(tmp_path / f"{each.node_id}", cast.torrent.file_bytes)
        nodes[each.node_id] = cast.node(each, known, storage)
        if storage is not None:
            storage.close()
    assert isinstance(nodes.pop(NodeId(4)), TrackerNode)
    assert all(isinstance(node, PeerNode) for node in nodes.values())
    assert [node.is_complete for node in nodes.values()] == [True, False, False, False]
    assert nodes[NodeId(1)].left_bytes == 300_000


def test_peer_without_storage_is_our_own_mistake(cast):
    with pytest.raises(LocalMisuse):
        cast.node(cast.places[1], {"tracker": [("127.0.0.1", 1)]}, None)


def test_peer_ids_are_20_bytes_and_follow_from_node_and_seed():
    ids = {peer_id(node, seed) for node in range(50) for seed in range(4)}
    assert len(ids) == 200
    assert {len(each) for each in ids} == {20}
    assert peer_id(3, 7) == peer_id(3, 7)


def test_grants_grow_with_how_much_faster_a_node_is_than_who_receives(scenario):
    links = dataclasses.replace(scenario.links, client_downlink_bytes_per_second=1e6)
    assert grants(place(uplink=5e5), links, 32768) == 2
    assert grants(place(uplink=1e6), links, 32768) == 2
    assert grants(place(uplink=4e6), links, 32768) == 8


@pytest.mark.parametrize("downlink", [4e6, math.inf])
def test_one_grant_is_enough_where_nothing_waits_at_the_receivers(scenario, downlink):
    links = dataclasses.replace(scenario.links, client_downlink_bytes_per_second=downlink)
    assert grants(place(uplink=1e6), links, 32768) == 1


def with_peers(scenario: Scenario, folder: Path, **peers: object) -> SwarmCast:
    changed = dataclasses.replace(
        scenario, tables={**scenario.tables, "peers": {**scenario.tables["peers"], **peers}}
    )
    return SwarmCast(changed, made_up(folder, 300_000, 1), 3, 1)


def test_policies_of_the_scenario_reach_every_peer_and_only_the_origin_super_seeds(scenario, tmp_path):
    cast = with_peers(
        scenario, tmp_path, picking="in order", serving="unchoke slots", origin="super-seeding"
    )
    storage = FileStorage.empty(tmp_path / "file", cast.torrent.file_bytes)
    nodes = [cast.node(p, {"tracker": [("127.0.0.1", 1)]}, storage) for p in cast.places[:-1]]
    storage.close()
    assert [type(node) for node in nodes] == [SuperSeedingPeer, PeerNode, PeerNode, PeerNode]
    for node in nodes:
        assert isinstance(node, PeerNode)
        config = node._state.config
        assert (config.picking, config.serving) == ("in order", "unchoke slots")
        assert config.pieces_in_flight >= config.neighbours
        assert not config.returns_grants


def test_delay_asks_for_more_grants_blocks_and_pieces(scenario):
    links = dataclasses.replace(
        scenario.links, client_downlink_bytes_per_second=1e6, client_uplink_bytes_per_second=1e6
    )
    delayed = place(1e6, 1e6, latency=0.1)
    assert grants(delayed, links, 32768) == math.ceil(1 + 200_000 / 32768)
    assert in_flight_blocks(delayed, links) == math.ceil(200_000 / 16384)
    assert pieces_on_the_way(delayed, 32768) == math.ceil(200_000 / 32768)
    assert in_flight_blocks(place(1e6, 1e6), links) == 0
    assert pieces_on_the_way(place(1e6, 1e6), 32768) == 0


@pytest.mark.parametrize(
    ("downlink", "uplink", "pieces"),
    [(1e6, 1e6, 4), (2e6, 1e6, 4), (11e6, 1e6, 22), (1e9, 1e6, 32), (math.inf, 1e6, 32)],
)
def test_a_downlink_is_kept_full_by_peers_that_each_serve_two(scenario, downlink, uplink, pieces):
    links = dataclasses.replace(scenario.links, client_uplink_bytes_per_second=uplink)
    assert pieces_in_flight(place(uplink, downlink), links, 32768) == pieces
