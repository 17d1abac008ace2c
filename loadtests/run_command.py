"""The sub-command `python -m loadtests run`: arguments in, a run and its report out."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from loadtests import preflight
from loadtests.experiment import (
    ExperimentOutcome,
    both_worlds,
    carry_out_experiment,
    made_for,
    tell_variant,
)
from loadtests.progress import Pace, describe_run, make_display
from loadtests.resume import missing, resume, scenario_of_run
from loadtests.sweep import RunOrder, RunOutcome, carry_out
from loadtests.worlds import trial_runner
from testbed.errors import ScenarioError
from testbed.scenario import WORLDS, Scenario, read_settings

if TYPE_CHECKING:
    from analysis.summary import Summary

EXIT_DONE, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_UNTRUSTED, EXIT_INTERRUPTED = 0, 1, 2, 3, 130

DEFAULT_OUTPUT = Path("results")

EXAMPLES = """\
examples:
  python -m loadtests run scenarios/flash_crowd.toml
  python -m loadtests run scenarios/flash_crowd.toml --clients 2,8,32 --repeats 1
  python -m loadtests run scenarios/flash_crowd.toml --file image.tar \\
      --set links.client_uplink="2 MiB/s"
  python -m loadtests run --resume results/flash_crowd/20260102T030405Z-1a2b3c

exit codes: 0 done; 1 a trial failed or a threshold was missed; 2 the input was wrong;
3 the run must not be trusted, and says why; 130 interrupted, what was measured is kept.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `run` to the sub-commands."""
    parser = subparsers.add_parser(
        "run",
        help="measure both architectures over a sweep of N, and report",
        description="Run a scenario: both architectures, every N, every repeat; then report.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", metavar="SCENARIO", nargs="?", type=Path, help="a TOML file")
    parser.add_argument(
        "--world", choices=WORLDS, help="where it happens (the first that the scenario names: live)"
    )
    add_scenario_options(parser)
    parser.add_argument(
        "--resume", metavar="RUN", type=Path, help="make the trials that this run lacks"
    )
    parser.add_argument(
        "--agreement",
        action="store_true",
        help="run it in the live and in the simulated world, and set both side by side",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and stop")
    parser.add_argument(
        "--trace", action="store_true", help="keep every event of every node: RUN/logs/*/*.jsonl"
    )
    add_output_options(parser)
    parser.set_defaults(run=run)


def add_scenario_options(parser: argparse.ArgumentParser) -> None:
    """Add what replaces keys of a scenario, and where results go."""
    parser.add_argument("--file", metavar="PATH", type=Path, help="distribute this file")
    parser.add_argument("--clients", metavar="N,N,…", type=_counts, help="the sweep, such as 1,2,4")
    parser.add_argument("--repeats", metavar="R", type=int, help="how often each trial is made")
    parser.add_argument("--seed", metavar="S", type=int, help="what every random choice derives from")
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        help=f"the folder of all results ({DEFAULT_OUTPUT})",
    )
    parser.add_argument(
        "--set",
        metavar="TABLE.KEY=VALUE",
        action="append",
        default=[],
        help='replace a key of the scenario, such as links.client_uplink="2 MiB/s"; repeatable',
    )


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add what scripts ask for."""
    parser.add_argument("--quiet", action="store_true", help="print the run's folder and no more")
    parser.add_argument("--json", action="store_true", help="print JSON lines; the last has it all")


def _counts(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers such as 1,2,4, not {text!r}") from None


def run(args: argparse.Namespace) -> int:
    """Run what the arguments ask for; gives the exit code.

    Raises:
      ScenarioError, SchemaError: the input is wrong.
    """
    orders = _read_orders(args)
    for order in orders:
        check_order(order)
    if args.dry_run:
        for order in orders:
            announce(order, args)
        return EXIT_DONE
    interrupt_once()
    if not orders[0].scenario.variant:
        return conclude(_carry_out(orders[0], args), args).exit_code
    experiment = carry_out_experiment(
        orders,
        lambda order: _carry_out(order, args),
        lambda name: None if args.quiet or args.json else tell_variant(name),
    )
    return _conclude_experiment(experiment, args)


def check_order(order: RunOrder) -> None:
    """Find out before the first trial what can be known to go wrong.

    Raises:
      ScenarioError: something will.
    """
    trial_runner(order.world, order.scenario)
    file_bytes = preflight.size_of_file(order.scenario)
    preflight.check_space(order.scenario, order.world, file_bytes)
    preflight.check_time(order.scenario, order.slots, file_bytes, order.world)


def _carry_out(order: RunOrder, args: argparse.Namespace) -> RunOutcome:
    file_bytes = preflight.size_of_file(order.scenario)
    pace = Pace(order.slots, order.scenario, file_bytes, order.world)
    display = make_display(pace, quiet=args.quiet, as_json=args.json)
    run_trial = trial_runner(order.world, order.scenario)
    return carry_out(order, run_trial, display, lambda: announce(order, args))


def _read_orders(args: argparse.Namespace) -> list[RunOrder]:
    """Say which runs are asked for: one, or one for each variant."""
    if args.scenario is None or args.resume is not None:
        return [make_order(*_read_scenario(args), args)]
    read = made_for(args.world, read_variants(args))
    if args.agreement:
        if len(read) > 1:
            raise ScenarioError(f"{args.scenario}: expected a scenario without variants for agreement")
        return [make_order(scenario, world, args) for world, scenario in both_worlds(read[0])]
    return [make_order(scenario, args.world or scenario.worlds[0], args) for scenario in read]


def make_order(scenario: Scenario, world: str, args: argparse.Namespace) -> RunOrder:
    """Say what a run of this scenario is to do.

    Raises:
      ScenarioError: it cannot be done.
    """
    command = shlex.join(["python", "-m", "loadtests", *sys.argv[1:]])
    slots = preflight.check(scenario, world)
    earlier = None
    output = args.output or DEFAULT_OUTPUT
    if args.resume is not None:
        earlier = resume(args.resume, scenario, world)
        slots = missing(slots, earlier)
        if not slots:
            raise ScenarioError(f"{args.resume}: expected a run that lacks trials, it has them all")
        output = args.output or args.resume.resolve().parent.parent
    return RunOrder(
        scenario=scenario,
        world=world,
        slots=slots,
        output=output,
        command=command,
        trace=args.trace,
        earlier=earlier,
    )


def _read_scenario(args: argparse.Namespace) -> tuple[Scenario, str]:
    """Read the scenario of a run that is resumed: it brings its own, unless one is given."""
    if args.scenario is not None:
        scenario, *more = read_variants(args)
        if more:
            raise ScenarioError(f"{args.scenario}: expected a scenario without variants to resume")
        return scenario, args.world or scenario.worlds[0]
    if args.resume is None:
        raise ScenarioError("expected a scenario file, such as scenarios/flash_crowd.toml")
    for name in ("file", "clients", "repeats", "seed", "set"):
        if getattr(args, name):
            raise ScenarioError(f"--{name}: expected SCENARIO too; --resume alone takes the run's own")
    scenario, world = scenario_of_run(args.resume)
    if scenario.variant:
        raise ScenarioError(f"{args.resume}: expected a run of its own, not a part of an experiment")
    return scenario, world


def read_variants(args: argparse.Namespace) -> tuple[Scenario, ...]:
    """Read the scenario that the arguments name, in all its variants.

    Raises:
      ScenarioError: one line naming file, key and what was expected.
    """
    return preflight.load_scenarios(
        args.scenario,
        read_settings(args.set),
        file=args.file,
        clients=args.clients,
        repeats=args.repeats,
        seed=args.seed,
    )


def announce(order: RunOrder, args: argparse.Namespace) -> None:
    """Say what is ahead."""
    if args.quiet:
        return
    file_bytes = preflight.size_of_file(order.scenario)
    pace = Pace(order.slots, order.scenario, file_bytes, order.world)
    if args.json:
        line = {
            "event": "planned",
            "scenario": order.scenario.name,
            "trials": len(order.slots),
            "estimated_seconds": round(pace.estimated_seconds, 1),
        }
        print(json.dumps(line), flush=True)
        return
    text = describe_run(order.slots, order.scenario, file_bytes, order.world)
    if order.earlier is not None:
        text += f" (goes on from {order.earlier.folder.name}: {len(order.earlier.records)} are there)"
    print(text, file=sys.stderr, flush=True)


def interrupt_once() -> None:
    """Let SIGTERM end the run as Ctrl-C does; what comes after the first of them is ignored.

    Cleaning up takes a few seconds and ends by itself; an interrupt in its midst would leave what
    it was about to remove.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    # A shell starts what ends with & deaf to Ctrl-C: that stays so.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)


class Conclusion(NamedTuple):
    """What came of a run."""

    exit_code: int
    summary: Summary | None
    """None: there is no report."""


def conclude(outcome: RunOutcome, args: argparse.Namespace) -> Conclusion:
    """Write the report of a run that has ended, and say what came of it.

    Raises:
      ScenarioError: the report cannot be written.
    """
    exit_code = {
        "complete": EXIT_DONE,
        "failed": EXIT_FAILED,
        "invalid": EXIT_UNTRUSTED,
        "partial": EXIT_INTERRUPTED,
    }[outcome.status]
    if outcome.status != "complete" and not args.json:
        for reason in outcome.reasons:
            print(f"{outcome.status}: {reason}", file=sys.stderr)
    if outcome.folder is None:
        if args.json:
            line = {
                "event": "run",
                "folder": None,
                "status": outcome.status,
                "reasons": outcome.reasons,
                "exit_code": exit_code,
                "summary": None,
            }
            print(json.dumps(line), flush=True)
        print("nothing was measured", file=sys.stderr)
        return Conclusion(exit_code, None)
    # Imported late: it draws, and a run that is refused should say so at once.
    from analysis.report import write_report
    from analysis.summary_files import as_json

    try:
        summary = write_report(outcome.folder)
    except KeyboardInterrupt:
        print(f"interrupted; the run is in {outcome.folder}, without its report", file=sys.stderr)
        return Conclusion(EXIT_INTERRUPTED, None)
    except OSError as error:
        raise ScenarioError(
            f"{outcome.folder}: expected a place that can be written to: {error.strerror or error}"
        ) from error
    if exit_code == EXIT_DONE:
        exit_code = summary.exit_code
    if args.json:
        line = {
            "event": "run",
            "folder": str(outcome.folder),
            "status": summary.status,
            "reasons": list(summary.reasons),
            "exit_code": exit_code,
            "summary": json.loads(as_json(summary)),
        }
        print(json.dumps(line), flush=True)
    elif args.quiet:
        print(outcome.folder, flush=True)
    else:
        from rich.console import Console

        from analysis.terminal import terminal_summary

        Console(highlight=False).print(terminal_summary(summary))
    return Conclusion(exit_code, summary)


def _conclude_experiment(experiment: ExperimentOutcome, args: argparse.Namespace) -> int:
    if experiment.folder is None:
        print("nothing was measured", file=sys.stderr)
        return EXIT_INTERRUPTED if experiment.interrupted else EXIT_FAILED
    from analysis.experiment_report import on_a_terminal, write_experiment_report

    try:
        judged = write_experiment_report(experiment.folder)
    except KeyboardInterrupt:
        print(f"interrupted; the runs are in {experiment.folder}, without a report", file=sys.stderr)
        return EXIT_INTERRUPTED
    exit_code = EXIT_INTERRUPTED if experiment.interrupted else judged.exit_code
    if args.json:
        line = {
            "event": "experiment",
            "folder": str(experiment.folder),
            "exit_code": exit_code,
            "summary": judged.as_dict(),
        }
        print(json.dumps(line), flush=True)
    elif args.quiet:
        print(experiment.folder, flush=True)
    else:
        from rich.console import Console

        Console(highlight=False).print(on_a_terminal(judged))
    return exit_code
