"""Trees: depths are exact, and the closed forms agree with piece-by-piece recursion."""

import numpy as np
import pytest

from analysis.theory.trees import chain_seconds, striped_trees_seconds, tree_depth, tree_seconds


def recursed_seconds(hops, pieces, seconds_per_piece):
    """When the last piece has passed the last of ``hops`` lines, each sending in order."""
    passed = np.zeros(pieces)
    for _ in range(hops):
        free = 0.0
        for piece in range(pieces):
            free = max(free, passed[piece]) + seconds_per_piece
            passed[piece] = free
    return passed[-1]


def nodes_to_depth(degree, depth, root):
    first = 1 if root == "client" else degree
    return sum(first * degree**level for level in range(depth + 1))


@pytest.mark.parametrize("root", ["client", "origin"])
@pytest.mark.parametrize("degree", [2, 3, 5, 10])
def test_depth_changes_exactly_after_a_full_tree(degree, root):
    for depth in range(6):
        full = nodes_to_depth(degree, depth, root)
        assert tree_depth(full, degree, root) == depth
        assert tree_depth(full + 1, degree, root) == depth + 1


@pytest.mark.parametrize("degree", [2, 3, 7])
def test_depth_is_the_logarithm_of_the_source(degree):
    clients = np.arange(1, 400)
    inside = clients * (degree - 1) + 1
    # Away from full trees, where the float logarithm cannot be trusted.
    loose = np.abs(np.log(inside) / np.log(degree) % 1 - 0.5) < 0.49
    expected = np.ceil(np.log(inside) / np.log(degree)) - 1
    assert np.array_equal(tree_depth(clients, degree)[loose], expected[loose])


def test_chain_is_as_long_as_passing_every_piece_along_it():
    assert chain_seconds(8.0, 2.0, 6, 10) == pytest.approx(recursed_seconds(6, 10, 0.4))
    assert chain_seconds(1.0, 1.0, 101, 100) == 2.0


@pytest.mark.parametrize("root", ["client", "origin"])
def test_tree_is_as_long_as_passing_every_piece_down_it(root):
    hops = int(tree_depth(20, 3, root)) + 1
    expected = recursed_seconds(hops, 10, 3 * 0.4)
    assert tree_seconds(8.0, 2.0, 20, 10, 3, root) == pytest.approx(expected)


def test_stripes_are_as_long_as_passing_every_piece_down_one_of_them():
    hops = int(tree_depth(20, 3)) + 1
    # A stripe has a third of the 12 pieces, at a third of the rate.
    expected = recursed_seconds(hops, 4, 3 * 8.0 / 12 / 2.0)
    assert striped_trees_seconds(8.0, 2.0, 20, 12, 3) == pytest.approx(expected)


def test_a_tree_of_degree_one_is_a_chain():
    clients = np.arange(1, 50)
    expected = chain_seconds(1.0, 1.0, clients, 10)
    assert tree_seconds(1.0, 1.0, clients, 10, 1) == pytest.approx(expected)
    assert striped_trees_seconds(1.0, 1.0, clients, 10, 1) == pytest.approx(expected)


def test_one_layer_of_the_origins_children_has_no_depth():
    assert tree_seconds(1.0, 1.0, 4, 10, 4, "origin") == 4.0


def test_degree_zero_is_refused():
    with pytest.raises(ValueError, match="degree"):
        tree_depth(3, 0)
