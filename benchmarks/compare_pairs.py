"""How often `compare` cries wolf: `python -m benchmarks.compare_pairs [--world live] [--pairs 10]`.

Each pair is the same scenario run twice, one after the other, with seeds of their own, and compared
like any two runs. Nothing changed between them, so every alarm is a false one. Prints a line for each
pair and the count at the end; exit code 1 if more pairs raised an alarm than 8 % allow.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analysis.run_pair import RunPair, compare_runs
from loadtests import preflight
from loadtests.progress import QuietDisplay
from loadtests.sweep import RunOrder, carry_out
from loadtests.worlds import trial_runner
from testbed import scenario as scenarios
from testbed.scenario import Scenario

MOST_ALARMS = 0.08
"""16 of 200."""


def make_run(scenario: Scenario, world: str, output: Path) -> Path:
    """Run a scenario; gives the run's folder.

    Raises:
      RuntimeError: it is not complete.
    """
    order = RunOrder(
        scenario=scenario,
        world=world,
        slots=preflight.check(scenario),
        output=output,
        command="python -m benchmarks.compare_pairs",
    )
    outcome = carry_out(order, trial_runner(world, scenario), QuietDisplay())
    if outcome.folder is None or outcome.status != "complete":
        raise RuntimeError(f"a run is {outcome.status}: {'; '.join(outcome.reasons)}")
    return outcome.folder


def make_pairs(scenario: Scenario, world: str, pairs: int) -> Iterator[RunPair]:
    """Make and compare pairs of equal runs, each in a folder that goes away."""
    for number in range(pairs):
        with tempfile.TemporaryDirectory() as folder:
            runs = [
                make_run(
                    dataclasses.replace(scenario, seed=scenario.seed + 2 * number + side),
                    world,
                    Path(folder) / str(side),
                )
                for side in (0, 1)
            ]
            yield compare_runs(*runs)


def describe(pair: RunPair) -> dict[str, Any]:
    """Say what one comparison found."""
    largest = max(pair.pairs, key=lambda one: abs(math.log(one.change.ratio)))
    return {
        "alarms": [f"{one.name}: {one.change.ratio - 1:+.1%}" for one in pair.alarms],
        "points": len(pair.pairs),
        "largest_difference": f"{largest.name}: {largest.change.ratio - 1:+.1%}",
        "could_see_at_most": round(max(one.change.detectable for one in pair.pairs), 4),
    }


def main() -> int:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scenario", type=Path, default=Path("scenarios/flash_crowd.toml"))
    parser.add_argument("--world", choices=("live", "simulated"), default="live")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--clients", default="2,4,8,16", help="the sweep")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    scenario = dataclasses.replace(
        scenarios.load(args.scenario),
        clients=tuple(int(one) for one in args.clients.split(",")),
        repeats=args.repeats,
    )
    alarmed = 0
    for number, pair in enumerate(make_pairs(scenario, args.world, args.pairs), start=1):
        alarmed += bool(pair.alarms)
        print(json.dumps({"pair": number, **describe(pair)}), flush=True)
    print(f"{alarmed} of {args.pairs} pairs of equal {args.world} runs raised an alarm")
    return int(alarmed > max(1.0, MOST_ALARMS * args.pairs))


if __name__ == "__main__":
    sys.exit(main())
