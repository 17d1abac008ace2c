"""Distribution along trees: a chain, one k-ary tree, k striped trees. Source: unconfirmed.

Every node uploads at rate u, the origin included, and passes on whole pieces. In a k-ary tree a
node feeds k children at u/k each, so the file takes k F/u to pass a node and every level adds
k p/u. In k striped trees each stripe is 1/k of the file at u/k, so that it takes F/u, and every
level again adds the k p/u of one piece at u/k; each client is an inner node of one tree only.

The formulas are Biersack, Rodriguez & Felber, Performance analysis of peer-to-peer networks for
file distribution, 2004, quoted from memory and derived again: show them as **unconfirmed**.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from analysis.theory.arrays import FloatArray, Values, at_least, divide, plain

Root = Literal["client", "origin"]
"""Who is at the top: one client that the origin feeds, or the origin with k clients below it."""


def tree_depth(clients: Values, degree: Values, root: Root = "client") -> Values:
    """Count the levels below the topmost clients of a k-ary tree: h.

    With one client as root, ceil(log_k(N(k-1) + 1)) - 1; with the origin as root,
    ceil(log_k(N(k-1)/k + 1)) - 1. Counted level by level, since a float logarithm errs at full
    trees. A tree of degree 1 is a chain, N - 1 levels deep. Source: derived.

    Args:
      clients: N, at least 1.
      degree: k, at least 1.
      root: Who is at the top.

    Raises:
      ValueError: a value is out of range.
    """
    count, k = np.broadcast_arrays(at_least("clients", clients, 1), at_least("degree", degree, 1))
    level = np.ones_like(count) if root == "client" else k.copy()
    placed = level.copy()
    depth = np.zeros_like(count)
    # A chain would take N turns; it needs none.
    open_trees = (placed < count) & (k > 1)
    while bool(np.any(open_trees)):
        level = np.where(open_trees, level * k, level)
        placed = np.where(open_trees, placed + level, placed)
        depth = np.where(open_trees, depth + 1, depth)
        open_trees = (placed < count) & (k > 1)
    return plain(np.where(k > 1, depth, count - 1))


def chain_seconds(file_bytes: Values, uplink: Values, clients: Values, pieces: Values) -> Values:
    """Say how long a chain takes: (F/u)(1 + (N-1)/M).

    Source: Biersack et al. 2004, unconfirmed.

    Args:
      file_bytes: F.
      uplink: u of every node, bytes per second.
      clients: N, at least 1.
      pieces: M, at least 1.

    Raises:
      ValueError: a value is out of range.
    """
    count, m = at_least("clients", clients, 1), at_least("pieces", pieces, 1)
    return plain(_unit(file_bytes, uplink) * (1 + (count - 1) / m))


def tree_seconds(
    file_bytes: Values,
    uplink: Values,
    clients: Values,
    pieces: Values,
    degree: Values,
    root: Root = "client",
) -> Values:
    """Say how long one k-ary tree takes: (F/u)(k + h k/M).

    Source: Biersack et al. 2004, unconfirmed.

    Args:
      file_bytes: F.
      uplink: u of every node, bytes per second.
      clients: N, at least 1.
      pieces: M, at least 1.
      degree: k, at least 1.
      root: Who is at the top.

    Raises:
      ValueError: a value is out of range.
    """
    m, k = at_least("pieces", pieces, 1), at_least("degree", degree, 1)
    depth = np.asarray(tree_depth(clients, degree, root))
    return plain(_unit(file_bytes, uplink) * (k + depth * k / m))


def striped_trees_seconds(
    file_bytes: Values,
    uplink: Values,
    clients: Values,
    pieces: Values,
    stripes: Values,
    root: Root = "client",
) -> Values:
    """Say how long k striped trees of degree k take: (F/u)(1 + h k/M).

    Source: Biersack et al. 2004, unconfirmed.

    Args:
      file_bytes: F.
      uplink: u of every node, bytes per second.
      clients: N, at least 1.
      pieces: M, at least 1; each stripe has M/k of them.
      stripes: k, at least 1.
      root: Who is at the top of each tree.

    Raises:
      ValueError: a value is out of range.
    """
    m, k = at_least("pieces", pieces, 1), at_least("stripes", stripes, 1)
    depth = np.asarray(tree_depth(clients, stripes, root))
    return plain(_unit(file_bytes, uplink) * (1 + depth * k / m))


def _unit(file_bytes: Values, uplink: Values) -> FloatArray:
    """F/u: the time one upload of the file takes."""
    return divide(at_least("file_bytes", file_bytes, 0), at_least("uplink", uplink, 0))
