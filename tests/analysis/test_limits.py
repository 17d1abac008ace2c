import numpy as np
import pytest

from analysis.limits import bounds
from analysis.theory import store_and_forward_seconds

MIB = 1024 * 1024


def limits(architecture, clients, **changes: object):
    settings = {
        "file_bytes": 5 * MIB // 2,
        "piece_bytes": 32 * 1024,
        "burst_seconds": 0.02,
        "origin_uplink": 8.0 * MIB,
        "client_uplinks": np.full(clients, 1.0 * MIB),
        "client_downlinks": np.full(clients, 2.0 * MIB),
    }
    return bounds(architecture, **(settings | changes))


@pytest.mark.parametrize(("clients", "seconds"), [(1, 1.25), (4, 1.25), (8, 2.5), (32, 10.0)])
def test_server_bound_of_the_default_scenario(clients, seconds):
    found = limits("server", clients)
    assert found.fluid_seconds == pytest.approx(seconds)
    assert found.best_seconds == found.fluid_seconds
    assert found.least_possible_seconds == pytest.approx(seconds - 0.02)


@pytest.mark.parametrize(("clients", "seconds"), [(4, 1.25), (16, 5 / 3), (32, 2.0)])
def test_swarm_bound_of_the_default_scenario(clients, seconds):
    assert limits("swarm", clients).fluid_seconds == pytest.approx(seconds)


def test_store_and_forward_is_the_higher_bound_of_a_large_swarm():
    found = limits("swarm", 32)
    expected = store_and_forward_seconds(2.5 * MIB, 8.0 * MIB, 1.0 * MIB, 32, 80)
    assert found.best_seconds == pytest.approx(expected)
    assert found.best_seconds > found.fluid_seconds


def test_unequal_uplinks_have_no_store_and_forward_bound():
    uplinks = np.full(32, 1.0 * MIB)
    uplinks[0] = 2.0 * MIB
    found = limits("swarm", 32, client_uplinks=uplinks)
    assert found.best_seconds == found.fluid_seconds


def test_servers_share_the_clients_and_the_fullest_decides_what_is_tight():
    found = limits("server", 20, origins=8)
    # 50 MiB over 64 MiB/s, but for d; and 3 of 20 clients are one server's, whose share is 2.5.
    assert found.fluid_seconds == pytest.approx(1.25)
    assert limits("server", 52, origins=8).fluid_seconds == pytest.approx(52 * 2.5 / 64)
    assert limits("server", 52, origins=8).best_seconds == pytest.approx(7 * 2.5 / 8)
    assert limits("server", 52, origins=8).least_possible_seconds == pytest.approx(52 * 2.5 / 64 - 0.02)


def test_short_last_piece_never_raises_the_bound_above_that_of_whole_pieces():
    whole = limits("swarm", 32)
    longer = limits("swarm", 32, file_bytes=5 * MIB // 2 + 100)
    assert longer.best_seconds == pytest.approx(whole.best_seconds)


def test_file_smaller_than_a_piece_has_its_fluid_bound():
    found = limits("swarm", 4, file_bytes=1000)
    assert found.best_seconds == found.fluid_seconds > 0
