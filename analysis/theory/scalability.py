"""The universal scalability law, and its fit to measured throughputs.

X(N) = g N/(1 + a(N-1) + b N(N-1)): g is one user's throughput, a the share of work that cannot
overlap (contention), b the cost of keeping everyone consistent (coherency). Source: Gunther, A
general theory of computational scalability based on rational functions, 2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import curve_fit

from analysis.theory.arrays import FloatArray, Values, at_least, divide, plain

#: Three parameters fitted to fewer distinct loads follow the noise.
LEAST_LOAD_LEVELS = 6


def throughput(users: Values, gain: Values, contention: Values, coherency: Values) -> Values:
    """Compute X(N) in the unit of ``gain``.

    Args:
      users: N, at least 1.
      gain: g, the throughput of one user.
      contention: a, at least 0.
      coherency: b, at least 0.

    Raises:
      ValueError: a value is out of range.
    """
    n = at_least("users", users, 1)
    a = at_least("contention", contention, 0)
    b = at_least("coherency", coherency, 0)
    return plain(at_least("gain", gain, 0) * n / (1 + a * (n - 1) + b * n * (n - 1)))


def peak_users(contention: Values, coherency: Values) -> Values:
    """Say at which N the throughput is highest: sqrt((1 - a)/b), infinite for b = 0.

    Raises:
      ValueError: a value is out of range.
    """
    a = at_least("contention", contention, 0)
    rest = np.maximum(1.0 - a, 0.0)
    return plain(np.sqrt(divide(rest, at_least("coherency", coherency, 0))))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A fitted parameter with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ScalabilityFit:
    """What the law says about a set of measurements."""

    gain: Estimate
    contention: Estimate
    coherency: Estimate
    confidence: float
    """Of each interval by itself, for instance 0.95."""
    worst_relative_residual: float
    """max |X/fit - 1|: whether the law describes the data at all."""

    @property
    def peak_users(self) -> float:
        """Where the fitted throughput is highest."""
        return float(peak_users(self.contention.value, self.coherency.value))


def fit(
    users: Sequence[float] | FloatArray,
    throughputs: Sequence[float] | FloatArray,
    confidence: float = 0.95,
) -> ScalabilityFit:
    """Fit the law by least squares on relative errors, all parameters kept at zero or above.

    Intervals are Student's t on the linearised fit, with n - 3 degrees of freedom, cut off at zero;
    they assume errors that are independent and of equal relative size.

    Args:
      users: N of each measurement, at least 1; repeats at one N are welcome.
      throughputs: X of each measurement, above zero, any unit.
      confidence: Of each interval.

    Raises:
      ValueError: fewer than six distinct loads, unequal shapes, or a value out of range.
      RuntimeError: the fit did not converge.
    """
    n = at_least("users", np.asarray(users, dtype=np.float64), 1)
    x = at_least("throughputs", np.asarray(throughputs, dtype=np.float64), 0, open_below=True)
    if n.ndim != 1 or n.shape != x.shape:
        raise ValueError(f"one throughput per load is needed: {n.shape} and {x.shape}")
    levels = len(np.unique(n))
    if levels < LEAST_LOAD_LEVELS:
        raise ValueError(f"a fit needs at least {LEAST_LOAD_LEVELS} load levels, not {levels}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence!r}")

    def model(load: FloatArray, g: float, a: float, b: float) -> FloatArray:
        return np.asarray(scale * g * load / (1 + a * (load - 1) + b * load * (load - 1)))

    # In units of the best single user g is near 1, like a and b, whatever the throughputs' unit.
    scale = float(np.max(x / n))
    found, covariance = curve_fit(
        model, n, x, p0=(1.0, 0.01, 1e-4), sigma=x, bounds=(0.0, np.inf), max_nfev=10_000
    )
    quantile = stats.t.ppf(0.5 + confidence / 2, len(n) - 3)
    half_widths = quantile * np.sqrt(np.diag(covariance))
    units = np.array([scale, 1.0, 1.0])
    gain, contention, coherency = (
        Estimate(float(value), float(max(value - half, 0.0)), float(value + half))
        for value, half in zip(found * units, half_widths * units, strict=True)
    )
    residuals = np.abs(x / model(n, *found) - 1)
    return ScalabilityFit(gain, contention, coherency, confidence, float(residuals.max()))
