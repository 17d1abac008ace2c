"""Flows of groups: never above what theory allows, to the byte, and where theory says they go."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.theory import server_seconds, store_and_forward_seconds, swarm_seconds
from analysis.theory.allocation import unequal_swarm_seconds
from analysis.theory.flow import Groups, equal_shares, server_flow, swarm_flow
from analysis.theory.processor_sharing import exact_completions
from analysis.theory.steady_state import completion_rate

FILE = 1e6
PIECE = FILE / 64


def crowd(nodes, uplink, downlink, joins=None, patience=math.inf):
    """Make groups; whatever is one number is the same for all of them."""
    count = np.atleast_1d(np.asarray(nodes, dtype=np.float64))
    shape = count.shape
    return Groups(
        nodes=count,
        uplink_bytes_per_second=np.broadcast_to(np.asarray(uplink, dtype=np.float64), shape),
        downlink_bytes_per_second=np.broadcast_to(np.asarray(downlink, dtype=np.float64), shape),
        joins_seconds=np.zeros(shape) if joins is None else np.asarray(joins, dtype=np.float64),
        patience_seconds=np.broadcast_to(np.asarray(patience, dtype=np.float64), shape),
    )


@pytest.mark.parametrize("clients", [1, 3, 30, 1000, 10**7])
def test_a_flash_crowd_takes_the_bound_and_at_most_a_hundredth_more(clients):
    origin, uplink, downlink = 8e5, 1e5, 2e5
    everyone = crowd(clients, uplink, downlink)
    took = swarm_flow(everyone, file_bytes=FILE, piece_bytes=PIECE, origin_uplink=origin).ended_seconds
    bound = max(
        swarm_seconds(FILE, origin, uplink, downlink, clients),
        store_and_forward_seconds(FILE, origin, uplink, clients, 64),
    )
    assert bound * (1 - 1e-9) <= took <= 1.01 * bound
    served = server_flow(everyone, file_bytes=FILE, origin_uplink=origin).ended_seconds
    assert served == pytest.approx(server_seconds(FILE, origin, downlink, clients))


rates = st.sampled_from([1e3, 3e4, 1e5, 4e5, math.inf])
kinds = st.lists(
    st.tuples(st.integers(1, 10**6), rates, st.sampled_from([2e4, 1e5, 1e6])), min_size=1, max_size=5
)


@settings(deadline=None, max_examples=60)
@given(
    kinds=kinds,
    origin=st.sampled_from([1e4, 2e5, 5e6]),
    pieces=st.integers(1, 200),
    spacing=st.sampled_from([0.0, 0.7, 40.0]),
    seeding=st.sampled_from([0.0, 5.0, math.inf]),
)
def test_no_flow_beats_its_bound_or_loses_a_byte(kinds, origin, pieces, spacing, seeding):
    nodes, uplinks, downlinks = (
        np.array(column, dtype=np.float64) for column in zip(*kinds, strict=True)
    )
    joins = spacing * np.arange(len(nodes))
    flow = swarm_flow(
        crowd(nodes, uplinks, downlinks, joins),
        file_bytes=FILE,
        piece_bytes=FILE / pieces,
        origin_uplink=origin,
        seeding_seconds=seeding,
    )
    assert not np.isnan(flow.finished_seconds).any()
    total = FILE * float(nodes.sum())
    assert flow.origin_bytes + float(flow.uploaded_bytes.sum()) == pytest.approx(total, rel=1e-9)
    assert flow.delivered_bytes[-1] == pytest.approx(total, rel=1e-9)
    assert flow.origin_bytes >= FILE * (1 - 1e-9)
    # The bounds are for everybody at once; whoever comes later makes it longer.
    mean_uplink = float(uplinks @ nodes) / float(nodes.sum())
    bound = swarm_seconds(FILE, origin, mean_uplink, float(downlinks.min()), float(nodes.sum()))
    assert flow.ended_seconds >= bound * (1 - 1e-9)
    # No uplink carries more than it can.
    online = np.minimum(flow.left_seconds, flow.ended_seconds) - joins
    assert (flow.uploaded_bytes <= nodes * uplinks * online * (1 + 1e-9) + 1e-6).all()


@given(
    st.lists(st.tuples(st.integers(1, 9), st.floats(0.1, 100)), min_size=1, max_size=8),
    st.floats(0.01, 500),
)
def test_shares_are_even_and_capped_and_use_all_there_is(takers, capacity):
    nodes, caps = (np.array(column, dtype=np.float64) for column in zip(*takers, strict=True))
    shares = equal_shares(capacity, nodes, caps)
    assert (shares <= caps).all()
    assert nodes @ shares == pytest.approx(min(capacity, nodes @ caps))
    free = shares < caps
    assert np.ptp(shares[free]) <= 1e-9 if free.any() else True
    assert (shares[~free] <= shares[free].max() + 1e-9).all() if free.any() else True


def test_a_server_shares_its_uplink_as_processor_sharing_does():
    joins = np.array([0.0, 1.0, 1.5, 9.0, 9.1])
    flow = server_flow(crowd(np.ones(5), 0.0, 5e5, joins), file_bytes=FILE, origin_uplink=8e5)
    exact = exact_completions(joins, np.full(5, FILE), 8e5, 5e5)
    assert flow.finished_seconds == pytest.approx(exact)


def test_unequal_peers_stay_within_an_eighth_of_their_bound():
    nodes, uplinks = np.array([13.0, 14.0, 13.0]), np.array([2e4, 5e4, 2e5])
    each = np.repeat(uplinks, nodes.astype(int))
    for origin in (2e5, 1e5, 2e4):
        flow = swarm_flow(
            crowd(nodes, uplinks, math.inf),
            file_bytes=1.1875e8,
            piece_bytes=2**18,
            origin_uplink=origin,
        )
        bound = unequal_swarm_seconds(1.1875e8, origin, each, np.full(40, math.inf))
        assert bound <= flow.ended_seconds <= 1.125 * bound


def steady(arrivals_per_second, seed_leave_rate, patience=math.inf):
    """Mean download of the middle third of many arrivals, at Qiu and Srikant's parameters."""
    groups, span = 400, 16_000.0
    joins = span * np.arange(groups) / groups
    nodes = np.full(groups, arrivals_per_second * span / groups)
    flow = swarm_flow(
        crowd(nodes, 0.00125 * FILE, 0.002 * FILE, joins, patience),
        file_bytes=FILE,
        piece_bytes=FILE / 1000,
        origin_uplink=0.00125 * FILE,
        seeding_seconds=1 / seed_leave_rate,
    )
    waited = np.where(
        np.isnan(flow.finished_seconds), flow.left_seconds - joins, flow.finished_seconds - joins
    )
    return float(waited[groups // 3 : 2 * groups // 3].mean())


@pytest.mark.parametrize("seed_leave_rate", [0.001, 0.005])
def test_the_steady_state_is_that_of_qiu_and_srikant_whatever_the_arrivals(seed_leave_rate):
    expected = 1 / float(completion_rate(0.002, 0.00125, seed_leave_rate))
    for arrivals in (1.0, 10.0, 1000.0):
        assert steady(arrivals, seed_leave_rate) == pytest.approx(expected, rel=0.01)


def test_who_gives_up_has_cost_what_he_received():
    """With aborts, a client needs F bytes and not, as in the model, an exponential amount of them.

    At full downlink speed that takes 1/c = 500 s, so that a peer is a downloader for (1 - exp(-t/c))/t
    on average, 393.5 s, where the model has 1/(t + c) = 333.3 s.
    """
    golden = np.arange(400) * 0.6180339887498949 % 1
    patience = -np.log1p(-golden) / 0.001
    assert steady(10.0, 0.001, patience) == pytest.approx(-math.expm1(-0.5) / 0.001, rel=0.02)


def test_who_has_no_patience_leaves_without_the_file():
    flow = swarm_flow(
        crowd([5, 5], 1e5, 2e5, patience=[1.0, math.inf]),
        file_bytes=FILE,
        piece_bytes=PIECE,
        origin_uplink=1e5,
    )
    assert math.isnan(flow.finished_seconds[0])
    assert flow.left_seconds[0] == 1.0
    assert flow.received_bytes[0] < FILE == flow.received_bytes[1]


def test_a_flow_stops_at_its_limit():
    flow = server_flow(crowd(10, 0.0, 1e6), file_bytes=FILE, origin_uplink=1e5, limit_seconds=50.0)
    assert flow.ended_seconds == 50.0
    assert np.isnan(flow.finished_seconds).all()
    assert flow.received_bytes[0] == pytest.approx(FILE / 2)


def test_lines_without_any_limit_are_refused():
    with pytest.raises(ValueError, match="must be finite"):
        swarm_flow(crowd(3, 1e5, math.inf), file_bytes=FILE, piece_bytes=PIECE, origin_uplink=math.inf)
