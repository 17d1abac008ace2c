"""Everything known about one architecture at one N: what summary.json says of it, and a bit more.

Ratios and amounts are medians over the repeats. Quantiles pool the repeats' clients or requests,
and are None where there are too few to have them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import closed_load, open_load
from analysis.burden import node_burdens, trial_burdens
from analysis.churn import Churn, churn, left_behind, read_churn
from analysis.closed_load import ClosedLoad, Knee, Served, find_knee, gather_served
from analysis.computation import cpu_seconds_per_gigabyte, populations
from analysis.findings import trial_keys
from analysis.limits import trial_bounds
from analysis.load import TRIAL_KEYS, RunData
from analysis.metrics import (
    client_files,
    completions,
    first_bytes,
    makespans,
    offloads,
    rates,
    through_copies,
    waste,
)
from analysis.open_load import OpenLoad, Responses, gather_responses
from analysis.requests import Requests, gather_requests
from analysis.statistics import Spread, quantile, spread
from analysis.steps import PointSteps, point_steps, step_times
from analysis.transfers import TrialKeys
from testbed.replacement import FILE_STATES

POINT_KEYS = ("placement", "architecture", "clients")
PointKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of pooled values; None where there are too few. `mean` is None where it says nothing."""

    p50: float | None
    p90: float | None
    p99: float | None
    mean: float | None = None


@dataclass(frozen=True, slots=True)
class Sharing:
    """How a burden is shared among some nodes; None where nobody carried anything."""

    burden_mean: float | None
    burden_max: float | None
    gini: float | None
    jain: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One architecture at one N, in one placement of its processes."""

    placement: str
    architecture: str
    clients: int
    repeats: int
    valid: bool
    warnings: tuple[str, ...]
    makespan: Spread | None
    """None when no repeat has one: a client failed in each."""
    bound_seconds: float | None
    """Fluid bound."""
    best_bound_seconds: float | None
    """Highest bound that applies."""
    efficiency: float | None
    tightness: float | None
    goodput_bytes_per_second: float | None
    throughput_bytes_per_second: float | None
    uplink_utilisation: float | None
    finished_fraction: float | None
    """Share of the clients that had the whole file, verified."""
    first_done_seconds: float | None
    completion: Quantiles
    first_byte: Quantiles
    request_latency: Quantiles
    cpu_seconds_per_gigabyte: Mapping[str, float | None]
    """Of `origin` and `client`; None where they cannot be told apart, or were not sampled."""
    origin_copies: float | None
    offload: float | None
    everyone: Sharing
    peers_only: Sharing
    wasted_fraction: float | None
    churn: Churn | None
    """None where every client came once."""
    pieces_out_fraction: float | None
    """Share of the pieces that left an origin which left itself; of a swarm."""
    left_behind_fraction: float | None
    """Share of the clients that have no file though all pieces were out."""
    generator_cpu_fraction: float | None
    node_host_cpu_fraction: float | None
    makespan_mean_seconds: float | None = None
    """Where chance decides how long a trial takes, this is what theory has a value for."""
    through_copies: float | None = None
    """What passed through a relay or a tracker, in or out; None where there is neither."""
    files: Mapping[str, float] = field(default_factory=dict)
    """How many clients had what on their disks, by `testbed.replacement.FILE_STATES`; empty where
    nobody looked."""
    steps: PointSteps | None = None
    """Of its transactions; None where they were not recorded."""
    open_load: OpenLoad | None = None
    """Of a server whose requests come by themselves."""
    closed_load: ClosedLoad | None = None
    """Where clients begin anew when they are done."""
    knee: Knee | None = None
    """Where the server saturates, as the sweep up to its largest N shows it: the last point has it."""

    @property
    def key(self) -> PointKey:
        """What tells it apart from the others of its run."""
        return self.placement, self.architecture, self.clients


@dataclass(frozen=True, slots=True)
class Measures:
    """All metrics of a run, by trial or by node: what points, checks and figures are made from."""

    trials: pd.DataFrame
    """By trial, every metric that has one value in a trial."""
    completions: pd.DataFrame
    first_bytes: pd.DataFrame
    requests: Requests
    burdens: pd.DataFrame
    populations: pd.DataFrame
    steps: Mapping[PointKey, PointSteps] = field(default_factory=dict)
    """Of transactions, by point, where a scenario has them recorded."""
    responses: Mapping[TrialKeys, Responses] = field(default_factory=dict)
    """Of a server under open load, by trial."""
    served: Mapping[TrialKeys, Served] = field(default_factory=dict)
    """Of a closed load, by trial."""


def measure(run: RunData) -> Measures:
    """Compute every metric of a run from its raw rows.

    A trial that failed is no result: it has a row, but no metric but its bounds.
    """
    complete = run.trials[run.trials["status"] == "complete"]
    keys = pd.MultiIndex.from_frame(complete[list(TRIAL_KEYS)])
    nodes, samples, transactions = run.nodes, run.samples, run.transactions
    if len(complete) < len(run.trials):
        nodes, samples, transactions = (
            frame[pd.MultiIndex.from_frame(frame[list(TRIAL_KEYS)]).isin(keys)]
            for frame in (nodes, samples, transactions)
        )
    done = set(trial_keys(complete))
    requests = gather_requests(run.transfers, done)
    served = gather_served(run, done)
    burdens = node_burdens(nodes, run.file_bytes)
    bounds = trial_bounds(
        run.nodes,
        file_bytes=run.file_bytes,
        piece_bytes=run.piece_bytes,
        burst_seconds=run.scenario.links.burst_seconds,
    )
    shares = ["generator_cpu_fraction", "node_host_cpu_fraction"]
    # A world without processes records nothing where a share would be.
    busy = run.trials.set_index(list(TRIAL_KEYS))[shares].replace(0.0, np.nan)
    parts = [
        busy,
        bounds,
        makespans(nodes),
        rates(nodes, run.file_bytes),
        offloads(nodes),
        waste(nodes),
        churn(nodes, run.piece_bytes),
        trial_burdens(burdens),
        client_files(nodes),
        through_copies(nodes, run.file_bytes),
        cpu_seconds_per_gigabyte(samples, nodes, run.file_bytes),
    ]
    trials = pd.concat(parts, axis=1).sort_index()
    trials.index.names = list(TRIAL_KEYS)
    trials["complete"] = trials.index.isin(keys)
    trials = trials.join(left_behind(run, done, trials["finished_fraction"]))
    trials["served_bytes_per_second"] = pd.Series(
        [served[key].bytes_per_second if key in served else np.nan for key in trials.index],
        index=trials.index,
        dtype="float64",
    )
    trials["efficiency"] = trials["fluid_seconds"] / trials["makespan_seconds"]
    trials["tightness"] = trials["best_seconds"] / trials["makespan_seconds"]
    return Measures(
        trials,
        completions(nodes),
        first_bytes(nodes, requests.first_of_node),
        requests,
        burdens,
        populations(samples),
        point_steps(step_times(transactions)),
        gather_responses(run, done),
        served,
    )


def gather(
    run: RunData, measures: Measures, warnings: Mapping[PointKey, list[str]]
) -> tuple[Point, ...]:
    """Make the points of a run, by placement, architecture and N.

    Args:
      run: The raw rows.
      measures: As `measure` gives them.
      warnings: What failed at each point; a point with a warning is not valid.
    """
    keys = list(POINT_KEYS)
    pooled = {
        "completion": _pool(measures.completions, "completion_seconds"),
        "first_byte": _pool(measures.first_bytes, "first_byte_seconds"),
    }
    closed = {key: closed_load.pool(of_point) for key, of_point in _by_point(measures.served).items()}
    responses = _by_point(measures.responses)
    points = []
    for key, trials in measures.trials.groupby(keys, sort=True):
        identity = point_key(key)
        found = warnings.get(identity, [])
        values = {str(name): _median(trials[name].astype(float)) for name in trials.columns}
        makespan = spread(trials["makespan_seconds"].to_numpy())
        middle = makespan.median if makespan else None
        completion = pooled["completion"].get(identity)
        points.append(
            Point(
                placement=identity[0],
                architecture=identity[1],
                clients=identity[2],
                repeats=int(trials["complete"].sum()),
                valid=not found,
                warnings=tuple(found),
                makespan=makespan,
                makespan_mean_seconds=_number(trials["makespan_seconds"].mean()),
                bound_seconds=values["fluid_seconds"],
                best_bound_seconds=values["best_seconds"],
                efficiency=_ratio(values["fluid_seconds"], middle),
                tightness=_ratio(values["best_seconds"], middle),
                goodput_bytes_per_second=values["goodput_bytes_per_second"],
                throughput_bytes_per_second=values["throughput_bytes_per_second"],
                uplink_utilisation=values["uplink_utilisation"],
                finished_fraction=values["finished_fraction"],
                first_done_seconds=values["first_done_seconds"],
                completion=_quantiles(completion, mean=True),
                first_byte=_quantiles(pooled["first_byte"].get(identity)),
                request_latency=_of_requests(measures.requests.latencies.get(identity)),
                cpu_seconds_per_gigabyte={
                    role: values[f"{role}_cpu_seconds_per_gigabyte"] for role in ("origin", "client")
                },
                origin_copies=values["origin_copies"],
                offload=values["offload"],
                everyone=_sharing(values, ""),
                peers_only=_sharing(values, "peers_"),
                wasted_fraction=values["wasted_fraction"],
                churn=read_churn(trials),
                pieces_out_fraction=values["pieces_out_fraction"],
                left_behind_fraction=values["left_behind_fraction"],
                generator_cpu_fraction=_most(trials["generator_cpu_fraction"]),
                node_host_cpu_fraction=_most(trials["node_host_cpu_fraction"]),
                through_copies=values["through_copies"],
                files=_files(values),
                steps=measures.steps.get(identity),
                open_load=open_load.pool(responses.get(identity, ()), run.scenario, run.file_bytes),
                closed_load=closed.get(identity),
                knee=_knee(identity, closed),
            )
        )
    return tuple(points)


def _by_point(of_trials: Mapping[TrialKeys, Any]) -> dict[PointKey, list[Any]]:
    by_point: dict[PointKey, list[Any]] = {}
    for trial, one in of_trials.items():
        by_point.setdefault(trial[:3], []).append(one)
    return by_point


def _knee(identity: PointKey, closed: Mapping[PointKey, ClosedLoad | None]) -> Knee | None:
    """Find the knee of a point's sweep, if it is the last of that."""
    clients = identity[2]
    rates = {
        key[2]: one.bytes_per_second for key, one in closed.items() if one and key[:2] == identity[:2]
    }
    return find_knee(rates) if clients == max(rates, default=None) else None


def _pool(frame: pd.DataFrame, column: str) -> dict[PointKey, pd.DataFrame]:
    """Gather by point what its nodes or requests had, as `value`, and how many had it, as `count`."""
    pooled = frame[list(POINT_KEYS)].assign(
        value=frame[column].astype("float64"), count=frame.get("nodes", 1)
    )
    return {point_key(key): rows for key, rows in pooled.groupby(list(POINT_KEYS))}


def point_key(keys: Any) -> PointKey:
    """Give a point's keys as plain Python values."""
    placement, architecture, clients = keys
    return str(placement), str(architecture), int(clients)


def _quantiles(pooled: pd.DataFrame | None, *, mean: bool = False) -> Quantiles:
    known = None if pooled is None else pooled.dropna(subset="value")
    if known is None or known.empty:
        return Quantiles(None, None, None)
    values, counts = known["value"].to_numpy(), known["count"].to_numpy()
    average = float(np.average(values, weights=counts)) if mean else None
    p50, p90, p99 = (quantile(values, share, counts) for share in (0.5, 0.9, 0.99))
    return Quantiles(p50, p90, p99, average)


def _of_requests(latencies: NDArray[np.float64] | None) -> Quantiles:
    if latencies is None:
        return Quantiles(None, None, None)
    return Quantiles(*(quantile(latencies, share) for share in (0.5, 0.9, 0.99)))


def _sharing(values: Mapping[str, float | None], prefix: str) -> Sharing:
    return Sharing(
        values[f"{prefix}burden_mean"],
        values[f"{prefix}burden_max"],
        values[f"{prefix}gini"],
        values[f"{prefix}jain"],
    )


def _files(values: Mapping[str, float | None]) -> dict[str, float]:
    found = {state: values[f"{state}_files"] for state in FILE_STATES}
    return {state: count for state, count in found.items() if count is not None}


def _median(values: pd.Series) -> float | None:
    return _number(values.median())


def _most(values: pd.Series) -> float | None:
    return _number(values.max())


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _ratio(top: float | None, bottom: float | None) -> float | None:
    return None if top is None or bottom is None else top / bottom
