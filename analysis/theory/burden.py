"""Who uploads how much, and what a faster origin would change, where the fluid bounds are met.

In a *server run* the origin uploads N copies and clients nothing. In a *proportional swarm* every
node uploads all the time, so that burdens are as the uplinks: the origin N us/(us + N u) copies, a
client N u/(us + N u). Slopes and ratios hold where N F/us binds the server and N F/(us + N u) the
swarm; elsewhere a curve is flat in N. All derived.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from analysis.theory.arrays import FloatArray, Values, at_least, divide, plain

Architecture = Literal["server", "swarm"]
ARCHITECTURES: tuple[Architecture, ...] = ("server", "swarm")


def origin_share(
    origin_uplink: Values, client_uplink: Values, clients: Values, architecture: Architecture
) -> FloatArray:
    """Compute the origin's share of all payload uploaded: 1, or us/(us + N u).

    Args:
      origin_uplink: us, bytes per second.
      client_uplink: u, bytes per second.
      clients: N, at least 1.
      architecture: Which run.

    Raises:
      ValueError: a value is out of range.
    """
    origin = at_least("origin_uplink", origin_uplink, 0, open_below=True)
    peers = at_least("client_uplink", client_uplink, 0) * at_least("clients", clients, 1)
    if architecture == "server":
        return np.ones(np.broadcast_shapes(origin.shape, peers.shape))
    return divide(origin, origin + peers)


def origin_burden(
    origin_uplink: Values, client_uplink: Values, clients: Values, architecture: Architecture
) -> Values:
    """Compute how many copies the origin uploads; see ``origin_share`` for the arguments."""
    share = origin_share(origin_uplink, client_uplink, clients, architecture)
    return plain(share * np.asarray(clients, dtype=np.float64))


def client_burden(
    origin_uplink: Values, client_uplink: Values, clients: Values, architecture: Architecture
) -> Values:
    """Compute how many copies each client uploads; see ``origin_share`` for the arguments."""
    return plain(1.0 - origin_share(origin_uplink, client_uplink, clients, architecture))


def offload(
    origin_uplink: Values,
    client_uplink: Values,
    clients: Values,
    uploading_share: Values = 1.0,
) -> Values:
    """Compute the share of payload that does not come from the origin: f N u/(us + f N u).

    No run can offload more than ``most_offload``: the origin sends one copy at least.

    Args:
      origin_uplink: us, bytes per second.
      client_uplink: u, bytes per second.
      clients: N, at least 1.
      uploading_share: f in [0, 1], the share of clients that upload.

    Raises:
      ValueError: a value is out of range.
    """
    origin = at_least("origin_uplink", origin_uplink, 0, open_below=True)
    peers = at_least("client_uplink", client_uplink, 0) * at_least("clients", clients, 1)
    active = at_least("uploading_share", uploading_share, 0) * peers
    return plain(divide(active, origin + active))


def most_offload(clients: Values) -> Values:
    """Compute the highest possible offload: 1 - 1/N.

    Raises:
      ValueError: ``clients`` is below 1.
    """
    return plain(1.0 - 1.0 / at_least("clients", clients, 1))


def gini(
    origin_uplink: Values, client_uplink: Values, clients: Values, architecture: Architecture
) -> Values:
    """Compute the Gini coefficient of the burdens of all N + 1 nodes, origin included.

    One node with share s and N equal others: |s - 1/(N + 1)|. Server run: N/(N + 1). See
    ``origin_share`` for the arguments.
    """
    share = origin_share(origin_uplink, client_uplink, clients, architecture)
    return plain(np.abs(share - 1.0 / (np.asarray(clients, dtype=np.float64) + 1.0)))


def jain(
    origin_uplink: Values, client_uplink: Values, clients: Values, architecture: Architecture
) -> Values:
    """Compute Jain's index of the burdens of all N + 1 nodes, origin included.

    (sum b)^2/((N + 1) sum b^2), with one share s and N equal others. Server run: 1/(N + 1). See
    ``origin_share`` for the arguments.
    """
    share = origin_share(origin_uplink, client_uplink, clients, architecture)
    count = np.asarray(clients, dtype=np.float64)
    return plain(1.0 / ((count + 1.0) * (share**2 + (1.0 - share) ** 2 / count)))


def scaling_exponent(
    origin_uplink: Values, client_uplink: Values, clients: Values, architecture: Architecture
) -> Values:
    """Compute d ln T/d ln N, the self-scaling exponent: server 1, swarm us/(us + N u).

    See ``origin_share`` for the arguments, and the module for where it holds.
    """
    return plain(origin_share(origin_uplink, client_uplink, clients, architecture))


def server_elasticity(
    origin_uplink: Values, client_uplink: Values, clients: Values, architecture: Architecture
) -> Values:
    """Compute d ln T/d ln us: what one per cent more origin uplink brings, in per cent.

    Server -1, swarm -us/(us + N u). See ``origin_share`` for the arguments.
    """
    return plain(-origin_share(origin_uplink, client_uplink, clients, architecture))


def upgrade_ratio(
    origin_uplink: Values,
    client_uplink: Values,
    clients: Values,
    factor: Values,
    architecture: Architecture,
) -> Values:
    """Compute T after/T before when the origin's uplink is multiplied by ``factor``.

    Server 1/factor, swarm (us + N u)/(factor us + N u). See ``origin_share`` for the others.
    """
    more = at_least("factor", factor, 0, open_below=True)
    share = origin_share(origin_uplink, client_uplink, clients, architecture)
    return plain(1.0 / (1.0 + (more - 1.0) * share))
