"""The charts of a server under open load, each with its question, its words and its numbers."""

from __future__ import annotations

import numpy as np

from analysis import figures_of_load
from analysis.charts import Chart, Drawn
from analysis.experiment import JudgedExperiment
from analysis.figure_style import in_both_forms
from analysis.figures_of_load import LoadPoint
from analysis.open_load import describe
from analysis.statistics import quantile
from analysis.tables import Rows, Table
from analysis.tables_of_load import loads_table
from analysis.wording import UNKNOWN, number, seconds
from testbed.load import WHOLE_FILE, expected_bytes

SHARES = (0.5, 0.9, 0.99)


def open_load_chart(drawn: Drawn) -> Chart | None:
    """Answer: is the uplink shared as theory says? None where nothing arrives by itself."""
    points = [
        one for one in drawn.summary.main_points if one.open_load and one.clients == drawn.largest
    ]
    if not points or points[0].open_load is None:
        return None
    found = points[0].open_load
    responses = [one for key, one in drawn.measures.responses.items() if key[:3] == points[0].key]
    measured, ideal = (
        np.concatenate([getattr(one, name) for one in responses])
        for name in ("measured_seconds", "ideal_seconds")
    )
    note = drawn.note(f"N = {drawn.largest}", "all repeats pooled")
    figure, narrow = in_both_forms(figures_of_load.distributions, measured, ideal, note)
    rows: Rows = [
        (name, seconds(float(values.mean())), *(_quantile(values, share) for share in SHARES))
        for name, values in (
            ("measured", measured),
            ("exact sharing of the recorded arrivals", ideal),
        )
    ]
    rows.append(("E[S]/(1 - rho)", seconds(found.formula_seconds), *(UNKNOWN,) * len(SHARES)))
    rows.append(("measured ÷ exact", number(found.ratio), *(UNKNOWN,) * len(SHARES)))
    return Chart(
        "open_load",
        "Is the uplink shared as theory says?",
        "Each request's time, from its intended start, against what exact processor sharing of this "
        "run's own requests, as they were made, gives it. The formula is the mean of runs without end; "
        "one as long as this scatters around it, which the comparison with its own arrivals does not.",
        f"Distribution of request times. {describe(found)}",
        figure,
        Table(f"Time of {found.requests:,} requests", ("", "mean", "p50", "p90", "p99"), rows),
        narrow,
    )


def load_chart(judged: JudgedExperiment) -> Chart | None:
    """Answer for an experiment: how does waiting grow with the load? None with fewer than two loads."""
    points = [
        LoadPoint(
            name=variant.name,
            load=found.load,
            service_seconds=expected_bytes(scenario.sizes, variant.summary.file_bytes)
            / scenario.links.origin_uplink_bytes_per_second,
            mean_seconds=found.mean_seconds,
            ideal_seconds=found.ideal_seconds,
            valid=point.valid,
            usual_sizes=scenario.sizes == WHOLE_FILE,
        )
        for variant in judged.variants
        for point in variant.points
        for scenario in [variant.summary.scenario]
        if (found := point.open_load) is not None and found.load is not None and found.load < 1
    ]
    if len({one.load for one in points}) < 2:
        return None
    worlds = dict.fromkeys(one.summary.world for one in judged.variants)
    note = f"{judged.experiment.scenario}, {' and '.join(worlds)} world"
    return Chart(
        "load",
        "How does the time of a request grow with the load?",
        "Mean times, measured and under exact processor sharing of the arrivals that each run "
        "recorded. The curve is the mean of runs without end.",
        "Mean time of a request against the load. "
        + "; ".join(
            f"{one.name}: {seconds(one.mean_seconds)}, exact {seconds(one.ideal_seconds)}"
            for one in points
        ),
        figures_of_load.means_over_load(points, note),
        loads_table(judged),
    )


def _quantile(values: figures_of_load.FloatArray, share: float) -> str:
    found = quantile(values, share)
    return UNKNOWN if found is None else seconds(found)
