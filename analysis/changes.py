"""What two runs of the same experiment show at each point: faster, slower, or no change detected.

Three repeats alone see only changes above 10 %. So the points help each other: how far repeats of one
architecture scatter is estimated from all its points together (per cent of their time, hence
logarithms), separately in either run, and each point's difference is held against that with Welch's t.
The two architectures are not pooled: a server repeats itself within 0.1 %, a swarm within 1 %, and a
common figure would be wrong for both. A point that scatters clearly more than its pool stands for
itself. Many points are many chances of a false alarm: Holm's correction goes over all of them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FloatArray = NDArray[np.float64]

CONFIDENCE = 0.95
ALARM_PROBABILITY = 1 - CONFIDENCE
"""Of any false alarm in a whole comparison, not at each of its points."""
LEAST_CHANGE = 0.03
"""A smaller one is not called a change, however sure: 1.03 slower, 1/1.03 faster."""
GUARD_PROBABILITY = 0.05
"""How rarely a point that scatters like the others is taken out of the pool."""

#: Times that differ by less are the same time, computed in another order.
_SAME = 1e-9


class Verdict(Enum):
    """What is shown at one point. The value is how a report says it."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_CHANGE = "no change detected"


@dataclass(frozen=True, slots=True)
class Sample:
    """The repeats of one point in both runs."""

    pool: Hashable
    """Whose scatter is alike: the architecture."""
    base: FloatArray
    """Positive times, one a repeat."""
    new: FloatArray


@dataclass(frozen=True, slots=True)
class Change:
    """How the new run differs from the base at one point."""

    ratio: float
    """New time over base time (geometric means): above 1 is slower."""
    low: float
    """95 % interval of the ratio, of this point by itself; NaN without repeats."""
    high: float
    probability: float
    """Of a difference like this one by chance alone, corrected for all points (Holm)."""
    detectable: float
    """The smallest change, as a share, that this comparison could have called one here."""
    own_scatter: bool
    """Whether the point scattered clearly more than its pool, and stands for itself."""
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class _Scatter:
    """Variance of the logarithms of one run's repeats, and the degrees of freedom behind it."""

    variance: float
    freedom: int


def find_changes(samples: Sequence[Sample]) -> list[Change]:
    """Compare two runs at all their common points.

    Args:
      samples: One for each point; each side has at least one time.

    Returns:
      One for each sample. Without any repeats no scatter is known and no change is detected.

    Raises:
      ValueError: a side is empty, or a time is not positive.
    """
    logs = [(_logarithms(one.base), _logarithms(one.new)) for one in samples]
    pools = {
        pool: tuple(
            _pooled([pair[side] for one, pair in zip(samples, logs, strict=True) if one.pool == pool])
            for side in (0, 1)
        )
        for pool in {one.pool for one in samples}
    }
    tested = [_test(pair, pools[one.pool]) for one, pair in zip(samples, logs, strict=True)]
    corrected = holm([one.probability for one in tested])
    return [_judge(one, p, len(tested)) for one, p in zip(tested, corrected, strict=True)]


def holm(probabilities: Sequence[float]) -> list[float]:
    """Correct the probabilities of several tests for their number (Holm 1979, step-down).

    Returns:
      In the same order: the level at which each would be called significant among all of them.
    """
    count = len(probabilities)
    corrected = [1.0] * count
    reached = 0.0
    for rank, place in enumerate(sorted(range(count), key=lambda one: probabilities[one])):
        reached = max(reached, min(1.0, (count - rank) * probabilities[place]))
        corrected[place] = reached
    return corrected


@dataclass(frozen=True, slots=True)
class _Tested:
    difference: float
    """Of the means of the logarithms."""
    error: float
    """Standard error of the difference; NaN when no scatter is known."""
    freedom: float
    probability: float
    own_scatter: bool


def _test(pair: tuple[FloatArray, FloatArray], pool: tuple[_Scatter, ...]) -> _Tested:
    difference = float(pair[1].mean() - pair[0].mean())
    if abs(difference) < _SAME:
        difference = 0.0
    own = _scatters_more(pair, pool)
    scatters = [_pooled([side]) for side in pair] if own else list(pool)
    if any(one.freedom == 0 for one in scatters):
        return _Tested(difference, math.nan, math.nan, 1.0, own)
    parts = [one.variance / len(side) for one, side in zip(scatters, pair, strict=True)]
    error = math.sqrt(sum(parts))
    if error < _SAME:
        # Repeats without any scatter, as in a simulation: whatever differs, differs.
        return _Tested(difference, 0.0, math.inf, 0.0 if difference else 1.0, own)
    # Welch and Satterthwaite, with the pools' degrees of freedom in the place of n - 1.
    freedom = sum(parts) ** 2 / sum(
        part**2 / one.freedom for part, one in zip(parts, scatters, strict=True)
    )
    probability = 2 * float(stats.t.sf(abs(difference) / error, freedom))
    return _Tested(difference, error, freedom, probability, own)


def _judge(tested: _Tested, corrected: float, points: int) -> Change:
    ratio = math.exp(tested.difference)
    if math.isnan(tested.error):
        return Change(ratio, math.nan, math.nan, 1.0, math.nan, False, Verdict.NO_CHANGE)
    half = _quantile(1 - ALARM_PROBABILITY / 2, tested.freedom) * tested.error
    # Holm asks the most of the smallest probability: what a single changed point would have to show.
    least = _quantile(1 - ALARM_PROBABILITY / (2 * points), tested.freedom) * tested.error
    verdict = Verdict.NO_CHANGE
    if corrected < ALARM_PROBABILITY and abs(tested.difference) >= math.log1p(LEAST_CHANGE):
        verdict = Verdict.SLOWER if ratio > 1 else Verdict.FASTER
    return Change(
        ratio=ratio,
        low=math.exp(tested.difference - half),
        high=math.exp(tested.difference + half),
        probability=corrected,
        detectable=max(LEAST_CHANGE, math.expm1(least)),
        own_scatter=tested.own_scatter,
        verdict=verdict,
    )


def _scatters_more(pair: tuple[FloatArray, FloatArray], pool: tuple[_Scatter, ...]) -> bool:
    """Say whether a point's own repeats scatter clearly more than those of its pool (F test)."""
    own, all_points = _together([_pooled([side]) for side in pair]), _together(pool)
    others = all_points.freedom - own.freedom
    if own.freedom == 0 or others <= 0:
        return False
    rest = (all_points.variance * all_points.freedom - own.variance * own.freedom) / others
    if rest <= _SAME**2:
        return own.variance > _SAME**2
    return own.variance / rest > float(stats.f.isf(GUARD_PROBABILITY, own.freedom, others))


def _together(scatters: Sequence[_Scatter]) -> _Scatter:
    freedom = sum(one.freedom for one in scatters)
    if freedom == 0:
        return _Scatter(math.nan, 0)
    return _Scatter(
        sum(one.variance * one.freedom for one in scatters if one.freedom) / freedom, freedom
    )


def _pooled(groups: Sequence[FloatArray]) -> _Scatter:
    return _together(
        [_Scatter(float(one.var(ddof=1)) if len(one) > 1 else math.nan, len(one) - 1) for one in groups]
    )


def _quantile(share: float, freedom: float) -> float:
    return float(stats.norm.ppf(share) if math.isinf(freedom) else stats.t.ppf(share, freedom))


def _logarithms(times: FloatArray) -> FloatArray:
    values = np.asarray(times, dtype=np.float64)
    if len(values) == 0 or not values.min() > 0:
        raise ValueError(f"expected positive times, not {values!r}")
    return np.log(values)
