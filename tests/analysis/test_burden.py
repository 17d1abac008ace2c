import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.burden import gini, jain, lorenz, node_burdens, trial_burdens
from analysis.theory import burden as theory

burdens = st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=60)


def nodes_of(uploads, clients, roles=None):
    count = len(uploads)
    return pd.DataFrame(
        {
            "placement": "",
            "architecture": "swarm",
            "clients": clients,
            "repeat": 0,
            "node_id": range(count),
            "role": roles or ["origin"] + ["client"] * (count - 1),
            "nodes": 1,
            "uploaded_payload_bytes": uploads,
        }
    )


@given(
    classes=st.lists(
        st.tuples(st.floats(0, 1e6, allow_subnormal=False), st.integers(1, 9)), min_size=1, max_size=9
    )
)
def test_a_row_that_stands_for_several_nodes_counts_as_so_many(classes):
    each = [burden for burden, count in classes for _ in range(count)]
    values, counts = zip(*classes, strict=True)
    assert gini(values, counts) == pytest.approx(gini(each), abs=1e-9)
    assert jain(values, counts) == pytest.approx(jain(each))
    assert lorenz(values, counts)[0][-1] == pytest.approx(1)
    area, area_of_each = (float(np.trapezoid(y, x)) for x, y in (lorenz(values, counts), lorenz(each)))
    assert area == pytest.approx(area_of_each)


def test_a_class_of_nodes_has_the_burden_of_each():
    nodes = nodes_of([200, 100], 4)
    nodes["nodes"] = [1, 4]
    assert node_burdens(nodes, 100)["burden"].tolist() == [2, 0.25]
    row = trial_burdens(node_burdens(nodes, 100)).iloc[0]
    assert row["burden_mean"] == pytest.approx(3 / 5)
    assert row["peers_burden_mean"] == 0.25


def test_server_run_of_thirty_clients_has_gini_0_968():
    assert gini([30.0] + [0.0] * 30) == pytest.approx(30 / 31)
    assert round(30 / 31, 3) == 0.968


def test_proportional_swarm_of_thirty_has_gini_0_218_and_jain_0_397():
    peer = 30 / 40
    shares = [10 * peer] + [peer] * 30
    assert gini(shares) == pytest.approx(0.218, abs=5e-4)
    assert jain(shares) == pytest.approx(0.397, abs=5e-4)
    us, u = 10.0, 1.0
    assert gini(shares) == pytest.approx(theory.gini(us, u, 30, "swarm"))
    assert jain(shares) == pytest.approx(theory.jain(us, u, 30, "swarm"))


def test_equal_burdens_are_perfectly_fair():
    assert gini([0.7] * 9) == pytest.approx(0)
    assert jain([0.7] * 9) == pytest.approx(1)


def test_nothing_carried_has_no_index():
    assert gini([0, 0, 0]) is None
    assert jain([0, 0]) is None
    assert gini([]) is None


def test_negative_burden_is_refused():
    with pytest.raises(ValueError, match="negative"):
        gini([1.0, -1.0])


@given(burdens)
def test_gini_lies_between_equality_and_one_node_carrying_all(values):
    found = gini(values)
    if found is not None:
        assert 0 <= found <= (len(values) - 1) / len(values) + 1e-9


@given(burdens)
def test_jain_lies_between_one_in_n_and_one(values):
    found = jain(values)
    if found is not None:
        assert 1 / len(values) - 1e-9 <= found <= 1


@given(burdens, st.floats(0.01, 100))
def test_indices_do_not_depend_on_the_unit(values, factor):
    scaled = [value * factor for value in values]
    if gini(values) is not None:
        assert gini(scaled) == pytest.approx(gini(values), abs=1e-9)
        assert jain(scaled) == pytest.approx(jain(values), rel=1e-9)


@given(burdens)
def test_lorenz_curve_rises_from_zero_to_one_below_the_diagonal(values):
    nodes, carried = lorenz(values)
    assert (nodes[0], carried[0]) == (0, 0)
    assert (nodes[-1], carried[-1]) == (1, 1)
    assert np.all(np.diff(carried) >= -1e-12)
    assert np.all(carried <= nodes + 1e-9)


@given(burdens)
def test_gini_is_twice_the_area_above_the_lorenz_curve(values):
    nodes, carried = lorenz(values)
    found = gini(values)
    if found is not None:
        assert found == pytest.approx(1 - 2 * float(np.trapezoid(carried, nodes)), abs=1e-9)


def test_tracker_is_not_counted():
    nodes = nodes_of([200, 50, 50, 999], 2, ["origin", "client", "client", "tracker"])
    found = node_burdens(nodes, 100)
    assert found["burden"].tolist() == [2.0, 0.5, 0.5]


def test_trial_is_summed_up_with_and_without_its_origin():
    row = trial_burdens(node_burdens(nodes_of([200, 50, 150], 2), 100)).iloc[0]
    assert row["origin_copies"] == 2.0
    assert row["burden_mean"] == pytest.approx(4 / 3)
    assert row["burden_max"] == 2.0
    assert row["peers_burden_mean"] == 1.0
    assert row["peers_burden_max"] == 1.5
    assert row["peers_gini"] == pytest.approx(0.25)
    assert row["peers_jain"] == pytest.approx(0.8)


def test_idle_clients_have_no_fairness_of_their_own():
    row = trial_burdens(node_burdens(nodes_of([200, 0, 0], 2), 100)).iloc[0]
    assert row["peers_burden_mean"] == 0
    assert np.isnan(row["peers_gini"])
