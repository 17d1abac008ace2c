"""A swarm that peers join and leave for ever: the fluid model of Qiu and Srikant. Unconfirmed.

x downloaders and y seeds change as

    x' = l - t x - min{c x, mu (e x + y)}        y' = min{c x, mu (e x + y)} - g y

with arrivals at rate l, downloaders that give up at rate t, seeds that leave at rate g; c is the
download rate and mu the upload rate in files per second, and e the effectiveness of sharing between
downloaders. The steady state has 1/b = max{1/c, (1/e)(1/mu - 1/g)} and a mean time of 1/(t + b) in
the download, whatever l is: that is the self-scaling claim for open arrivals.

Source: Qiu & Srikant, Modeling and performance analysis of BitTorrent-like peer-to-peer networks,
2004, quoted from memory and derived again: show its values as **unconfirmed**.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from analysis.theory.arrays import FloatArray, Values, at_least, divide, fraction, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSwarm:
    """The parameters of the model; all rates are per second."""

    arrivals_per_second: float
    """l, above zero."""
    download_files_per_second: float
    """c: downlink / F; infinite if downlinks never bind."""
    upload_files_per_second: float
    """mu: uplink / F."""
    abort_rate: float = 0.0
    """t: downloaders give up after 1/t seconds on average."""
    seed_leave_rate: float = 1.0
    """g: seeds stay 1/g seconds on average; above zero."""
    effectiveness: float = 1.0
    """e: the chance that a downloader has something to give, in (0, 1]."""

    def __post_init__(self) -> None:
        at_least("arrivals_per_second", self.arrivals_per_second, 0, open_below=True)
        at_least("download_files_per_second", self.download_files_per_second, 0, open_below=True)
        at_least("upload_files_per_second", self.upload_files_per_second, 0, open_below=True)
        at_least("abort_rate", self.abort_rate, 0)
        at_least("seed_leave_rate", self.seed_leave_rate, 0, open_below=True)
        at_least("effectiveness", self.effectiveness, 0, open_below=True)
        fraction("effectiveness", self.effectiveness)


def completion_rate(
    download_files_per_second: Values,
    upload_files_per_second: Values,
    seed_leave_rate: Values,
    effectiveness: Values = 1.0,
) -> Values:
    """Compute b, the rate at which a downloader completes: 1/b = max{1/c, (1/e)(1/mu - 1/g)}.

    Infinite where c is infinite and seeds stay longer than an upload takes. Source: Qiu & Srikant
    2004, unconfirmed.

    Raises:
      ValueError: a rate is negative.
    """
    slowest = divide(1.0, at_least("download_files_per_second", download_files_per_second, 0))
    upload = divide(1.0, at_least("upload_files_per_second", upload_files_per_second, 0))
    seeding = divide(1.0, at_least("seed_leave_rate", seed_leave_rate, 0, open_below=True))
    shared = (upload - seeding) / at_least("effectiveness", effectiveness, 0, open_below=True)
    return plain(divide(1.0, np.maximum(slowest, np.maximum(shared, 0.0))))


def mean_download_seconds(
    download_files_per_second: Values,
    upload_files_per_second: Values,
    abort_rate: Values,
    seed_leave_rate: Values,
    effectiveness: Values = 1.0,
) -> Values:
    """Say how long a peer is a downloader on average: T = 1/(t + b), independent of arrivals.

    Peers that give up count with the time until they do. Source: Qiu & Srikant 2004, unconfirmed.

    Args:
      download_files_per_second: c.
      upload_files_per_second: mu.
      abort_rate: t.
      seed_leave_rate: g, above zero; infinite for "leaves at completion".
      effectiveness: e.

    Raises:
      ValueError: a value is out of range.
    """
    rate = completion_rate(
        download_files_per_second, upload_files_per_second, seed_leave_rate, effectiveness
    )
    return plain(divide(1.0, at_least("abort_rate", abort_rate, 0) + rate))


def equilibrium(swarm: OpenSwarm) -> tuple[float, float]:
    """Compute the populations at which the model rests.

    Returns:
      Downloaders x = l/(t + b) and seeds y = b x/g.
    """
    rate = completion_rate(
        swarm.download_files_per_second,
        swarm.upload_files_per_second,
        swarm.seed_leave_rate,
        swarm.effectiveness,
    )
    if rate == np.inf:
        # Nobody is a downloader for any time; all who arrive become seeds at once.
        return 0.0, swarm.arrivals_per_second / swarm.seed_leave_rate
    downloaders = swarm.arrivals_per_second / (swarm.abort_rate + float(rate))
    return downloaders, float(rate) * downloaders / swarm.seed_leave_rate


@dataclass(frozen=True, slots=True)
class Trajectory:
    """How the populations develop; all arrays have one shape (times,)."""

    seconds: FloatArray
    downloaders: FloatArray
    seeds: FloatArray


def trajectory(
    swarm: OpenSwarm, until_seconds: float, *, downloaders: float, seeds: float, points: int = 201
) -> Trajectory:
    """Integrate the differential equations from a given start.

    Args:
      swarm: The parameters; c and g must be finite.
      until_seconds: When to stop, above zero.
      downloaders: x at time 0.
      seeds: y at time 0.
      points: How many instants to report, evenly spaced, both ends included.

    Raises:
      ValueError: a value is out of range, or c or g is infinite.
      RuntimeError: the integrator gave up.
    """
    at_least("downloaders", downloaders, 0)
    at_least("seeds", seeds, 0)
    at_least("until_seconds", until_seconds, 0, open_below=True)
    at_least("points", points, 2)
    if not np.isfinite([swarm.download_files_per_second, swarm.seed_leave_rate]).all():
        raise ValueError("download_files_per_second and seed_leave_rate must be finite here")

    def slope(_now: float, state: FloatArray) -> list[float]:
        # The integrator may probe slightly below zero; nobody uploads from there.
        x, y = np.maximum(state, 0.0)
        served = min(
            swarm.download_files_per_second * x,
            swarm.upload_files_per_second * (swarm.effectiveness * x + y),
        )
        return [
            swarm.arrivals_per_second - swarm.abort_rate * x - served,
            served - swarm.seed_leave_rate * y,
        ]

    times = np.linspace(0.0, until_seconds, points)
    # LSODA turns to its stiff method when g is far above the other rates.
    solution = solve_ivp(
        slope,
        (0.0, until_seconds),
        [downloaders, seeds],
        method="LSODA",
        t_eval=times,
        rtol=1e-8,
        atol=1e-8,
    )
    if not solution.success:
        raise RuntimeError(f"the integration failed: {solution.message}")
    return Trajectory(times, np.maximum(solution.y[0], 0.0), np.maximum(solution.y[1], 0.0))
