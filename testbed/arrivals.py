"""When nodes come and when they go: sentences of a scenario, as times.

| Arrivals | Meaning |
| --- | --- |
| `flash crowd` | everybody at once |
| `every 0.5 s` | constant spacing |
| `poisson at 2 /s` | independent arrivals at a rate |
| `decaying from 10 /s over 30 s` | a rate that falls by e in each such time |
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from random import Random

from testbed.errors import ScenarioError

_NUMBER = r"(\d+(?:\.\d+)?)"
_EVERY = re.compile(rf"every {_NUMBER} s\Z")
_POISSON = re.compile(rf"poisson at {_NUMBER} /s\Z")
_DECAYING = re.compile(rf"decaying from {_NUMBER} /s over {_NUMBER} s\Z")
_SEEDING = re.compile(rf"after {_NUMBER} s of seeding\Z")
_ABORTING = re.compile(rf"gives up at {_NUMBER} /s\Z")

FLASH_CROWD = "flash crowd"
AFTER_THE_LAST = "after the last"
AT_COMPLETION = "at completion"


def due_times(arrivals: str, count: int, rng: Random) -> tuple[float, ...]:
    """When each of `count` nodes is to join, in seconds from the first order on, ascending.

    Raises:
      ScenarioError: the sentence is none of the above, or its arrivals end before `count`.
    """
    if arrivals == FLASH_CROWD:
        return (0.0,) * count
    if match := _EVERY.match(arrivals):
        return tuple(index * float(match.group(1)) for index in range(count))
    if match := _POISSON.match(arrivals):
        return _poisson(_positive(match.group(1), arrivals), count, rng)
    if match := _DECAYING.match(arrivals):
        rate, scale = (_positive(group, arrivals) for group in match.groups())
        return _decaying(rate, scale, count, rng, arrivals)
    raise ScenarioError(
        f'arrivals: expected "{FLASH_CROWD}", "every 0.5 s", "poisson at 2 /s" or '
        f'"decaying from 10 /s over 30 s", not {arrivals!r}'
    )


def _positive(text: str, sentence: str) -> float:
    value = float(text)
    if not value > 0:
        raise ScenarioError(f"arrivals: expected positive numbers, not {sentence!r}")
    return value


def _poisson(rate: float, count: int, rng: Random) -> tuple[float, ...]:
    times = []
    now = 0.0
    for _ in range(count):
        times.append(now)
        now += rng.expovariate(rate)
    return tuple(times)


def _decaying(rate: float, scale: float, count: int, rng: Random, sentence: str) -> tuple[float, ...]:
    """Arrivals at rate(t) = rate exp(-t / scale), by inverting the integrated rate."""
    times = []
    passed = 0.0
    for index in range(count):
        if passed >= rate * scale:
            raise ScenarioError(
                f"arrivals: {sentence!r} brings only {index} of {count} nodes "
                f"(about {rate * scale:.0f} on average); raise the rate or the time"
            )
        times.append(-scale * math.log1p(-passed / (rate * scale)))
        passed += rng.expovariate(1.0)
    return tuple(times)


@dataclass(frozen=True, slots=True)
class Departures:
    """When a node leaves: after its own completion by `seeding_seconds`, or before at a rate."""

    seeding_seconds: float = math.inf
    """Infinite: it stays until the last has finished."""
    aborts_per_second: float = 0.0
    """At this rate a node that is not done yet gives up."""


def parse_departures(sentence: str) -> Departures:
    """Read `after the last`, `at completion`, `after 10 s of seeding` or `gives up at 0.001 /s`.

    Raises:
      ScenarioError: it is none of them.
    """
    if sentence == AFTER_THE_LAST:
        return Departures()
    if sentence == AT_COMPLETION:
        return Departures(seeding_seconds=0.0)
    if match := _SEEDING.match(sentence):
        return Departures(seeding_seconds=float(match.group(1)))
    if match := _ABORTING.match(sentence):
        return Departures(aborts_per_second=float(match.group(1)))
    raise ScenarioError(
        f'departures: expected "{AFTER_THE_LAST}", "{AT_COMPLETION}", "after 10 s of seeding" or '
        f'"gives up at 0.001 /s", not {sentence!r}'
    )
