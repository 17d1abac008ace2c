"""The answer in one sentence, in plain words, with its number and how far it may be trusted."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.statistics import Comparison, Crossover, Outcome, Spread, crossover
from analysis.wording import clients as count_of_clients
from analysis.wording import factor, low_to_high, seconds


def answer(comparisons: Sequence[Comparison]) -> str:
    """Say from how many clients the swarm beats the server.

    Args:
      comparisons: One for each N at which both were measured and may be trusted; at least one.

    Raises:
      ValueError: there is none.
    """
    if not comparisons:
        raise ValueError("an answer needs at least one N with both architectures")
    ordered = sorted(comparisons, key=lambda one: one.clients)
    last = ordered[-1]
    if len(ordered) == 1:
        return f"{_single(last)} No other number of clients was tested, so nothing is said of others."
    found = crossover(ordered)
    if found is not None:
        return f"{_crossing(found, ordered)}; at {last.clients} clients {_how_much(last)}."
    return _never(ordered)


def answer_for_one_arm(
    architecture: str, clients: int, makespan: Spread, efficiency: float | None
) -> str:
    """Say what can be said when only one architecture was measured.

    Args:
      architecture: `server` or `swarm`.
      clients: The largest N measured.
      makespan: Its makespan there, seconds.
      efficiency: Bound over makespan, if there is a bound.
    """
    sentence = (
        f"Only the {architecture} was measured, so there is nothing to compare: "
        f"at {count_of_clients(clients)} it took {seconds(makespan.median)} "
        f"({range_text(makespan)})"
    )
    if efficiency is None:
        return sentence + "."
    return f"{sentence}, {efficiency:.0%} of the rate that theory allows."


def overhead_note(parting_clients: float | None, tested: Sequence[int]) -> str:
    """Say which part of the curves is about overhead and not about architecture.

    Args:
      parting_clients: us/d, up to which both bounds are equal; None if the links leave none.
      tested: Every N of the run.
    """
    if parting_clients is None:
        return "In theory the swarm is never slower, and faster from the second client on."
    parting = f"N = us/d = {parting_clients:.3g}"
    if not any(clients <= parting_clients for clients in tested):
        return f"In theory both are equal up to {parting} clients; every number tested lies above."
    return (
        f"Up to {parting} clients both bounds are equal, since there the clients' own downlinks "
        "set the pace: what is measured there is overhead, not architecture."
    )


def servers_note(origins: int, even_clients: float | None) -> str:
    """Say that several servers stand against one origin, and what that means in theory.

    Args:
      origins: m, how many servers there are.
      even_clients: (m - 1) us/u, from which on the swarm has more uplink than all servers; None if
        the links leave none.
    """
    against = f"{origins} servers, each with the uplink of the swarm's one origin"
    if even_clients is None:
        return f"The server's curve is that of {against}."
    return (
        f"The server's curve is that of {against}: together they have the larger uplink up to "
        f"N = (m-1) us/u = {even_clients:.3g} clients, and from there on the swarm has it."
    )


def range_text(spread: Spread, unit: str = "s") -> str:
    """Put the trust in a number into words: `range of 3 repeats 4.5-4.7`."""
    if spread.repeats == 1:
        return "one repeat"
    suffix = f" {unit}" if unit else ""
    return f"{spread.interval} {low_to_high(spread.low, spread.high)}{suffix}"


def _single(one: Comparison) -> str:
    if one.outcome is Outcome.NO_DIFFERENCE:
        return f"At {count_of_clients(one.clients)} no difference is shown: {_ratio(one)}."
    return f"At {count_of_clients(one.clients)} {_how_much(one)}."


def _crossing(found: Crossover, ordered: Sequence[Comparison]) -> str:
    if found.above is None:
        return (
            "The swarm beats the server at every tested number of clients, "
            f"from {found.at_most} to {ordered[-1].clients}"
        )
    return (
        f"The swarm beats the server from somewhere above {found.above} and at most "
        f"{found.at_most} clients"
    )


def _never(ordered: Sequence[Comparison]) -> str:
    last = ordered[-1]
    tested = f"from {ordered[0].clients} to {last.clients}"
    if all(one.outcome is Outcome.SLOWER for one in ordered):
        return (
            f"The server beats the swarm at every tested number of clients, {tested}; "
            f"at {last.clients} clients {_how_much(last)}."
        )
    if not any(one.outcome is Outcome.FASTER for one in ordered):
        ending = (
            f"at {last.clients} clients {_how_much(last)}"
            if last.outcome is Outcome.SLOWER
            else f"at {last.clients} clients {_ratio(last)}"
        )
        return (
            "The swarm is not shown to beat the server at any tested number of clients, "
            f"{tested}; {ending}."
        )
    wins = ", ".join(str(one.clients) for one in ordered if one.outcome is Outcome.FASTER)
    return (
        f"No crossover is shown: the swarm beats the server at N = {wins}, but not at "
        f"{last.clients} clients, the most that were tested ({_ratio(last)})."
    )


def _how_much(one: Comparison) -> str:
    ratio = one.ratio
    if one.outcome is Outcome.SLOWER:
        turned = Spread(1 / ratio.median, 1 / ratio.high, 1 / ratio.low, ratio.interval, ratio.repeats)
        return f"the server is {_times(turned)}"
    return f"the swarm is {_times(ratio)}"


def _times(ratio: Spread) -> str:
    return f"{factor(ratio.median)} times as fast ({range_text(ratio, '')})"


def _ratio(one: Comparison) -> str:
    return (
        f"the server takes {factor(one.ratio.median)} times as long as the swarm "
        f"({range_text(one.ratio, '')})"
    )
