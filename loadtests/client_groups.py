"""Who wants the file in the flow world: a trial's clients, gathered in groups that are computed as one.

Few clients are a group each, with the very arrivals and the patience they have in the simulated world.
Of more, neighbours in the order of arrival and of one class are taken together: they come when the
middle one of them comes on average, and their patience runs through the whole distribution within any
few groups in a row.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analysis.theory.flow import Groups
from loadtests.plan import TrialPlan
from testbed.arrivals import FLASH_CROWD, mean_due_seconds, parse_departures
from testbed.links import ClientClass, Links
from testbed.scenario import Scenario

#: So many groups take half a second, whatever their sizes.
GROUPS_LIMIT = 500

#: Multiples of it, without their whole part, are spread evenly, however many are taken in a row.
GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class ClientGroup:
    """Clients that are alike in everything."""

    nodes: int
    line: ClientClass
    joins_seconds: float
    patience_seconds: float


def client_groups(plan: TrialPlan) -> list[ClientGroup]:
    """Gather the clients of a trial, in the order in which they join."""
    scenario = plan.read_scenario()
    aborts = parse_departures(scenario.departures).aborts_per_second
    if scenario.arrivals == FLASH_CROWD and not aborts:
        return [
            ClientGroup(count, line, 0.0, math.inf)
            for line, count in class_counts(scenario.links, plan.clients)
            if count
        ]
    if plan.clients <= GROUPS_LIMIT:
        return _one_each(plan, scenario)
    return _neighbours(plan, scenario, aborts)


def class_counts(links: Links, clients: int) -> list[tuple[ClientClass, int]]:
    """Say how many of N clients are of each class, as `Links.classes_of` divides them."""
    classes = links.client_classes
    rounds, rest = divmod(clients, sum(one.share for one in classes))
    of_rest = Counter(one.name for one in links.classes_of(rest))
    return [(one, rounds * one.share + of_rest[one.name]) for one in classes]


def as_arrays(groups: list[ClientGroup]) -> Groups:
    """Write groups as arrays."""
    return Groups(
        nodes=np.array([one.nodes for one in groups], dtype=np.float64),
        uplink_bytes_per_second=np.array([one.line.uplink_bytes_per_second for one in groups]),
        downlink_bytes_per_second=np.array([one.line.downlink_bytes_per_second for one in groups]),
        joins_seconds=np.array([one.joins_seconds for one in groups]),
        patience_seconds=np.array([one.patience_seconds for one in groups]),
    )


def _one_each(plan: TrialPlan, scenario: Scenario) -> list[ClientGroup]:
    lines = scenario.links.classes_of(plan.clients)
    return [
        ClientGroup(1, line, due, patience)
        for line, due, patience in zip(lines, plan.due_seconds(), plan.patience_seconds(), strict=True)
    ]


def _neighbours(plan: TrialPlan, scenario: Scenario, aborts_per_second: float) -> list[ClientGroup]:
    of_each = [(line, count) for line, count in class_counts(scenario.links, plan.clients) if count]
    slots = max(1, GROUPS_LIMIT // len(of_each))
    groups: list[ClientGroup] = []
    for line, count in of_each:
        edges = [count * slot // slots for slot in range(slots + 1)]
        for first, last in pairwise(edges):
            if last == first:
                continue
            middle = (first + last - 1) / 2 * plan.clients / count
            due = mean_due_seconds(scenario.arrivals, plan.clients, middle)
            patience = math.inf
            if aborts_per_second:
                impatient = len(groups) * GOLDEN_RATIO % 1
                patience = -math.log1p(-impatient) / aborts_per_second
            groups.append(ClientGroup(last - first, line, due, patience))
    first_due = min(one.joins_seconds for one in groups)
    return sorted(
        (
            ClientGroup(one.nodes, one.line, one.joins_seconds - first_due, one.patience_seconds)
            for one in groups
        ),
        key=lambda one: one.joins_seconds,
    )
