"""When those leave whom the others rely on: sentences of a scenario, as times.

| `origin_leaves`, `tracker_leaves` | Meaning |
| --- | --- |
| `never` | it stays to the end |
| `after 1.1 copies` | once its uplink could have sent the file so often: after 1.1 F/us |
| `after 0.5 s` | that long after the first client was due |

It leaves as a host that is shut down: it takes no more links, begins nothing new, and what it has sent
arrives. A client that has no whole file at the trial's limit has then gone without, which is a
result, and no failure of the trial.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from testbed.errors import ScenarioError
from testbed.units import parse_seconds

NEVER = "never"

_COPIES = re.compile(r"after ([0-9]{1,6}(?:\.[0-9]{1,6})?) copies\Z")
_SECONDS = re.compile(r"after (.+)\Z")

#: What a client's outcome is when the trial ends without it having the file.
WENT_WITHOUT = "went without"


@dataclass(frozen=True, slots=True)
class Outage:
    """When somebody leaves: after so many seconds, or so many times F/us."""

    seconds: float | None = None
    copies: float | None = None

    def due_seconds(self, file_bytes: int, uplink_bytes_per_second: float) -> float:
        """When it leaves, from when the first client is due."""
        if self.copies is not None:
            return self.copies * file_bytes / uplink_bytes_per_second
        assert self.seconds is not None
        return self.seconds


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
