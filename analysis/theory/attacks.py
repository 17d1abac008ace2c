"""What peers cost that take without giving, or give rubbish. Derived."""

from __future__ import annotations

import numpy as np

from analysis.theory.arrays import Values, at_least, divide, fraction, plain


def free_rider_slowdown(
    origin_uplink: Values, client_uplink: Values, clients: Values, free_riding_share: Values
) -> Values:
    """Say by which factor free riders lengthen a swarm's makespan, in the fluid limit.

    T/T0 = (us + N u)/(us + (1 - f) N u), where the total uplink binds with and without them.

    Args:
      origin_uplink: us, bytes per second.
      client_uplink: u, bytes per second.
      clients: N, at least 1, free riders included.
      free_riding_share: f in [0, 1], the share of clients that upload nothing.

    Raises:
      ValueError: a value is out of range.
    """
    origin = at_least("origin_uplink", origin_uplink, 0)
    peers = at_least("client_uplink", client_uplink, 0) * at_least("clients", clients, 1)
    share = fraction("free_riding_share", free_riding_share)
    return plain(divide(origin + peers, origin + (1.0 - share) * peers))


def downloads_per_good_piece(bad_block_share: Values, blocks_hashed_together: Values = 1) -> Values:
    """Say how often a piece is downloaded until its hash is right: 1/(1 - f)^b.

    A piece is good if all of its b blocks are, each bad independently with chance f, and a failed
    piece is fetched again whole. With b = 1, blocks hashed singly, it is 1/(1 - f). Nobody is
    banned: with banning, waste is bounded by polluters times piece.

    Args:
      bad_block_share: f, the share of served blocks that are bad, in [0, 1]; 1 gives infinity.
      blocks_hashed_together: b, at least 1.

    Raises:
      ValueError: a value is out of range.
    """
    good = 1.0 - fraction("bad_block_share", bad_block_share)
    # A tiny chance underflows to zero, and the answer is then "never" to within a float.
    with np.errstate(under="ignore"):
        whole = good ** at_least("blocks_hashed_together", blocks_hashed_together, 1)
    return plain(divide(1.0, whole))
