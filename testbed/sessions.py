"""Who comes and goes before it is done: sentences of a scenario, as times on line and away.

| `sessions` | Meaning |
| --- | --- |
| `uninterrupted` | who has come stays until it is done |
| `of 4 s, away 1 s` | every 4 s on line it leaves for 1 s |
| `weibull 0.5, mean 4 s, away 1 s` | the same, with times on line from a Weibull distribution |

Each session is spent at an address that nobody knows yet. What a client had of the file it still has:
a peer its verified pieces, the client of a file host its first bytes. Once it is done it stays as
`departures` says.

Times on line of real peers are far from exponential: most are short, a few very long. Measured with
eMule, Gnutella and BitTorrent, Weibull shapes of 0.3 to 0.6 fit (Stutzbach and Rejaie, Understanding
churn in peer-to-peer networks, 2006).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from testbed.errors import ScenarioError
from testbed.units import parse_seconds

UNINTERRUPTED = "uninterrupted"

_ALIKE = re.compile(r"of ([^,]+), away ([^,]+)\Z")
_WEIBULL = re.compile(r"weibull ([0-9]{1,3}(?:\.[0-9]{1,6})?), mean ([^,]+), away ([^,]+)\Z")

#: Below, nearly all sessions are of no length, and their mean is made by one in a million.
LEAST_SHAPE = 0.2

#: What a node has sent may still be under way when it leaves: a block takes 16 ms at 1 MiB/s. It is on
#: one line at a time if it is away for longer.
LEAST_AWAY_SECONDS = 0.05

#: A client lives at so many addresses in turn, then at the first again: 127.77/16 has 60,000 in all.
ADDRESSES_A_NODE = 100


@dataclass(frozen=True, slots=True)
class Sessions:
    """How long clients that are not done stay, and how long they are away between two sessions."""

    mean_seconds: float
    away_seconds: float
    shape: float = math.inf
    """Of the Weibull distribution; infinite: all alike."""

    def online_seconds(self, rng: Random) -> Iterator[float]:
        """Draw the lengths of one client's sessions, one after the other, without end."""
        if math.isinf(self.shape):
            while True:
                yield self.mean_seconds
        scale = self.mean_seconds / math.gamma(1 + 1 / self.shape)
        while True:
            yield rng.weibullvariate(scale, self.shape)


def parse_sessions(sentence: str) -> Sessions | None:
    """Read one of the sentences above; None: nobody leaves before it is done.

    Raises:
      ScenarioError: it is none of them.
    """
    if sentence == UNINTERRUPTED:
        return None
    if match := _WEIBULL.match(sentence):
        shape = float(match.group(1))
        if shape < LEAST_SHAPE:
            raise ScenarioError(f"expected a shape of at least {LEAST_SHAPE}, not {match.group(1)}")
        return _checked(Sessions(parse_seconds(match.group(2)), parse_seconds(match.group(3)), shape))
    if match := _ALIKE.match(sentence):
        return _checked(Sessions(parse_seconds(match.group(1)), parse_seconds(match.group(2))))
    raise ScenarioError(
        f'expected "{UNINTERRUPTED}", "of 4 s, away 1 s" or "weibull 0.5, mean 4 s, away 1 s", '
        f"not {sentence!r}"
    )


def _checked(sessions: Sessions) -> Sessions:
    if not sessions.mean_seconds:
        raise ScenarioError("expected sessions of more than 0 s")
    if sessions.away_seconds < LEAST_AWAY_SECONDS:
        raise ScenarioError(
            f"expected at least {LEAST_AWAY_SECONDS:g} s away, in which what was sent has left, "
            f"not {sessions.away_seconds:g} s"
        )
    return sessions


def address_number(node_id: int, session: int, nodes: int) -> int:
    """Number the addresses of a trial: in its first session a node has that of its own number.

    Args:
      node_id: Who lives there.
      session: Which of its sessions, from 0.
      nodes: How many nodes the trial has.
    """
    return node_id + session % ADDRESSES_A_NODE * nodes
