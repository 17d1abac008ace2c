"""Unequal peers: the allocation is feasible and reaches the bound."""

import numpy as np
import pytest

from analysis.theory.allocation import (
    RateAllocation,
    attaining_allocation,
    infeasibilities,
    unequal_server_seconds,
    unequal_swarm_seconds,
)
from analysis.theory.bounds import server_seconds, swarm_seconds


def random_case(rng):
    count = int(rng.integers(1, 30))
    origin = float(rng.lognormal(2, 2))
    uplinks = rng.lognormal(0, 2, count) * (rng.random(count) > 0.2)
    downlinks = rng.lognormal(2, 2, count)
    return origin, uplinks, downlinks


def check_cases(cases, seed):
    rng = np.random.default_rng(seed)
    for _ in range(cases):
        origin, uplinks, downlinks = random_case(rng)
        allocation = attaining_allocation(origin, uplinks, downlinks)
        assert infeasibilities(allocation, origin, uplinks, downlinks) == []
        bound = unequal_swarm_seconds(100.0, origin, uplinks, downlinks)
        assert allocation.seconds(100.0) == pytest.approx(bound, rel=1e-9)


def test_allocation_is_feasible_and_attains_the_bound():
    check_cases(2_000, seed=1)


@pytest.mark.slow
def test_allocation_is_feasible_and_attains_the_bound_in_twenty_thousand_cases():
    check_cases(20_000, seed=2)


def test_three_classes_of_peers_have_the_published_bounds():
    uplinks = np.repeat([20e3, 50e3, 200e3], [13, 14, 13])
    unlimited = np.full(40, np.inf)
    file = 453 * 256 * 1024
    origins = np.array([200e3, 100e3, 20e3])
    seconds = unequal_swarm_seconds(file, origins, uplinks, unlimited)
    assert seconds == pytest.approx([1263, 1298, 5938], abs=1)


def test_equal_peers_give_the_textbook_bounds():
    assert unequal_swarm_seconds(9.0, 10.0, [1.0] * 20, [3.0] * 20) == swarm_seconds(
        9.0, 10.0, 1.0, 3.0, 20
    )
    assert unequal_server_seconds(9.0, 10.0, [3.0] * 20) == server_seconds(9.0, 10.0, 3.0, 20)


def test_a_single_client_is_served_directly():
    allocation = attaining_allocation(10.0, [5.0], [4.0])
    assert allocation.direct_bytes_per_second == 4.0
    assert allocation.copied_bytes_per_second.tolist() == [0.0]


def test_bursts_come_off_the_bound():
    plain = unequal_swarm_seconds(9.0, 10.0, [1.0] * 20, [3.0] * 20)
    assert unequal_swarm_seconds(9.0, 10.0, [1.0] * 20, [3.0] * 20, 0.25) == plain - 0.25


def test_the_checker_finds_each_kind_of_fault():
    uplinks, downlinks = [1.0, 1.0, 1.0], [2.0, 2.0, 2.0]
    too_fast = RateAllocation(np.array([0.6, 0.5, 0.5]), 0.0)
    assert infeasibilities(too_fast, 9.0, uplinks, downlinks) == [
        "uplink of node 1 carries 1.2 bytes/s"
    ]
    assert infeasibilities(RateAllocation(np.full(3, 0.5), 0.0), 1.0, uplinks, downlinks) == [
        "uplink of node 0 carries 1.5 bytes/s"
    ]
    too_much = infeasibilities(RateAllocation(np.full(3, 0.5), 0.7), 9.0, uplinks, downlinks)
    assert too_much == [f"downlink of node {node} is exceeded" for node in (1, 2, 3)]
    negative = infeasibilities(RateAllocation(np.array([0.5, -0.1, 0.5]), 0.2), 9, uplinks, [9] * 3)
    assert negative == ["a rate is negative: -0.1"]


def test_unequal_shapes_and_no_clients_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        unequal_swarm_seconds(1.0, 1.0, [1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="at least one client"):
        attaining_allocation(1.0, [], [])
    with pytest.raises(ValueError, match="finite"):
        attaining_allocation(1.0, [np.inf], [1.0])
