"""What passed through a third party where one client has something for others: experiment E18."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.points import Point
from analysis.wording import clients, short_number


def say_relayed(points: Sequence[Point]) -> str:
    """Say how many copies passed through the server, and through the tracker, at the largest N."""
    known = {(one.architecture, one.clients): one.through_copies for one in points}
    largest = max((one.clients for one in points), default=0)
    server, swarm = known.get(("server", largest)), known.get(("swarm", largest))
    if server is None:
        return ""
    copies = short_number(server)
    sentence = f"For {clients(largest)}, {copies} copies pass through the server, in or out"
    if swarm is None:
        return f"{sentence}."
    return f"{sentence}; through the swarm's tracker {short_number(swarm)}."
