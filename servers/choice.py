"""Which of several origins a client asks: round robin, at random, or the least busy one.

The choice is one for all clients of a trial, as a balancer before the origins would make it: it knows
who is being served where, because every client tells it when it begins and ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal

from testbed.errors import LocalMisuse
from testbed.node import Address

Balancing = Literal["round robin", "random", "least busy"]

BALANCINGS: tuple[Balancing, ...] = ("round robin", "random", "least busy")


class OriginChoice:
    """Deals clients out to origins.

    Args:
      origins: Where they are; in this order, by which ties are broken too.
      rng: For the random choice; seeded by the trial.
    """

    def __init__(self, origins: Sequence[Address], balancing: Balancing, rng: Random) -> None:
        if not origins:
            raise LocalMisuse("there must be an origin to choose")
        self._origins = tuple(origins)
        self._balancing = balancing
        self._rng = rng
        self._taken = 0
        self._busy = dict.fromkeys(self._origins, 0)

    def take(self, failed: Address | None = None) -> Address:
        """Choose the origin of a client that begins now; not the one that just failed it, if any."""
        origins = self._origins
        if failed is not None and len(origins) > 1:
            origins = tuple(origin for origin in origins if origin != failed)
        if self._balancing == "round robin":
            origin = origins[self._taken % len(origins)]
        elif self._balancing == "random":
            origin = self._rng.choice(origins)
        else:
            origin = min(origins, key=self._busy.__getitem__)
        self._taken += 1
        self._busy[origin] += 1
        return origin

    def give_back(self, origin: Address) -> None:
        """A client that took this origin asks it for nothing more."""
        if not self._busy[origin]:
            raise LocalMisuse(f"nobody took {origin}")
        self._busy[origin] -= 1
