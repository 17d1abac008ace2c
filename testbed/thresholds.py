"""Conditions that a run's figures must meet: how a scenario writes them.

    swarm_efficiency = { at_least = 0.80, from_clients = 8 }

A list of conditions, `[{ … }, { … }]`, asks different things at different N.

What the names mean is known where the figures are made, in `analysis.thresholds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from testbed.errors import ScenarioError
from testbed.table import Table, on_one_line

#: Far beyond what one machine runs; a slip of a finger should not fill its memory.
CLIENTS_LIMIT = 100_000_000

ARCHITECTURES = ("server", "swarm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A condition the run's figures must meet, at every N between the limits."""

    metric: str
    """`<architecture>_<metric of summary.json>`."""
    at_least: float | None = None
    at_most: float | None = None
    from_clients: int = 1
    to_clients: int | None = None
    """The last N it holds at; None: no limit."""
    difference: bool = False
    """Between two variants: it is about the difference of their figures, and not their ratio."""
    against: str = ""
    """Between two variants: the other one; empty: the first."""

    def margin(self, value: float) -> float:
        """By how much a figure meets the condition; below zero, by how much it does not."""
        margins = []
        if self.at_least is not None:
            margins.append(value - self.at_least)
        if self.at_most is not None:
            margins.append(self.at_most - value)
        return min(margins)

    @property
    def architecture(self) -> str:
        """Which architecture it speaks of: what its name begins with."""
        return self.metric.partition("_")[0]


def read_thresholds(
    table: Mapping[str, Any], name: str, source: str, *, compares: bool = False, against: str = ""
) -> tuple[Threshold, ...]:
    """Read a table of conditions.

    Args:
      table: As TOML has it.
      name: What the table is called, for messages.
      source: In which file, for messages.
      compares: Whether they are about two variants, and may ask for a difference.
      against: The other variant; empty: the first.

    Raises:
      ScenarioError: one line naming file, key and what was expected.
    """
    thresholds = []
    for metric, value in table.items():
        if metric.partition("_")[0] not in ARCHITECTURES:
            raise ScenarioError(
                f"{source}: [{name}] {on_one_line(metric)}: expected a name that begins with "
                "server_ or swarm_"
            )
        conditions = value if isinstance(value, list) and value else [value]
        thresholds += [_read_condition(metric, one, name, source, compares) for one in conditions]
    return tuple(replace(one, against=against) for one in thresholds)


def _read_condition(
    metric: str, condition: object, name: str, source: str, compares: bool
) -> Threshold:
    if not isinstance(condition, dict):
        raise ScenarioError(
            f"{source}: [{name}] {metric}: expected {{ at_least = … }} or {{ at_most = … }}, or a list "
            "of them"
        )
    values = Table(condition, f"{name}.{metric}", source)
    at_least, at_most = values.number("at_least"), values.number("at_most")
    if at_least is None and at_most is None:
        raise values.fail("at_least", "expected at_least or at_most")
    first = values.whole("from_clients", 1, 1)
    last = values.whole("to_clients", CLIENTS_LIMIT, first)
    bounded = "to_clients" in condition
    difference = compares and values.truth("difference")
    values.finish()
    return Threshold(
        metric=metric,
        at_least=at_least,
        at_most=at_most,
        from_clients=first,
        to_clients=last if bounded else None,
        difference=difference,
    )
