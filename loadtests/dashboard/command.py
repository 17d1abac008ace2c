"""The sub-command `python -m loadtests dashboard`: a run that can be watched, until Ctrl-C."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from loadtests import preflight, run_command
from loadtests.dashboard.display import PageDisplay
from loadtests.dashboard.events import Concluded, Planned, Reporting
from loadtests.dashboard.page_process import DEFAULT_PORT, PageLost, PageProcess, choose_port
from loadtests.progress import Pace, make_display
from loadtests.run_command import EXIT_FAILED, Conclusion
from loadtests.sweep import RunOrder, RunOutcome, carry_out
from loadtests.worlds import trial_runner
from testbed.errors import ScenarioError

EXAMPLES = """\
examples:
  python -m loadtests dashboard scenarios/flash_crowd.toml
  python -m loadtests dashboard scenarios/flash_crowd.toml --clients 2,8,32 --repeats 1 --port 9000

The run is the same as with `run`, and so are its results. When it is over the page stays, with a link
to the report, until Ctrl-C; Locust's own button starts another run. Exit codes are those of `run`.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `dashboard` to the sub-commands."""
    parser = subparsers.add_parser(
        "dashboard",
        help="the same as run, to be watched on Locust's web page",
        description="Run a scenario and show it on Locust's web page, in a tab of its own.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", metavar="SCENARIO", type=Path, help="a TOML file")
    parser.add_argument(
        "--port",
        metavar="PORT",
        type=int,
        help=f"where the page is ({DEFAULT_PORT}, or any that is free if that is taken)",
    )
    run_command.add_scenario_options(parser)
    run_command.add_output_options(parser)
    parser.set_defaults(run=run, resume=None, trace=False)


def run(args: argparse.Namespace) -> int:
    """Start the page, make the run, and keep the page until Ctrl-C; gives the exit code.

    Raises:
      ScenarioError, SchemaError: the input is wrong.
    """
    order = _read_order(args)
    port = choose_port(args.port)
    run_command.interrupt_once()
    with PageProcess(port) as page:
        try:
            return _serve(order, page, args)
        except PageLost as lost:
            print(lost, file=sys.stderr)
            return EXIT_FAILED


def _read_order(args: argparse.Namespace) -> RunOrder:
    scenario, *more = run_command.read_variants(args)
    if more:
        raise ScenarioError(f"{args.scenario}: expected a scenario without variants to watch")
    order = run_command.make_order(scenario, "live", args)
    run_command.check_order(order)
    return dataclasses.replace(order, watch=True)


def _serve(order: RunOrder, page: PageProcess, args: argparse.Namespace) -> int:
    """Make a run each time Locust is started; ends with Ctrl-C."""
    page.wait_until_started()
    _say_address(page.address, args)
    while True:
        outcome, stopped_on_page = _carry_out(order, page, args)
        if outcome.status == "partial" and not stopped_on_page:
            # Ctrl-C: whoever wants the terminal back does not look at the page any more.
            page.close()
            return run_command.conclude(outcome, args).exit_code
        exit_code = _conclude(outcome, page, args)
        if exit_code == run_command.EXIT_INTERRUPTED and not stopped_on_page:
            return exit_code
        if not args.quiet and not args.json:
            print(f"the page stays at {page.address} until Ctrl-C", file=sys.stderr, flush=True)
        try:
            page.wait_until_started_again()
        except KeyboardInterrupt:
            return exit_code


def _say_address(address: str, args: argparse.Namespace) -> None:
    if args.json:
        print(json.dumps({"event": "page", "address": address}), flush=True)
    elif args.quiet:
        print(address, flush=True)
    else:
        print(f"watch it at {address}?tab=swarm-or-server", flush=True)


def _carry_out(order: RunOrder, page: PageProcess, args: argparse.Namespace) -> tuple[RunOutcome, bool]:
    """Make the run; says too whether it was stopped on the page."""
    scenario = order.scenario
    file_bytes = preflight.size_of_file(scenario)
    pace = Pace(order.slots, scenario, file_bytes)
    display = PageDisplay(make_display(pace, quiet=args.quiet, as_json=args.json), page)

    def announce() -> None:
        run_command.announce(order, args)
        page.tell(
            Planned(
                scenario=scenario.name,
                question=scenario.question,
                clients=scenario.clients,
                repeats=scenario.repeats,
                trials=len(order.slots),
                file_bytes=file_bytes,
            )
        )

    outcome = carry_out(order, trial_runner(order.world, scenario), display, announce)
    return outcome, display.stopped


def _conclude(outcome: RunOutcome, page: PageProcess, args: argparse.Namespace) -> int:
    page.tell(Reporting())
    conclusion = run_command.conclude(outcome, args)
    page.tell(_concluded(outcome, conclusion))
    return conclusion.exit_code


def _concluded(outcome: RunOutcome, conclusion: Conclusion) -> Concluded:
    summary, folder = conclusion.summary, outcome.folder
    return Concluded(
        status=outcome.status if summary is None else summary.status,
        reasons=tuple(dict.fromkeys(outcome.reasons if summary is None else summary.reasons)),
        verdict="" if summary is None else summary.verdict,
        threshold_missed=outcome.status == "complete" and conclusion.exit_code == EXIT_FAILED,
        folder="" if folder is None else folder.name,
        report_folder="" if folder is None or summary is None else str((folder / "report").resolve()),
    )
