"""What a simulation costs: `python -m benchmarks.simulation [--clients 1000 10000]`.

For each N: wall time, time for each block transferred, and peak memory, with the machine's name. Each N
runs in a process of its own, so that peaks do not hide each other.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

from loadtests.plan import TrialPlan, plan_content
from loadtests.simulated_trial import SimulatedTrial
from testbed import content
from testbed.links import Links
from testbed.scenario import Scenario

KIB = 1024
BLOCK_BYTES = 16 * KIB


def machine_name() -> str:
    """The processor's model as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} processors" if names else "unknown processor"


def make_scenario(clients: int, pieces: int, neighbours: int) -> Scenario:
    """Everybody at once; pieces of one block; an origin as fast as eight clients."""
    return Scenario(
        name="simulation",
        clients=(clients,),
        repeats=1,
        seed=1,
        file_bytes=pieces * BLOCK_BYTES,
        trial_limit_seconds=3600.0,
        links=Links(
            origin_uplink_bytes_per_second=1024.0 * KIB,
            origin_downlink_bytes_per_second=1024.0 * KIB,
            client_uplink_bytes_per_second=128.0 * KIB,
            client_downlink_bytes_per_second=256.0 * KIB,
        ),
        tables={"servers": {}, "peers": {"piece_length": "16 KiB", "neighbours": neighbours}},
    )


def measure(clients: int, pieces: int, neighbours: int) -> str:
    """Run one swarm; gives a line for people."""
    scenario = make_scenario(clients, pieces, neighbours)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = content.made_up(folder, pieces * BLOCK_BYTES, scenario.seed)
        plan = TrialPlan(
            architecture="swarm",
            clients=clients,
            repeat=0,
            order=0,
            scenario=scenario.to_dict(),
            content=plan_content(made),
            folder=name,
        )
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        wall, processor = time.perf_counter(), time.process_time()
        trial = SimulatedTrial(plan)
        record = trial.run(lambda progress: None)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    if record.trial.status != "complete":
        return f"N = {clients}: {record.trial.status}: {record.trial.reason}"
    blocks = record.trial.payload_received_bytes / BLOCK_BYTES
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (
        f"N = {clients:>6,}  {wall:7.2f} s wall  {processor:7.2f} s processor  "
        f"{1e6 * processor / blocks:6.1f} us a block  {trial.world.calls_made / blocks:5.1f} calls  "
        f"{peak / 1024:6.0f} MiB peak, {before / 1024:.0f} before"
    )


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description="What a simulation costs.")
    parser.add_argument("--clients", type=int, nargs="+", default=[1000])
    parser.add_argument("--pieces", type=int, default=64)
    parser.add_argument("--neighbours", type=int, default=20)
    args = parser.parse_args()
    print(f"{machine_name()}; M = {args.pieces} pieces of one block, {args.neighbours} neighbours")
    context = multiprocessing.get_context("spawn")
    for clients in args.clients:
        with context.Pool(1) as pool:
            print(pool.apply(measure, (clients, args.pieces, args.neighbours)), flush=True)


if __name__ == "__main__":
    main()
