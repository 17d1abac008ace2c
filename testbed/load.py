"""What clients ask for, and how often: sentences of a scenario.

| `load` | Meaning |
| --- | --- |
| `once` | each client downloads once |
| `again for 10 s` | closed load: who is done begins anew, until so long after the first was due |

| `sizes` | Meaning |
| --- | --- |
| `whole file` | each client asks for all of it |
| `exponential with mean 512 KiB` | for its beginning, of a size drawn from that; at most all |

Both are for the client-server architecture: a swarm has no use for half a file, nor for a second copy.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from random import Random

from testbed.errors import ScenarioError
from testbed.units import parse_seconds, parse_size

ONCE = "once"
WHOLE_FILE = "whole file"

_AGAIN = re.compile(r"again for (.+)\Z")
_EXPONENTIAL = re.compile(r"exponential with mean (.+)\Z")


@dataclass(frozen=True, slots=True)
class Load:
    """How often a client downloads."""

    again_seconds: float = 0.0
    """Who is done before so long after the first client was due begins anew. 0: nobody does."""

    @property
    def is_closed(self) -> bool:
        """Whether the number of clients is what is given, and not that of their requests."""
        return self.again_seconds > 0


def parse_load(sentence: str) -> Load:
    """Read a sentence of the first table.

    Raises:
      ScenarioError: it is none of them.
    """
    if sentence == ONCE:
        return Load()
    if match := _AGAIN.match(sentence):
        seconds = parse_seconds(match.group(1))
        if seconds:
            return Load(again_seconds=seconds)
    raise ScenarioError(f'expected "{ONCE}" or "again for 10 s", not {sentence!r}')


def mean_bytes(sizes: str) -> int | None:
    """Read a sentence of the second table: the mean of what is drawn, None for whole files.

    Raises:
      ScenarioError: it is none of them.
    """
    if sizes == WHOLE_FILE:
        return None
    if match := _EXPONENTIAL.match(sizes):
        mean = parse_size(match.group(1))
        if mean:
            return mean
    raise ScenarioError(f'expected "{WHOLE_FILE}" or "exponential with mean 512 KiB", not {sizes!r}')


def expected_bytes(sizes: str, file_bytes: int) -> float:
    """Say how much a client asks for on average: of what is drawn, none is longer than the file.

    Raises:
      ScenarioError: the sentence is none of the second table.
    """
    mean = mean_bytes(sizes)
    return file_bytes if mean is None else -mean * math.expm1(-file_bytes / mean)


def wanted_bytes(sizes: str, file_bytes: int, clients: int, seed: int) -> tuple[int, ...]:
    """Say how much of the file each client asks for.

    Args:
      sizes: A sentence of the second table.
      file_bytes: All there is.
      clients: How many ask.
      seed: Of the trial.

    Raises:
      ScenarioError: the sentence is none of them.
    """
    mean = mean_bytes(sizes)
    if mean is None:
        return (file_bytes,) * clients
    rng = Random(f"sizes {seed} {clients}")
    # An empty answer is none that a client could verify.
    drawn = (max(1, round(rng.expovariate(1 / mean))) for _ in range(clients))
    return tuple(min(size, file_bytes) for size in drawn)
