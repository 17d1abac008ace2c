"""What a simulation costs, beside the figures that are asked of it: `python -m benchmarks.simulation`.

A row for each figure: what is asked, what was measured, and whether it is reached. Processor time
stands for wall time, which other programs would lengthen. Every trial runs in a process of its own, so
that peaks of memory do not hide each other; of several repeats the median counts.

    python -m benchmarks.simulation            N = 1,000, the flow model, the optimum: a minute
    python -m benchmarks.simulation --large    and N = 10,000: some minutes more

What the live world measures beside the simulated one is `make agreement`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.theory.bounds import swarm_seconds
from analysis.theory.schedule import optimal_seconds
from loadtests.flow_trial import run_flow_trial
from loadtests.plan import TrialPlan, plan_content
from loadtests.simulated_trial import SimulatedTrial
from testbed import content
from testbed.links import Links
from testbed.record import TrialRecord
from testbed.scenario import Scenario

KIB = 1024
BLOCK_BYTES = 16 * KIB
PIECES = 64
NEIGHBOURS = 20

CLIENT_UPLINK = 128.0 * KIB
CLIENT_DOWNLINK = 256.0 * KIB
ORIGIN_UPLINK = 1024.0 * KIB

OPTIMUM_PIECES = 50
OPTIMUM_PIECE_BYTES = 256 * KIB


@dataclass(frozen=True)
class Cost:
    """What one trial took, and what came of it."""

    processor_seconds: float
    peak_mib: float
    """Of the whole process, interpreter and libraries included."""
    blocks: float
    makespan_seconds: float
    is_conserved: bool


@dataclass(frozen=True)
class Figure:
    """One row of the table. Without `asked` the figure is only shown."""

    what: str
    measured: float
    unit: str
    asked: float | None
    stretch: float | None = None
    at_least: bool = False
    """Whether more is better."""

    def __str__(self) -> str:
        asked = "" if self.asked is None else f"{self.asked:g}"
        stretch = "" if self.stretch is None else f"{self.stretch:g}"
        verdict = ""
        if self.asked is not None:
            better = self.measured >= self.asked if self.at_least else self.measured <= self.asked
            verdict = "reached" if better else f"missed, by {self.measured / self.asked:.2f}"
        shown = f"{self.measured:,.3g} {self.unit}".strip()
        return f"{self.what:<52} {shown:>12} {asked:>8} {stretch:>8}  {verdict}"


def machine_name() -> str:
    """The processor's model as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} processors" if names else "unknown processor"


def make_scenario(clients: int) -> Scenario:
    """Everybody at once; pieces of one block; an origin as fast as eight clients."""
    return Scenario(
        name="simulation",
        clients=(clients,),
        repeats=1,
        seed=1,
        file_bytes=PIECES * BLOCK_BYTES,
        trial_limit_seconds=3600.0,
        links=Links(
            origin_uplink_bytes_per_second=ORIGIN_UPLINK,
            origin_downlink_bytes_per_second=ORIGIN_UPLINK,
            client_uplink_bytes_per_second=CLIENT_UPLINK,
            client_downlink_bytes_per_second=CLIENT_DOWNLINK,
        ),
        tables={"servers": {}, "peers": {"piece_length": "16 KiB", "neighbours": NEIGHBOURS}},
    )


def make_optimum_scenario(clients: int) -> Scenario:
    """What the closed form of T* assumes: us = u, receiving costs nothing, everybody linked."""
    return replace(
        make_scenario(clients),
        file_bytes=OPTIMUM_PIECES * OPTIMUM_PIECE_BYTES,
        links=Links(
            origin_uplink_bytes_per_second=CLIENT_UPLINK,
            client_uplink_bytes_per_second=CLIENT_UPLINK,
            burst_seconds=0.0,
        ),
        tables={"servers": {}, "peers": {"piece_length": "256 KiB", "neighbours": 64}},
    )


def make_plan(scenario: Scenario, folder: str) -> TrialPlan:
    """Plan the swarm of a scenario; its content lies in the folder."""
    made = content.made_up(Path(folder), scenario.file_bytes or 1, scenario.seed)
    return TrialPlan(
        architecture="swarm",
        clients=scenario.clients[0],
        repeat=0,
        order=0,
        scenario=scenario.to_dict(),
        content=plan_content(made),
        folder=folder,
    )


def measure(scenario: Scenario) -> Cost:
    """Simulate one swarm.

    Raises:
      RuntimeError: the trial failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(scenario, folder)
        began = time.process_time()
        record = SimulatedTrial(plan).run(lambda progress: None)
        processor_seconds = time.process_time() - began
    trial = record.trial
    if trial.status != "complete":
        raise RuntimeError(f"N = {plan.clients}: {trial.status}: {trial.reason}")
    return Cost(
        processor_seconds=processor_seconds,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        blocks=trial.payload_received_bytes / BLOCK_BYTES,
        makespan_seconds=makespan_seconds(record),
        is_conserved=trial.payload_sent_bytes == trial.payload_received_bytes,
    )


def makespan_seconds(record: TrialRecord) -> float:
    """From the first join to the last completion."""
    clients = [row for row in record.nodes if row.role == "client"]
    joined = min(row.joined_seconds or 0.0 for row in clients)
    return max(row.finished_seconds or 0.0 for row in clients) - joined


def flow_seconds(clients: int) -> float:
    """Compute the swarm of N clients by its flows; gives the processor time."""
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(make_scenario(clients), folder)
        began = time.process_time()
        record = run_flow_trial(plan, lambda progress: None)
        if record.trial.status != "complete":
            raise RuntimeError(f"flow: {record.trial.reason}")
        return time.process_time() - began


def bound_seconds(clients: int) -> float:
    """The fluid bound of the swarm that is measured."""
    return float(
        swarm_seconds(PIECES * BLOCK_BYTES, ORIGIN_UPLINK, CLIENT_UPLINK, CLIENT_DOWNLINK, clients)
    )


def large_figures(
    clients: int, costs: list[Cost], seconds: tuple[float, float], mib: float
) -> list[Figure]:
    """The rows about a swarm of this size."""
    processor = statistics.median(cost.processor_seconds for cost in costs)
    peak = max(cost.peak_mib for cost in costs)
    swarm = f"N = {clients:,}, M = {PIECES}"
    bound = bound_seconds(clients)
    return [
        Figure(f"{swarm}: processor time", processor, "s", *seconds),
        Figure(f"{swarm}: peak memory", peak, "MiB", mib),
        Figure(
            f"{swarm}: makespan over its bound", costs[0].makespan_seconds / bound, "", 1, at_least=True
        ),
        Figure(
            f"{swarm}: trials with all bytes conserved", conserved_share(costs), "", 1, at_least=True
        ),
    ]


def conserved_share(costs: list[Cost]) -> float:
    """The share of trials in which every payload byte that was sent was received."""
    return statistics.fmean(cost.is_conserved for cost in costs)


def optimum_ratio(clients: int) -> float:
    """The makespan over the exact optimum T*."""
    file_bytes = OPTIMUM_PIECES * OPTIMUM_PIECE_BYTES
    best = float(optimal_seconds(file_bytes, CLIENT_UPLINK, clients, OPTIMUM_PIECES))
    return measure(make_optimum_scenario(clients)).makespan_seconds / best


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="What a simulation costs, beside what is asked.")
    parser.add_argument("--large", action="store_true", help="N = 10,000 too: some minutes")
    parser.add_argument("--repeats", type=int, default=3, help="of N = 1,000 (default 3)")
    args = parser.parse_args()
    print(f"{machine_name()}; pieces of one block, {NEIGHBOURS} neighbours")
    print(f"{'figure':<52} {'measured':>12} {'asked':>8} {'stretch':>8}")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        costs = [pool.apply(measure, (make_scenario(1000),)) for _ in range(args.repeats)]
        block = statistics.median(1e6 * cost.processor_seconds / cost.blocks for cost in costs)
        print(Figure("a block transferred, N = 1,000", block, "us", 50, 25), flush=True)
        for figure in large_figures(1000, costs, (5, 2), 100):
            print(figure, flush=True)
        if args.large:
            for figure in large_figures(
                10_000, [pool.apply(measure, (make_scenario(10_000),))], (120, 45), 500
            ):
                print(figure, flush=True)
        print(
            Figure("flow model, N = 10,000,000", pool.apply(flow_seconds, (10**7,)), "s", 1), flush=True
        )
        for clients in (8, 64):
            ratio = pool.apply(optimum_ratio, (clients,))
            print(
                Figure(f"N = {clients}, M = 50, us = u: makespan over T*", ratio, "", 1.08), flush=True
            )


if __name__ == "__main__":
    main()
