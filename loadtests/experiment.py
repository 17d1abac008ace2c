"""An experiment: the runs of all variants of a scenario one after the other, then one report of all.

Each variant is a run like any other, in a folder of its own. One that fails does not keep the others
from being made; an interrupt does.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.sweep import RunOrder, RunOutcome
from testbed.experiments import ExperimentWriter
from testbed.scenario import Scenario
from testbed.thresholds import Threshold

#: How far the two worlds may be apart, of which the simulated one is held against the live one.
WORLDS_AGREE_WITHIN = 0.10


@dataclass(slots=True)
class ExperimentOutcome:
    """How an experiment ended."""

    folder: Path | None = None
    """None: nothing was measured and nothing is left."""
    interrupted: bool = False


def carry_out_experiment(
    orders: Sequence[RunOrder],
    carry_out_one: Callable[[RunOrder], RunOutcome],
    announce: Callable[[str], None],
) -> ExperimentOutcome:
    """Make the runs of all variants.

    Args:
      orders: One a variant; where they write to is replaced by the experiment's folder.
      carry_out_one: Makes a run.
      announce: Told the name of each variant before its run.

    Raises:
      ScenarioError: the folder cannot be written.
    """
    first = orders[0]
    writer = ExperimentWriter(first.output, first.scenario.name, first.scenario.question, first.command)
    ended = ExperimentOutcome()
    try:
        for order in orders:
            announce(order.scenario.variant)
            outcome = carry_out_one(dataclasses.replace(order, output=writer.folder))
            if outcome.folder is not None:
                writer.keep(order.scenario.variant, outcome.folder, order.scenario.against_first)
            if outcome.status == "partial":
                ended.interrupted = True
                break
    except KeyboardInterrupt:
        ended.interrupted = True
    finally:
        ended.folder = writer.finish("partial" if ended.interrupted else "complete")
    return ended


def made_for(world: str | None, variants: tuple[Scenario, ...]) -> tuple[Scenario, ...]:
    """Leave out the variants that were made for other worlds than the one asked for, and say so.

    Of a scenario that has none for it, all are kept: the check of the first says what is wrong.
    """
    if world is None:
        return variants
    kept = tuple(one for one in variants if world in one.worlds)
    if not kept or len(kept) == len(variants):
        return variants
    out = ", ".join(one.variant for one in variants if world not in one.worlds)
    print(f"left out, made for another world than {world}: {out}", file=sys.stderr, flush=True)
    if kept[0] is not variants[0]:  # There is nothing to hold the others against.
        kept = tuple(dataclasses.replace(one, against_first=()) for one in kept)
    return kept


def both_worlds(scenario: Scenario) -> tuple[tuple[str, Scenario], ...]:
    """Give one scenario as an experiment whose variants are its worlds, the live one first.

    Returns:
      Pairs of a world and the scenario as it is run there.
    """
    close = tuple(
        Threshold(
            metric=f"{architecture}_makespan_seconds",
            at_least=1 - WORLDS_AGREE_WITHIN,
            at_most=1 + WORLDS_AGREE_WITHIN,
        )
        for architecture in scenario.architectures
    )
    live = dataclasses.replace(scenario, variant="live")
    simulated = dataclasses.replace(scenario, variant="simulated", against_first=close)
    return ("live", live), ("simulated", simulated)


def tell_variant(name: str) -> None:
    """Say on a terminal which variant comes next."""
    print(f"— {name} —", file=sys.stderr, flush=True)
