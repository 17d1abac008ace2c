"""When nodes come and when they go: sentences of a scenario, as times.

| Arrivals | Meaning |
| --- | --- |
| `flash crowd` | everybody at once |
| `every 0.5 s` | constant spacing |
| `poisson at 2 /s` | independent arrivals at a constant rate |
| `decaying over 30 s` | independent arrivals at a rate that falls by the factor e in each 30 s |

| Departures | Meaning |
| --- | --- |
| `after the last` | nobody leaves before the last has finished |
| `at completion` | each leaves when it has the file |
| `after 10 s of seeding` | each stays that long once it has the file |
| `gives up at 0.001 /s` | who is not done gives up at this rate; who is done stays |
| `gives up at 0.001 /s, else after 10 s of seeding` | the same, and who is done leaves as it says |

The first node always comes at 0, so that a trial does not begin with waiting.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random

from testbed.errors import ScenarioError
from testbed.units import parse_seconds

_EVERY = re.compile(r"every (.+)\Z")
_POISSON = re.compile(r"poisson at (.+) /s\Z")
_DECAYING = re.compile(r"decaying over (.+)\Z")
_SEEDING = re.compile(r"after (.+) of seeding\Z")
_ABORTING = re.compile(r"gives up at (\S+) /s(?:, else (?!gives up)(.+))?\Z")
_PER_SECOND = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?\Z")

FLASH_CROWD = "flash crowd"
AFTER_THE_LAST = "after the last"
AT_COMPLETION = "at completion"


def due_times(arrivals: str, count: int, rng: Random) -> tuple[float, ...]:
    """When each of `count` nodes is to join, in seconds from the first one on, ascending.

    Args:
      arrivals: One of the sentences above.
      count: How many nodes come.
      rng: Decides all that is random.

    Raises:
      ScenarioError: the sentence is none of the above.
    """
    if arrivals == FLASH_CROWD:
        return (0.0,) * count
    if match := _EVERY.match(arrivals):
        spacing = _positive_seconds(match.group(1))
        return tuple(index * spacing for index in range(count))
    if match := _POISSON.match(arrivals):
        rate = _positive_rate(match.group(1))
        gaps = (rng.expovariate(rate) for _ in range(count - 1))
        return tuple(accumulate(gaps, initial=0.0))[:count]
    if match := _DECAYING.match(arrivals):
        return _decaying(_positive_seconds(match.group(1)), count, rng)
    raise ScenarioError(
        f'expected "{FLASH_CROWD}", "every 0.5 s", "poisson at 2 /s" or "decaying over 30 s", '
        f"not {arrivals!r}"
    )


def poisson_rate(arrivals: str) -> float | None:
    """Give the constant rate of Poisson arrivals, per second; None for others.

    Raises:
      ScenarioError: the rate is none.
    """
    match = _POISSON.match(arrivals)
    return _positive_rate(match.group(1)) if match else None


def mean_due_seconds(arrivals: str, count: int, number: float) -> float:
    """When one of `count` nodes joins on average, in seconds from the start of the arrivals.

    Args:
      arrivals: One of the sentences above.
      count: How many nodes come.
      number: Which of them, from 0; a fraction lies between two.

    Raises:
      ScenarioError: the sentence is none of the above.
    """
    if match := _EVERY.match(arrivals):
        return number * _positive_seconds(match.group(1))
    if match := _POISSON.match(arrivals):
        return number / _positive_rate(match.group(1))
    if match := _DECAYING.match(arrivals):
        return -_positive_seconds(match.group(1)) * math.log1p(-(number + 0.5) / count)
    due_times(arrivals, 1, Random(0))
    return 0.0


def _decaying(scale_seconds: float, count: int, rng: Random) -> tuple[float, ...]:
    """Arrivals at a rate proportional to exp(-t / scale), given that `count` nodes come in all.

    Given their number, the arrivals of a Poisson process whose rate changes are independent draws
    from the rate's shape, sorted. (To fix the first rate instead would bring a random number.)
    """
    times = sorted(rng.expovariate(1 / scale_seconds) for _ in range(count))
    return tuple(time - times[0] for time in times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departures:
    """When a node leaves: some time after its completion, or before it, at a rate."""

    seeding_seconds: float = math.inf
    """From its completion on. Infinite: it stays until the last has finished."""
    aborts_per_second: float = 0.0
    """At this rate a node that is not done yet gives up."""


def parse_departures(sentence: str) -> Departures:
    """Read one of the sentences above.

    Raises:
      ScenarioError: it is none of them.
    """
    if sentence == AFTER_THE_LAST:
        return Departures()
    if sentence == AT_COMPLETION:
        return Departures(seeding_seconds=0.0)
    if match := _SEEDING.match(sentence):
        return Departures(seeding_seconds=parse_seconds(match.group(1)))
    if match := _ABORTING.match(sentence):
        stays = parse_departures(match.group(2) or AFTER_THE_LAST)
        return replace(stays, aborts_per_second=_positive_rate(match.group(1)))
    raise ScenarioError(
        f'expected "{AFTER_THE_LAST}", "{AT_COMPLETION}", "after 10 s of seeding" or '
        f'"gives up at 0.001 /s" or "gives up at 0.001 /s, else after 10 s of seeding", '
        f"not {sentence!r}"
    )


def _positive_seconds(text: str) -> float:
    seconds = parse_seconds(text)
    if not seconds:
        raise ScenarioError(f"expected a duration of more than zero, not {text!r}")
    return seconds


def _positive_rate(text: str) -> float:
    if not _PER_SECOND.match(text) or not float(text):
        raise ScenarioError(f"expected a number per second of more than zero, not {text!r}")
    return float(text)
