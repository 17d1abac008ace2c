"""When those leave or move whom the others rely on: sentences of a scenario, as times.

| `origin_leaves`, `origin_moves`, `tracker_leaves` | Meaning |
| --- | --- |
| `never` | it stays to the end |
| `after 1.1 copies` | once its uplink could have sent the file so often: after 1.1 F/us |
| `after 0.5 s` | that long after the first client was due |
| `after the first announces` | the tracker only: as soon as it has heard of every client once |

It leaves as a host that is shut down: it takes no more links, begins nothing new, and what it has sent
arrives. An origin that moves is there again at once, with the whole file, at an address that only the
tracker is told. A client that has no whole file at the trial's limit has then gone without, which is
a result, and no failure of the trial.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from testbed.errors import ScenarioError
from testbed.units import parse_seconds

NEVER = "never"
AFTER_FIRST_ANNOUNCES = "after the first announces"

_COPIES = re.compile(r"after ([0-9]{1,6}(?:\.[0-9]{1,6})?) copies\Z")
_SECONDS = re.compile(r"after (.+)\Z")

#: What a client's outcome is when the trial ends without it having the file.
WENT_WITHOUT = "went without"


@dataclass(frozen=True, slots=True)
class Outage:
    """When somebody leaves or moves: after so many seconds, or so many times F/us.

    Neither: when all have announced themselves.
    """

    seconds: float | None = None
    copies: float | None = None

    def due_seconds(self, file_bytes: int, uplink_bytes_per_second: float) -> float:
        """When it leaves, from when the first client is due; infinite where no time says so."""
        if self.copies is not None:
            return self.copies * file_bytes / uplink_bytes_per_second
        return math.inf if self.seconds is None else self.seconds


def parse_tracker_outage(sentence: str) -> Outage | None:
    """Read one of the sentences above, of a tracker.

    Raises:
      ScenarioError: it is none of them.
    """
    if sentence == AFTER_FIRST_ANNOUNCES:
        return Outage()
    try:
        return parse_outage(sentence)
    except ScenarioError as error:
        raise ScenarioError(
            str(error).replace(", not ", f' or "{AFTER_FIRST_ANNOUNCES}", not ')
        ) from None


def parse_outage(sentence: str) -> Outage | None:
    """Read one of the sentences above; None: it never leaves.

    Raises:
      ScenarioError: it is none of them.
    """
    if sentence == NEVER:
        return None
    if match := _COPIES.match(sentence):
        return Outage(copies=float(match.group(1)))
    if match := _SECONDS.match(sentence):
        return Outage(seconds=parse_seconds(match.group(1)))
    raise ScenarioError(f'expected "{NEVER}", "after 1.1 copies" or "after 0.5 s", not {sentence!r}')
