"""Who may come in: connections in all, and from one address."""

from __future__ import annotations

from collections import Counter

from servers.http1 import BadRequest
from servers.limits import Limits
from testbed.node import Address


class Door:
    """Counts those who are in."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._inside: Counter[str] = Counter()
        self.total = 0

    def let_in(self, remote: Address) -> BadRequest | None:
        """Count one more. It is in even if it is refused, until it has been hung up on."""
        host = remote[0]
        refused = None
        if self.total >= self._limits.connections:
            refused = BadRequest(503, "too many connections")
        elif self._inside[host] >= self._limits.connections_per_address:
            refused = BadRequest(429, "too many connections from one address")
        self._inside[host] += 1
        self.total += 1
        return refused

    def let_out(self, remote: Address) -> None:
        """Count one less."""
        host = remote[0]
        self.total -= 1
        self._inside[host] -= 1
        if not self._inside[host]:
            del self._inside[host]
