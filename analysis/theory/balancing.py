"""Several origins, each client served by one of them: what dealing clients out unevenly costs.

Symbols: file F, uplink us of each of m origins, N clients. All clients want the file at once, and an
origin that serves k of them needs k F/us. The fullest origin decides, and no way of dealing clients out
leaves it with fewer than ceil(N/m) of them.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from analysis.theory.arrays import FloatArray, Values, at_least, divide, plain

#: What is left out of an expectation: chances too small to show in any digit that is printed, and well
#: above what rounding leaves of a certainty.
_NEGLIGIBLE = 1e-8


def fullest_origin_seconds(
    file_bytes: Values, origin_uplink: Values, clients: Values, origins: Values
) -> Values:
    """Bound the makespan when every client gets the whole file from one origin: ceil(N/m) F/us.

    Round robin in a flash crowd attains it. Source: derived (pigeonhole principle).

    Args:
      file_bytes: F.
      origin_uplink: us of each origin, bytes per second; may be infinite.
      clients: N, at least 1.
      origins: m, at least 1.

    Returns:
      Seconds.

    Raises:
      ValueError: a value is out of range.
    """
    fullest = np.ceil(at_least("clients", clients, 1) / at_least("origins", origins, 1))
    file = at_least("file_bytes", file_bytes, 0)
    return plain(divide(fullest * file, at_least("origin_uplink", origin_uplink, 0)))


@lru_cache(maxsize=256)
def random_fullest_share(clients: int, origins: int) -> float:
    """Say how full the fullest origin is on average when each client draws one at random.

    The expected largest of m multinomial counts, over their mean N/m; with equal uplinks it is also by
    how much the makespan exceeds N F/(m us) on average: 1.76 for N = 32 and m = 8. Exact: the counts
    are independent Poisson variables, given their sum.

    Args:
      clients: N, at least 1.
      origins: m, at least 1.

    Returns:
      From 1 (one origin) to m (one client).

    Raises:
      ValueError: a value is out of range.
    """
    at_least("clients", clients, 1)
    at_least("origins", origins, 1)
    mean = clients / origins
    counts = np.arange(clients + 1, dtype=np.float64)
    factorials = np.concatenate(([0.0], np.cumsum(np.log(counts[1:]))))
    one = np.exp(counts * math.log(mean) - mean - factorials)
    all_together = math.exp(clients * math.log(clients) - clients - factorials[-1])
    # E[max] is the sum of P(max > k) over k; below the mean it is certain.
    certain = math.ceil(mean)
    expected = float(certain)
    for most in range(certain, clients):
        within = _sum_of(one[: most + 1], origins, clients) / all_together
        if within > 1.0 - _NEGLIGIBLE:
            break
        expected += 1.0 - within
    return expected / mean


def _sum_of(chances: FloatArray, times: int, total: int) -> float:
    """Give the chance that so many independent variables with these chances sum up to a total."""
    result = np.ones(1)
    power = chances
    while times:
        if times & 1:
            result = np.convolve(result, power)[: total + 1]
        times >>= 1
        if times:
            power = np.convolve(power, power)[: total + 1]
    return float(result[total]) if len(result) > total else 0.0
