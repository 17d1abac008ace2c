"""The curves of a report with what belongs to each: its question, its words and its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis import figures
from analysis.checks import is_possible
from analysis.figure_style import in_both_forms
from analysis.load import RunData
from analysis.points import Measures
from analysis.summary import Summary
from analysis.tables import Rows, Table
from analysis.theory import burden as burden_theory
from analysis.wording import number, percent, rate, seconds


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure and everything said about it."""

    kind: ClassVar[str] = "chart"
    name: str
    """Its files' name."""
    title: str
    """The question that it answers."""
    caption: str
    alt: str
    """What it shows, for who cannot see it: with the numbers."""
    figure: Figure
    table: Table
    narrow: Figure | None = None
    """The same for a phone."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What every chart is made from."""

    run: RunData
    summary: Summary
    measures: Measures
    trials: pd.DataFrame
    """A row for each trial of the main placement that can be true, with `valid`."""

    @property
    def largest(self) -> int:
        """The largest N at which the most architectures were measured."""
        arms = self.trials.groupby("clients")["architecture"].nunique()
        return int(arms[arms == arms.max()].index.max())

    def at_largest(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Cut a frame down to the drawn trials of the largest N."""
        keys = ["placement", "architecture", "clients", "repeat"]
        drawn = self.trials.loc[self.trials["clients"] == self.largest, keys]
        return frame.merge(drawn, on=keys)

    def note(self, *more: str) -> str:
        """Name the world and whatever else a figure must say about itself, in small print."""
        most = int(self.trials.groupby(["architecture", "clients"]).size().max())
        repeats = f"{most} repeats" if most > 1 else "1 repeat"
        scenario, world = self.summary.scenario.name, self.summary.world
        return " · ".join((f"{scenario}, {world} world", repeats, *more))


def drawable(run: RunData, summary: Summary, measures: Measures) -> Drawn:
    """Gather what may be drawn: trials below a bound, or never completed, are not."""
    trials = measures.trials.reset_index()
    main = trials[trials["placement"] == summary.placements[0]]
    allowed = [
        is_possible(*pair)
        for pair in zip(main["makespan_seconds"], main["least_possible_seconds"], strict=True)
    ]
    possible = main[np.array(allowed, dtype=bool)].copy()
    bad = {(one.architecture, one.clients) for one in summary.main_points if not one.valid}
    pairs = zip(possible["architecture"], possible["clients"], strict=True)
    possible["valid"] = [pair not in bad for pair in pairs]
    possible["possible_bytes_per_second"] = (
        possible["clients"] * run.file_bytes / possible["fluid_seconds"]
    )
    return Drawn(run, summary, measures, possible)


def completion_chart(drawn: Drawn) -> Chart:
    """Answer: how long until everybody has the file?"""
    found = drawn.summary.crossover
    figure, narrow = in_both_forms(figures.completion_time, drawn.trials, found, drawn.note())
    rows: Rows = [
        (
            str(row["architecture"]),
            str(row["clients"]),
            str(row["repeat"]),
            seconds(row["makespan_seconds"]),
            seconds(row["fluid_seconds"]),
            seconds(row["best_seconds"]),
        )
        for row in drawn.trials.to_dict("records")
    ]
    columns = ("", "N", "repeat", "last client", "fluid bound", "highest bound")
    return Chart(
        "completion_time",
        "How long until every client has the file?",
        "Each point is one repeat, the line their median. Dashed: no distribution can be faster "
        "(highest bound that applies). Hollow points failed a check."
        + (
            f" Shaded: the swarm begins to win above {found.above} and at most {found.at_most} clients."
            if found and found.above is not None
            else ""
        ),
        "Completion time against the number of clients. " + _ends(drawn, "makespan_seconds", seconds),
        figure,
        Table("Completion times of every trial drawn", columns, rows),
        narrow,
    )


def typical_chart(drawn: Drawn) -> Chart:
    """Answer: what does a client wait that is not the last?"""
    figure, narrow = in_both_forms(figures.typical_client, drawn.trials, drawn.note())
    rows: Rows = [
        (
            str(row["architecture"]),
            str(row["clients"]),
            str(row["repeat"]),
            seconds(row["first_done_seconds"]),
            seconds(row["median_completion_seconds"]),
            seconds(row["mean_completion_seconds"]),
            seconds(row["makespan_seconds"]),
        )
        for row in drawn.trials.to_dict("records")
    ]
    columns = ("", "N", "repeat", "first", "median", "mean", "last")
    return Chart(
        "typical_client",
        "Does the last client speak for the others?",
        "The last client decides when everybody is done, and hides those that were early. Left the "
        "mean, right the median client, each from its own joining; dotted, the last one.",
        "Completion time of the mean and the median client. "
        + _ends(drawn, "median_completion_seconds", seconds),
        figure,
        Table("Clients of every trial drawn", columns, rows),
        narrow,
    )


def origin_chart(drawn: Drawn) -> Chart:
    """Answer: what does the origin send?"""
    links = drawn.summary.scenario.links
    clients = np.unique(drawn.trials["clients"].to_numpy(dtype=np.float64))
    ideal = pd.DataFrame(
        {
            "proportional_offload": burden_theory.offload(
                links.origin_uplink_bytes_per_second,
                links.client_uplink_bytes_per_second,
                clients,
            ),
            "most_offload": burden_theory.most_offload(clients),
        },
        index=pd.Index(clients, name="clients"),
    )
    # With one client there is nobody to take over anything.
    ideal["proportional_offload"] = ideal.min(axis=1)
    rows: Rows = [
        (
            str(row["architecture"]),
            str(row["clients"]),
            str(row["repeat"]),
            number(row["origin_copies"]),
            percent(row["offload"], 1),
        )
        for row in drawn.trials.to_dict("records")
    ]
    columns = ("", "N", "repeat", "origin copies", "offload")
    figure, narrow = in_both_forms(figures.origin_traffic, drawn.trials, ideal, drawn.note())
    return Chart(
        "origin_traffic",
        "What does the origin send, and what is it spared?",
        "Left: payload the origin sends, in copies of the file. Right: share of all payload that "
        "came from other clients instead; dashed, what it would be with every uplink always busy.",
        "Origin traffic against the number of clients. "
        + _ends(drawn, "origin_copies", lambda value: f"{number(value)} copies from the origin"),
        figure,
        Table("Origin traffic of every trial drawn", columns, rows),
        narrow,
    )


def goodput_chart(drawn: Drawn) -> Chart:
    """Answer: how much arrives in a second?"""
    rows: Rows = [
        (
            str(row["architecture"]),
            str(row["clients"]),
            str(row["repeat"]),
            rate(row["goodput_bytes_per_second"]),
            rate(row["possible_bytes_per_second"]),
            rate(row["throughput_bytes_per_second"]),
            percent(row["uplink_utilisation"]),
        )
        for row in drawn.trials.to_dict("records")
    ]
    columns = ("", "N", "repeat", "goodput", "most possible", "wire rate", "uplinks used")
    figure, narrow = in_both_forms(figures.goodput, drawn.trials, drawn.note())
    return Chart(
        "goodput",
        "Does capacity grow with the number of clients?",
        "Left: verified payload of all clients together, without duplicates, over the time of the "
        "last client. Right: wire bytes sent over what all uplinks online could have sent.",
        "Goodput against the number of clients. " + _ends(drawn, "goodput_bytes_per_second", rate),
        figure,
        Table("Rates of every trial drawn", columns, rows),
        narrow,
    )


def efficiency_chart(drawn: Drawn) -> Chart:
    """Answer: how close to the possible is that?"""
    thresholds = [one.threshold for one in drawn.summary.thresholds]
    rows: Rows = [
        (
            str(row["architecture"]),
            str(row["clients"]),
            str(row["repeat"]),
            number(row["efficiency"]),
            number(row["tightness"]),
        )
        for row in drawn.trials.to_dict("records")
    ]
    figure, narrow = in_both_forms(figures.efficiency, drawn.trials, thresholds, drawn.note())
    return Chart(
        "efficiency",
        "How close does each come to what is possible?",
        "Fluid bound over the time of the last client. A swarm's bound leaves out that pieces must "
        "arrive whole before they can be passed on: tightness, in the table, allows for it.",
        "Efficiency against the number of clients. " + _ends(drawn, "efficiency", percent),
        figure,
        Table(
            "Efficiency of every trial drawn",
            ("", "N", "repeat", "efficiency", "tightness"),
            rows,
        ),
        narrow,
    )


def _ends(drawn: Drawn, column: str, write: Callable[[float], str]) -> str:
    """Say a curve's first and last median in words."""
    said = []
    for architecture, rows in drawn.trials.groupby("architecture", sort=True):
        median = rows.groupby("clients")[column].median()
        ends = dict.fromkeys((median.index[0], median.index[-1]))
        values = ", ".join(f"{write(float(median[clients]))} at {clients}" for clients in ends)
        said.append(f"{architecture}: {values}")
    return "; ".join(said) + "."
