"""The charts of capacity and of what it lost, each with its question, its words and its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from analysis import figures_of_capacity
from analysis.charts import Chart, Drawn
from analysis.figure_style import in_both_forms
from analysis.figures_of_capacity import FILLS
from analysis.losses import CAUSES, losses
from analysis.tables import Rows, Table
from analysis.theory.scalability import LEAST_LOAD_LEVELS, Estimate, ScalabilityFit, fit
from analysis.wording import number, percent, rate

FLASH_CROWD = "flash crowd"


def saturation_chart(drawn: Drawn) -> Chart | None:
    """Answer: where does the server saturate? None with fewer than six N, or when no law fits."""
    server = drawn.trials[drawn.trials["architecture"] == "server"]
    closed = drawn.summary.scenario.repetition.is_closed
    if closed:
        # Nobody is ever done, so that a makespan says nothing; the clients' own rates do.
        server = server.assign(throughput_bytes_per_second=server["served_bytes_per_second"])
    known = server[server["throughput_bytes_per_second"] > 0]
    if known["clients"].nunique() < LEAST_LOAD_LEVELS:
        return None
    try:
        found = fit(
            known["clients"].to_numpy(dtype=float),
            known["throughput_bytes_per_second"].to_numpy(dtype=float),
        )
    except RuntimeError:
        return None
    knee = next((one.knee for one in drawn.summary.main_points if one.knee), None)
    of_what = "payload" if closed else "wire bytes"
    figure, narrow = in_both_forms(
        figures_of_capacity.saturation, known, found, drawn.note(), of_what, knee
    )
    return Chart(
        "saturation",
        "Where does the server saturate?",
        "The scalability law X(N) = gN / (1 + a(N-1) + bN(N-1)): a is the share of work that cannot "
        "overlap, here the one uplink that all share; b the price of agreement, which sending a file "
        f"does not have. {_how_well(found)}",
        f"Server throughput with the scalability law fitted to it. {_peak(found)}",
        figure,
        Table(
            f"The law fitted to the server, {found.confidence:.0%} intervals",
            ("", "value", "interval"),
            [
                ("g, one client's throughput", rate(found.gain.value), _interval(found.gain, rate)),
                ("a, contention", number(found.contention.value), _interval(found.contention)),
                ("b, coherency", number(found.coherency.value), _interval(found.coherency)),
                ("largest residual", percent(found.worst_relative_residual, 1), ""),
                *(
                    [
                        ("plateau", rate(knee.plateau_bytes_per_second), ""),
                        ("knee: plateau ÷ one client's throughput", number(knee.users), ""),
                    ]
                    if knee
                    else []
                ),
            ],
        ),
        narrow,
    )


def losses_chart(drawn: Drawn) -> Chart | None:
    """Answer: where did the rest go? None where clients do not come at once, so that no bound is near,
    or requests were not recorded.
    """
    requests = drawn.measures.requests
    if drawn.summary.scenario.arrivals != FLASH_CROWD or requests.first_of_node.empty:
        return None
    keys = ["placement", "architecture", "clients", "repeat"]
    by_trial = losses(
        drawn.trials.set_index(keys),
        drawn.run.nodes,
        drawn.run.transfers,
        requests,
        drawn.run.file_bytes,
    )
    trials = drawn.trials.set_index(keys)
    # Faster than the fluid bound, by the bytes that bursts permit: nothing was lost.
    lossless = trials.index[trials["efficiency"] > 1]
    known = pd.concat([by_trial, pd.DataFrame(0.0, index=lossless, columns=list(CAUSES))])
    lost = known.groupby(level=["architecture", "clients"]).mean()
    if lost.empty:
        return None
    figure, narrow = in_both_forms(figures_of_capacity.where_the_rest_went, lost, drawn.note())
    rows: Rows = [
        (
            str(architecture),
            str(clients),
            *(percent(float(row[cause]), 2) for cause in CAUSES),
            percent(sum(float(row[cause]) for cause in CAUSES), 2),
        )
        for (architecture, clients), row in zip(lost.index, lost.to_dict("records"), strict=True)
    ]
    said = []
    for architecture, group in lost.groupby(level="architecture"):
        last = group.iloc[-1]
        worst = max(CAUSES, key=lambda cause: float(last[cause]))
        said.append(
            f"{architecture} at {group.index[-1][1]}: {percent(float(last.sum()), 1)} lost, most of it "
            f"to {FILLS[worst][1]}"
        )
    return Chart(
        "losses",
        "Where did the rest go?",
        "What is missing to 100 % efficiency. Start-up: until every client has something to pass on "
        "(from a server: receives). Tail: from the first client that is done to the last. Between: "
        "protocol bytes, waste, and uplinks that stood idle. Means over the repeats.",
        f"Share of the time that was lost, by cause. {'; '.join(said)}.",
        figure,
        Table(
            "Share of the makespan lost",
            ("", "N", *(FILLS[cause][1] for cause in CAUSES), "together"),
            rows,
        ),
        narrow,
    )


def _how_well(found: ScalabilityFit) -> str:
    worst = found.worst_relative_residual
    if worst <= 0.1:
        return f"No measurement is further than {worst:.0%} from it."
    return (
        f"It misses a measurement by up to {worst:.0%}: a line that is shared fairly saturates at a "
        "corner, where the law bends slowly. Do not believe what it says beyond the measured N."
    )


def _peak(found: ScalabilityFit) -> str:
    peak = found.peak_users
    where = f"It peaks at {peak:,.0f} clients" if math.isfinite(peak) else "It has no peak"
    return f"{where}; contention {number(found.contention.value)}."


def _interval(estimate: Estimate, write: Callable[[float], str] = number) -> str:
    return f"{write(estimate.low)} to {write(estimate.high)}"
