"""A file server whose uplink is shared evenly by the requests in progress.

The mean time in such a server depends on the requests' sizes only through their mean:
E[T] = E[S]/(1 - rho) under Poisson arrivals. A run of a minute scatters more than ten per cent
around that, so a measurement is better compared with the exact outcome of processor sharing for the
arrivals that the run recorded, which ``exact_completions`` computes without randomness.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

import numpy as np

from analysis.theory.arrays import FloatArray, Values, at_least, divide, fraction, plain


def mean_response_seconds(mean_service_seconds: Values, load: Values) -> Values:
    """Say how long a request spends in the server on average: E[S]/(1 - rho).

    Source: textbook (M/G/1 with processor sharing).

    Args:
      mean_service_seconds: E[S], the time a request of mean size takes when it is alone.
      load: rho, in [0, 1).

    Raises:
      ValueError: a value is out of range.
    """
    service = at_least("mean_service_seconds", mean_service_seconds, 0)
    return plain(service / (1.0 - fraction("load", load, below_one=True)))


def load(arrivals_per_second: Values, mean_bytes: Values, uplink: Values) -> Values:
    """Compute rho, the share of the uplink that requests need: l E[B]/us.

    Args:
      arrivals_per_second: l.
      mean_bytes: Mean size of a response.
      uplink: us, bytes per second.

    Raises:
      ValueError: a value is negative.
    """
    offered = at_least("arrivals_per_second", arrivals_per_second, 0) * at_least(
        "mean_bytes", mean_bytes, 0
    )
    return plain(divide(offered, at_least("uplink", uplink, 0)))


def exact_completions(
    arrival_seconds: Sequence[float] | FloatArray,
    response_bytes: Sequence[float] | FloatArray,
    uplink: float,
    client_downlink: float = math.inf,
) -> FloatArray:
    """Compute when each request ends under exact processor sharing.

    All n requests in progress get min{uplink/n, client_downlink} each. Since they all progress
    alike, a request of B bytes that arrives when everyone in progress has been served v(t) bytes
    since the start ends when v reaches v(t) + B: one heap, O(n log n), no time steps.

    Args:
      arrival_seconds: When each request arrives, shape (n,), in any order.
      response_bytes: What each asks for, shape (n,).
      uplink: us, bytes per second, finite and above zero.
      client_downlink: d of each client, bytes per second, above zero.

    Returns:
      Completion instants in the order of the arguments, shape (n,), in the arrivals' clock.

    Raises:
      ValueError: the shapes differ or a value is out of range.
    """
    arrivals = np.asarray(arrival_seconds, dtype=np.float64)
    sizes = at_least("response_bytes", np.asarray(response_bytes, dtype=np.float64), 0)
    at_least("uplink", uplink, 0, open_below=True)
    at_least("client_downlink", client_downlink, 0, open_below=True)
    if arrivals.ndim != 1 or arrivals.shape != sizes.shape:
        raise ValueError(f"one size per arrival is needed: {arrivals.shape} and {sizes.shape}")
    if not (np.isfinite(arrivals).all() and np.isfinite(sizes).all() and math.isfinite(uplink)):
        raise ValueError("arrival_seconds, response_bytes and uplink must be finite")

    completions = np.empty_like(arrivals)
    in_progress: list[tuple[float, int]] = []  # (bytes served to everyone at its end, request)
    now = 0.0
    served_bytes = 0.0
    order = np.argsort(arrivals, kind="stable").tolist()
    # After the last arrival everyone in progress runs to the end: an arrival that never comes.
    for request, arrives in [*zip(order, arrivals[order].tolist(), strict=True), (-1, math.inf)]:
        while in_progress:
            rate = min(uplink / len(in_progress), client_downlink)
            # Rounding may have carried everyone past the target by a few ulps.
            ends = now + max(in_progress[0][0] - served_bytes, 0.0) / rate
            if ends > arrives:
                served_bytes += (arrives - now) * rate
                break
            served_bytes, finished = heapq.heappop(in_progress)
            completions[finished] = now = ends
        if not in_progress:
            served_bytes = 0.0  # An idle server starts afresh, so rounding does not pile up.
        now = arrives
        if request >= 0:
            heapq.heappush(in_progress, (served_bytes + float(sizes[request]), request))
    return completions


def mean_exact_response_seconds(
    arrival_seconds: Sequence[float] | FloatArray,
    response_bytes: Sequence[float] | FloatArray,
    uplink: float,
    client_downlink: float = math.inf,
) -> float:
    """Average the time in the server over recorded arrivals, under exact processor sharing.

    Arguments and errors as in ``exact_completions``; at least one request is needed.
    """
    completions = exact_completions(arrival_seconds, response_bytes, uplink, client_downlink)
    if len(completions) == 0:
        raise ValueError("there must be at least one request")
    return float(np.mean(completions - np.asarray(arrival_seconds, dtype=np.float64)))
