"""What may be said from n repeats, and what may not.

Three repeats are three numbers: their range is shown and called a range. From six on there is a
95 % interval: Student's t on logarithms, because times scatter by factors and not by sums; from
fifteen on the bootstrap of the median, which needs no shape but many repeats. Two architectures are
compared pair by pair, since the trials of one repeat ran next to each other on the same machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

LEAST_REPEATS_FOR_INTERVAL = 6
LEAST_REPEATS_FOR_BOOTSTRAP = 15
CONFIDENCE = 0.95
LEAST_EFFECT = 0.05
"""A difference below this is not called one, however sure: the next machine would lose it."""

#: A reader's own n below which a quantile is a guess: the next rank must exist on either side.
LEAST_SAMPLES: Mapping[float, int] = {0.5: 5, 0.9: 29, 0.99: 299, 0.999: 2995}

_RESAMPLES = 2000
_RESAMPLING_SEED = 7
"""Fixed, so that a report built twice from the same rows is the same report."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The repeats of one number: their median, and how far it may be trusted."""

    median: float
    low: float
    high: float
    interval: str
    """What low and high are, in words: never "95%" for fewer than six repeats."""
    repeats: int


class Outcome(Enum):
    """What the pairs of one N show. The value is how a report says it."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_DIFFERENCE = "no difference shown"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both architectures at one N: how many times faster the swarm was than the server."""

    clients: int
    ratio: Spread
    """Server's makespan over the swarm's, of the same repeat. Above 1 the swarm is faster."""
    outcome: Outcome
    """What the swarm is shown to be."""


@dataclass(frozen=True, slots=True)
class Crossover:
    """Between which tested N the swarm begins to win."""

    above: int | None
    """Largest N at which the swarm is not shown to be faster; None: it is at all of them."""
    at_most: int
    """Smallest N from which it is at every tested N."""


def spread(values: Sequence[float] | NDArray[np.float64]) -> Spread | None:
    """Sum up the repeats of one positive number.

    Args:
      values: One a repeat; NaN, for a trial that gave none, is left out.

    Returns:
      None when there is nothing to sum up.

    Raises:
      ValueError: a value is zero or below, so that it has no logarithm.
    """
    kept = np.asarray(values, dtype=np.float64)
    kept = kept[~np.isnan(kept)]
    count = len(kept)
    if count == 0:
        return None
    if kept.min() <= 0:
        raise ValueError(f"values must be positive, not {kept.min()!r}")
    if count >= LEAST_REPEATS_FOR_BOOTSTRAP:
        low, high = _bootstrap(kept)
        interval = f"95% interval of {count} repeats (bootstrap of the median)"
    elif count >= LEAST_REPEATS_FOR_INTERVAL:
        low, high = _log_t(kept)
        interval = f"95% interval of {count} repeats (t on logarithms)"
    else:
        low, high = float(kept.min()), float(kept.max())
        interval = f"range of {count} repeats" if count > 1 else "1 repeat"
    return Spread(float(np.median(kept)), low, high, interval, count)


def compare(
    clients: int, server_seconds: Mapping[int, float], swarm_seconds: Mapping[int, float]
) -> Comparison | None:
    """Compare both architectures at one N, pair by pair.

    Args:
      clients: N.
      server_seconds: The server's makespan by number of the repeat.
      swarm_seconds: The swarm's.

    Returns:
      None when no repeat has both.
    """
    pairs = sorted(server_seconds.keys() & swarm_seconds.keys())
    ratio = spread([server_seconds[pair] / swarm_seconds[pair] for pair in pairs])
    if ratio is None:
        return None
    each = [server_seconds[pair] / swarm_seconds[pair] for pair in pairs]
    outcome = Outcome.NO_DIFFERENCE
    if min(each) > 1 and ratio.low > 1 + LEAST_EFFECT:
        outcome = Outcome.FASTER
    elif max(each) < 1 and ratio.high < 1 / (1 + LEAST_EFFECT):
        outcome = Outcome.SLOWER
    return Comparison(clients, ratio, outcome)


def crossover(comparisons: Sequence[Comparison]) -> Crossover | None:
    """Find the interval of tested N in which the swarm begins to win for good.

    Returns:
      None when the swarm is not shown to be faster at the largest tested N.
    """
    at_most: int | None = None
    for comparison in sorted(comparisons, key=lambda one: one.clients, reverse=True):
        if comparison.outcome is not Outcome.FASTER:
            return None if at_most is None else Crossover(comparison.clients, at_most)
        at_most = comparison.clients
    return None if at_most is None else Crossover(None, at_most)


def quantile(
    values: Sequence[float] | NDArray[np.float64],
    share: float,
    counts: Sequence[int] | NDArray[np.int64] | None = None,
) -> float | None:
    """Give a quantile of pooled values, or None when they are too few to have it.

    Args:
      values: NaN is left out.
      share: One of `LEAST_SAMPLES`.
      counts: How often each value was seen; once, if not given.
    """
    pooled = np.asarray(values, dtype=np.float64)
    there = ~np.isnan(pooled)
    kept = pooled if there.all() else pooled[there]
    # Ten million latencies come without counts: they are not copied once more for it.
    weights = None if counts is None else np.asarray(counts, dtype=np.float64)[there]
    if (len(kept) if weights is None else weights.sum()) < LEAST_SAMPLES[share]:
        return None
    if weights is None or (weights == 1).all():
        return float(np.quantile(kept, share))
    # Between two of so many equal values there is nothing to interpolate.
    return float(np.quantile(kept, share, weights=weights, method="inverted_cdf"))


def local_slopes(clients: Sequence[int], seconds: Sequence[float]) -> list[float | None]:
    """Give the self-scaling exponent d ln T / d ln N between each N and the one before it.

    A server that is the bottleneck has 1; what scales by itself stays well below.

    Args:
      clients: N, ascending.
      seconds: T at each N; NaN where there is none.

    Returns:
      One for each N; None for the first and where a neighbour is missing.
    """
    slopes: list[float | None] = [None] * min(1, len(clients))
    for place in range(1, len(clients)):
        before, here = seconds[place - 1], seconds[place]
        if math.isnan(before) or math.isnan(here):
            slopes.append(None)
        else:
            run = math.log(clients[place] / clients[place - 1])
            slopes.append(math.log(here / before) / run)
    return slopes


def _log_t(values: NDArray[np.float64]) -> tuple[float, float]:
    # scipy.stats takes half a second to import; a run of three repeats does not need it.
    from scipy import stats

    logs = np.log(values)
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(logs) - 1)) * float(
        logs.std(ddof=1) / math.sqrt(len(logs))
    )
    middle = float(logs.mean())
    return math.exp(middle - half), math.exp(middle + half)


def _bootstrap(values: NDArray[np.float64]) -> tuple[float, float]:
    from scipy import stats

    found = stats.bootstrap(
        (values,),
        np.median,
        confidence_level=CONFIDENCE,
        n_resamples=_RESAMPLES,
        # Not BCa: the median of few distinct values has no usable acceleration.
        method="percentile",
        rng=np.random.default_rng(_RESAMPLING_SEED),
    )
    interval = found.confidence_interval
    return float(interval.low), float(interval.high)
