"""Which of several origins a client asks: round robin, at random, or the least busy one.

What a client can know decides what it can choose by. Its own number and the seed are enough for round
robin and for a random choice, so these are the same wherever it runs. Who is busy nobody tells it: it
counts, as client-side balancers do, the transfers of all clients that share its process. In the
simulated world that is everybody; live, the clients of one node host. Ties go to the origin that round
robin would have given, so that processes which know nothing of each other do not all begin with one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Literal

from testbed.errors import LocalMisuse
from testbed.node import Address

Balancing = Literal["round robin", "random", "least busy"]

BALANCINGS: tuple[Balancing, ...] = ("round robin", "random", "least busy")


class OriginChoice:
    """Deals the clients of one process out to origins.

    Args:
      origins: Where they are; the same order in every process.
      balancing: How to choose.
      seed: Of the random choice: one client's choices follow from it and from the client's number.
    """

    def __init__(self, origins: Sequence[Address], balancing: Balancing, seed: str) -> None:
        if not origins:
            raise LocalMisuse("there must be an origin to choose")
        self._origins = tuple(origins)
        self._balancing = balancing
        self._seed = seed
        self._attempts: Counter[int] = Counter()
        self._busy = dict.fromkeys(self._origins, 0)

    def take(self, client: int, failed: Address | None = None) -> Address:
        """Choose for a client that asks now.

        Args:
          client: Its number, from 1; clients join in the order of their numbers.
          failed: The origin that has just failed it, which is chosen only where there is no other.
        """
        after = client - 1 if failed is None else self._origins.index(failed) + 1
        turn = after % len(self._origins)
        in_turn = self._origins[turn:] + self._origins[:turn]
        others = tuple(origin for origin in in_turn if origin != failed) or in_turn
        if self._balancing == "round robin":
            origin = others[0]
        elif self._balancing == "random":
            draw = Random(f"origin {self._seed} {client} {self._attempts[client]}")
            origin = draw.choice(others)
        else:
            origin = min(others, key=self._busy.__getitem__)
        self._attempts[client] += 1
        self._busy[origin] += 1
        return origin

    def give_back(self, origin: Address) -> None:
        """A client that took this origin asks it for nothing more."""
        if not self._busy[origin]:
            raise LocalMisuse(f"nobody took {origin}")
        self._busy[origin] -= 1
