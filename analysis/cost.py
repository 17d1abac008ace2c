"""What the origin's traffic costs: copies that it sends, times the file, times a price per GB.

The price is the reader's own. The page has fields for it and for a file of another size; Markdown
shows a fixed example. Copies hold for another file as far as efficiency does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from analysis.points import Point
from analysis.tables import Rows, Table
from analysis.wording import UNKNOWN, number, percent

GIGABYTE = 1e9
EXAMPLE_PRICE = 0.05
"""For a GB, in whatever currency: about what traffic costs at large cloud providers' bulk rates."""


@dataclass(frozen=True, slots=True)
class CostRow:
    """One N: copies that the origin sends in either architecture; None where it was not measured."""

    clients: int
    server_copies: float | None
    swarm_copies: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What the origin's traffic costs, for a price that the reader can set."""

    kind: ClassVar[str] = "cost"
    file_bytes: int
    rows: Sequence[CostRow]
    price_per_gigabyte: float = EXAMPLE_PRICE

    @property
    def file_gigabytes(self) -> float:
        """F in GB (10\u2079 bytes)."""
        return self.file_bytes / GIGABYTE

    @property
    def copies_json(self) -> str:
        """What the page's script works with: N, copies of the server's origin, of the swarm's."""
        return json.dumps([[one.clients, one.server_copies, one.swarm_copies] for one in self.rows])

    @property
    def table(self) -> Table:
        """The costs at the example's price."""
        rows: Rows = []
        for one in self.rows:
            server, swarm = self._cost(one.server_copies), self._cost(one.swarm_copies)
            saved = None if not server or swarm is None else 1 - swarm / server
            rows.append(
                (str(one.clients), number(server), number(swarm), percent(saved), _each(swarm, one))
            )
        return Table(
            f"One distribution of a file of {number(self.file_gigabytes)} GB (10\u2079 bytes) at "
            f"{self.price_per_gigabyte:g} per GB that the origin sends, in the price's currency.",
            ("N", "server costs", "swarm costs", "saved", "swarm, per client"),
            rows,
        )

    def _cost(self, copies: float | None) -> float | None:
        return None if copies is None else copies * self.file_gigabytes * self.price_per_gigabyte


def origin_cost(points: Sequence[Point], file_bytes: int) -> Cost:
    """Gather what the origin sends at each N."""
    copies: dict[int, Mapping[str, float | None]] = {}
    for one in points:
        copies[one.clients] = {**copies.get(one.clients, {}), one.architecture: one.origin_copies}
    return Cost(
        file_bytes,
        [
            CostRow(clients, found.get("server"), found.get("swarm"))
            for clients, found in sorted(copies.items())
        ],
    )


def _each(cost: float | None, row: CostRow) -> str:
    return UNKNOWN if cost is None else number(cost / row.clients)
