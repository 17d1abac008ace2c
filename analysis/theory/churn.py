"""What is left when nodes leave: the origin's departure, and availability.

All of it is derived; see each function.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

from analysis.theory.arrays import FloatArray, Values, at_least, divide, fraction, plain


def injection_seconds(file_bytes: Values, origin_uplink: Values) -> Values:
    """Say when an origin that never repeats a piece has injected all of them: F/us.

    If it leaves earlier, nobody finishes; if later, everybody does. Derived.

    Raises:
      ValueError: a value is negative.
    """
    return plain(
        divide(at_least("file_bytes", file_bytes, 0), at_least("origin_uplink", origin_uplink, 0))
    )


def coupon_factor(pieces: Values) -> Values:
    """Compute H_M = 1 + 1/2 + ... + 1/M, by which random sending is slower than orderly sending.

    An origin that sends uniformly random pieces needs M H_M of them on average until each was sent
    once (the coupon collector). Derived.

    Args:
      pieces: M, at least 1.

    Raises:
      ValueError: a value is out of range.
    """
    m = at_least("pieces", pieces, 1)
    # H_M = psi(M + 1) + gamma, which needs no sum over M terms.
    return plain(np.asarray(digamma(m + 1.0) + np.euler_gamma))


def random_injection_seconds(file_bytes: Values, origin_uplink: Values, pieces: Values) -> Values:
    """Say when an origin that sends random pieces has injected all of them, on average: H_M F/us.

    Raises:
      ValueError: a value is out of range.
    """
    orderly = np.asarray(injection_seconds(file_bytes, origin_uplink))
    return plain(orderly * np.asarray(coupon_factor(pieces)))


def all_injected_probabilities(pieces: int, most_sent: int) -> FloatArray:
    """Give the chance that k random pieces include every one of M, for k = 0..most_sent.

    This is the chance that the swarm survives an origin that leaves after k pieces. Computed by
    the chain of "how many distinct so far", because the alternating sum loses all digits. Derived.

    Args:
      pieces: M, at least 1.
      most_sent: The largest k, at least 0.

    Returns:
      Shape (most_sent + 1,), rising from 0 towards 1.

    Raises:
      ValueError: a value is out of range.
    """
    at_least("pieces", pieces, 1)
    at_least("most_sent", most_sent, 0)
    distinct = np.arange(pieces + 1)
    stays, grows = distinct / pieces, 1.0 - distinct / pieces
    chance = np.zeros(pieces + 1)
    chance[0] = 1.0
    complete = np.empty(most_sent + 1)
    complete[0] = chance[pieces]
    for sent in range(1, most_sent + 1):
        grown = chance * grows
        chance *= stays
        chance[1:] += grown[:-1]
        complete[sent] = chance[pieces]
    return complete


def survives_departure(
    file_bytes: Values, origin_uplink: Values, leaves_seconds: Values
) -> np.bool_ | np.typing.NDArray[np.bool_]:
    """Say whether everybody finishes although the origin leaves, if it never repeats a piece.

    Raises:
      ValueError: a value is negative.
    """
    leaves = at_least("leaves_seconds", leaves_seconds, 0)
    return leaves >= np.asarray(injection_seconds(file_bytes, origin_uplink))


def server_availability(up_probability: Values) -> Values:
    """Say how likely a file on one server can be had: A itself.

    Raises:
      ValueError: a probability lies outside [0, 1].
    """
    return plain(fraction("up_probability", up_probability))


def replicated_availability(up_probability: Values, copies: Values) -> Values:
    """Say how likely at least one of r full copies is up: 1 - (1 - a)^r. Derived.

    Args:
      up_probability: a, the chance that a holder is up, independently of the others.
      copies: r, at least 0.

    Raises:
      ValueError: a value is out of range.
    """
    down = 1.0 - fraction("up_probability", up_probability)
    return plain(1.0 - down ** at_least("copies", copies, 0))


def scattered_availability(up_probability: Values, copies: Values, pieces: Values) -> Values:
    """Bound the chance that a file of scattered pieces is whole: at least (1 - (1 - a)^r)^M.

    Each piece lies with r holders, placed independently; sharing holders makes the events
    positively dependent, so this is a lower bound. Derived.

    Args:
      up_probability: a, the chance that a holder is up, independently of the others.
      copies: r of each piece, at least 0.
      pieces: M, at least 1.

    Raises:
      ValueError: a value is out of range.
    """
    one = np.asarray(replicated_availability(up_probability, copies))
    return plain(one ** at_least("pieces", pieces, 1))
