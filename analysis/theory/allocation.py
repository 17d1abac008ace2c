"""Unequal peers: the bound of Kumar and Ross, and an allocation of rates that attains it.

The bound is the textbook's three terms with the sum of the uplinks U and the slowest downlink d. It
is attained in the fluid limit by two hops: the origin sends client i a sub-stream of its own, and
client i copies that sub-stream to everybody else. Together the sub-streams are the file, arriving
at rate R = min{us, d, (us + U)/N} at every client, so that all of them end together after F/R.

With R <= U/(N-1) the clients can copy everything: sub-stream i has rate R u_i/U. Otherwise each
client copies as much as it can, u_i/(N-1), and the origin sends the remaining r0 = R - U/(N-1) to
everyone itself. A single client is served directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.theory.arrays import FloatArray, Values, at_least, divide, plain

#: Relative slack of the feasibility checks: a few thousand additions of float64.
RELATIVE_SLACK = 1e-9


def unequal_swarm_seconds(
    file_bytes: Values,
    origin_uplink: Values,
    client_uplinks: Sequence[float] | FloatArray,
    client_downlinks: Sequence[float] | FloatArray,
    burst_seconds: Values = 0.0,
) -> Values:
    """Bound the makespan of a swarm of unequal peers.

    T >= max{F/us, F/d, N F/(us + U)} - b, with U the sum of the uplinks and d the slowest downlink.
    Source: Kumar & Ross, Peer-assisted file distribution: the minimum distribution time, 2006. The
    burst is derived in ``bounds``.

    Args:
      file_bytes: F; broadcasts with ``origin_uplink`` and ``burst_seconds``.
      origin_uplink: us, bytes per second.
      client_uplinks: u_i, one a client along the last axis, bytes per second.
      client_downlinks: d_i, of the same shape.
      burst_seconds: b, the time by which each link may be ahead of its rate.

    Returns:
      Seconds, of the shape that is left without the last axis.

    Raises:
      ValueError: a value is out of range, or the two rate arguments differ in shape.
    """
    file = at_least("file_bytes", file_bytes, 0)
    origin = at_least("origin_uplink", origin_uplink, 0)
    burst = at_least("burst_seconds", burst_seconds, 0)
    uplinks, downlinks = _rates(client_uplinks, client_downlinks)
    count = uplinks.shape[-1]
    one_copy = np.maximum(divide(file, origin), divide(file, downlinks.min(axis=-1)))
    everything = divide(count * file, origin + uplinks.sum(axis=-1))
    return plain(np.maximum(np.maximum(one_copy, everything) - burst, 0.0))


def unequal_server_seconds(
    file_bytes: Values,
    origin_uplink: Values,
    client_downlinks: Sequence[float] | FloatArray,
    burst_seconds: Values = 0.0,
) -> Values:
    """Bound the makespan when one server sends to clients of unequal downlinks.

    T >= max{N F/us, F/d} - b, d the slowest downlink. Source: Kurose & Ross, ch. 2.

    Args:
      file_bytes: F.
      origin_uplink: us, bytes per second.
      client_downlinks: d_i, one a client along the last axis, bytes per second.
      burst_seconds: b, the time by which each link may be ahead of its rate.

    Returns:
      Seconds.

    Raises:
      ValueError: a value is out of range.
    """
    file = at_least("file_bytes", file_bytes, 0)
    origin = at_least("origin_uplink", origin_uplink, 0)
    burst = at_least("burst_seconds", burst_seconds, 0)
    _, downlinks = _rates(client_downlinks, client_downlinks)
    count = downlinks.shape[-1]
    seconds = np.maximum(divide(count * file, origin), divide(file, downlinks.min(axis=-1)))
    return plain(np.maximum(seconds - burst, 0.0))


@dataclass(frozen=True, slots=True)
class RateAllocation:
    """Who sends how fast to whom in the two-hop scheme."""

    copied_bytes_per_second: FloatArray
    """s_i: what the origin sends to client i alone, for it to copy to all others. Shape (N,)."""

    direct_bytes_per_second: float
    """r0: what the origin sends to every client itself."""

    @property
    def rate_bytes_per_second(self) -> float:
        """The rate at which every client receives the file."""
        return float(self.copied_bytes_per_second.sum()) + self.direct_bytes_per_second

    def seconds(self, file_bytes: float) -> float:
        """Say when every client has the file."""
        return float(divide(file_bytes, self.rate_bytes_per_second))

    def flow_bytes_per_second(self) -> FloatArray:
        """Write the allocation as a matrix of rates.

        Returns:
          Shape (N+1, N): row 0 is the origin, row i+1 client i; column j is what client j receives.
        """
        copied = self.copied_bytes_per_second
        count = len(copied)
        flow = np.zeros((count + 1, count))
        flow[0] = copied + self.direct_bytes_per_second
        flow[1:] = np.where(np.eye(count, dtype=bool), 0.0, copied[:, np.newaxis])
        return flow


def attaining_allocation(
    origin_uplink: float,
    client_uplinks: Sequence[float] | FloatArray,
    client_downlinks: Sequence[float] | FloatArray,
) -> RateAllocation:
    """Allocate rates such that every client receives the file at the highest common rate.

    Source: Kumar & Ross 2006 (abstract); the allocation is derived in the module's text.

    Args:
      origin_uplink: us, bytes per second, finite and above zero.
      client_uplinks: u_i, shape (N,), finite.
      client_downlinks: d_i, shape (N,); may be infinite.

    Raises:
      ValueError: a value is out of range or the shapes differ.
    """
    origin = float(at_least("origin_uplink", origin_uplink, 0, open_below=True))
    uplinks, downlinks = _rates(client_uplinks, client_downlinks)
    if uplinks.ndim != 1:
        raise ValueError(f"client_uplinks must have one axis, not {uplinks.ndim}")
    if not (np.isfinite(origin) and np.all(np.isfinite(uplinks))):
        raise ValueError("uplinks must be finite to be allocated")
    count = len(uplinks)
    total = float(uplinks.sum())
    rate = min(origin, float(downlinks.min()), (origin + total) / count)
    if count == 1 or total == 0:
        return RateAllocation(np.zeros(count), rate)
    if rate <= total / (count - 1):
        return RateAllocation(rate * uplinks / total, 0.0)
    return RateAllocation(uplinks / (count - 1), rate - total / (count - 1))


def infeasibilities(
    allocation: RateAllocation,
    origin_uplink: float,
    client_uplinks: Sequence[float] | FloatArray,
    client_downlinks: Sequence[float] | FloatArray,
) -> list[str]:
    """Name every constraint that an allocation violates; an empty list means it is feasible.

    Checked on the flow matrix, not on the formulas: no rate is negative, no uplink and no downlink
    carries more than it can, and every client receives every sub-stream.

    Raises:
      ValueError: the number of clients differs between the arguments.
    """
    uplinks, downlinks = _rates(client_uplinks, client_downlinks)
    flow = allocation.flow_bytes_per_second()
    count = flow.shape[1]
    if uplinks.shape != (count,):
        raise ValueError(f"{count} clients are allocated but {uplinks.shape} uplinks were given")
    faults = []
    if flow.min() < 0:
        faults.append(f"a rate is negative: {flow.min():.6g}")
    limits = np.concatenate(([origin_uplink], uplinks))
    over = flow.sum(axis=1) > limits * (1 + RELATIVE_SLACK)
    faults += [
        f"uplink of node {node} carries {flow[node].sum():.6g} bytes/s" for node in np.nonzero(over)[0]
    ]
    over = flow.sum(axis=0) > downlinks * (1 + RELATIVE_SLACK)
    faults += [f"downlink of node {node + 1} is exceeded" for node in np.nonzero(over)[0]]
    # Client j gets sub-stream i from client i, its own from the origin, and the direct part.
    wanted = allocation.rate_bytes_per_second
    short = np.abs(flow.sum(axis=0) - wanted) > RELATIVE_SLACK * wanted
    faults += [f"node {node + 1} does not receive the whole file" for node in np.nonzero(short)[0]]
    return faults


def _rates(
    client_uplinks: Sequence[float] | FloatArray, client_downlinks: Sequence[float] | FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Check two arrays with a client along the last axis."""
    uplinks = at_least("client_uplinks", np.asarray(client_uplinks, dtype=np.float64), 0)
    downlinks = at_least("client_downlinks", np.asarray(client_downlinks, dtype=np.float64), 0)
    if uplinks.ndim == 0 or uplinks.shape[-1] == 0:
        raise ValueError("there must be at least one client")
    if uplinks.shape != downlinks.shape:
        raise ValueError(
            f"client_uplinks and client_downlinks must have one shape, not {uplinks.shape} and "
            f"{downlinks.shape}"
        )
    return uplinks, downlinks
