"""What every formula does with its arguments: check, broadcast, divide, and hand back.

The formulas take scalars or NumPy arrays, broadcast them against each other, and return a plain
``float`` when every argument was a scalar. Rates may be infinite ("this line never binds") and,
where a docstring says so, zero; dividing by such a rate has one meaning here and no warning.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Values = float | FloatArray
"""A scalar or an array of any shape; arguments of one call are broadcast together."""


def at_least(name: str, values: Values, least: float, *, open_below: bool = False) -> FloatArray:
    """Convert an argument to an array of floats and check its range.

    Args:
      name: The argument's name, for the message.
      values: What the caller passed.
      least: The smallest value that is allowed.
      open_below: Whether ``least`` itself is not allowed.

    Returns:
      The values as ``float64``; infinity passes, NaN does not.

    Raises:
      ValueError: a value is NaN or too small.
    """
    array = np.asarray(values, dtype=np.float64)
    inside = array > least if open_below else array >= least
    if not bool(np.all(inside)):
        worst = float(array[~inside].flat[0]) if array.ndim else float(array)
        relation = "above" if open_below else "at least"
        raise ValueError(f"{name} must be {relation} {least:g}, not {worst!r}")
    return array


def fraction(name: str, values: Values, *, below_one: bool = False) -> FloatArray:
    """Convert a share to an array and check that it lies in [0, 1], or in [0, 1).

    Raises:
      ValueError: a value lies outside.
    """
    array = at_least(name, values, 0.0)
    too_big = array >= 1.0 if below_one else array > 1.0
    if bool(np.any(too_big)):
        worst = float(array[too_big].flat[0]) if array.ndim else float(array)
        raise ValueError(f"{name} must be {'below' if below_one else 'at most'} 1, not {worst!r}")
    return array


def divide(numerator: Values, rate: Values) -> FloatArray:
    """Say how long ``numerator`` takes at ``rate``: x/inf is 0, x/0 is inf, and 0/0 is 0."""
    top, bottom = np.broadcast_arrays(
        np.asarray(numerator, dtype=np.float64), np.asarray(rate, dtype=np.float64)
    )
    quotient = np.full(top.shape, np.inf)
    # Unlimited over unlimited is no number, and said to be none.
    with np.errstate(invalid="ignore"):
        np.divide(top, bottom, out=quotient, where=bottom > 0)
    # Nothing to move takes no time, even over a dead line.
    return np.where(top == 0, 0.0, quotient)


def plain(values: FloatArray) -> Values:
    """Hand back a Python float for a scalar result and the array itself otherwise."""
    return float(values) if np.ndim(values) == 0 else values
