"""The charts that open one N up, each with its question, its words and its numbers."""

from __future__ import annotations

import numpy as np

from analysis import figures_of_nodes
from analysis.charts import Chart, Drawn
from analysis.metrics import pieces_over_time
from analysis.statistics import LEAST_SAMPLES
from analysis.tables import Rows, Table
from analysis.wording import UNKNOWN, number, seconds

#: At most so many rows of numbers under a figure; the rest is in the raw files.
MOST_ROWS = 130


def burden_chart(drawn: Drawn) -> Chart:
    """Answer: what does each node upload?"""
    burdens = drawn.at_largest(drawn.measures.burdens)
    figure = figures_of_nodes.upload_burden(burdens, drawn.note(f"N = {drawn.largest}"))
    by_node = (
        burdens.groupby(["architecture", "role", "node_id"], sort=True)["burden"]
        .median()
        .reset_index()
        .sort_values(["architecture", "burden"], ascending=[True, False])
    )
    rows: Rows = [
        (f"{row['architecture']} {row['role']}", str(row["node_id"]), number(row["burden"]))
        for row in by_node.head(MOST_ROWS).to_dict("records")
    ]
    said = []
    for architecture, nodes in by_node.groupby("architecture"):
        origin = nodes.loc[nodes["role"] == "origin", "burden"].sum()
        most = nodes.loc[nodes["role"] == "client", "burden"].max()
        said.append(
            f"{architecture}: the origin uploads {number(origin)} copies, "
            f"the busiest client {number(most)}"
        )
    return Chart(
        "upload_burden",
        f"What does each node upload at N = {drawn.largest}?",
        "Left: every node, origin included, in copies of the file; logarithmic above the break, so "
        "that origin and clients fit on one axis. Right: Lorenz curves; the further below the "
        "diagonal, the more is carried by few.",
        f"Upload burden at N = {drawn.largest}. {'; '.join(said)}.",
        figure,
        Table("Burden of each node, median over the repeats", ("", "node", "copies"), rows),
    )


def distribution_chart(drawn: Drawn) -> Chart:
    """Answer: how long does one client wait?"""
    completions = drawn.at_largest(drawn.measures.completions)
    first_bytes = drawn.at_largest(drawn.measures.first_bytes)
    rows: Rows = []
    for architecture in sorted(completions["architecture"].unique()):
        for name, frame, column in (
            ("first useful byte", first_bytes, "first_byte_seconds"),
            ("whole file", completions, "completion_seconds"),
        ):
            values = frame.loc[frame["architecture"] == architecture, column].dropna()
            cells = [
                seconds(float(values.quantile(share))) if len(values) >= least else UNKNOWN
                for share, least in LEAST_SAMPLES.items()
                if share < 0.999
            ]
            rows.append(
                (f"{architecture}, {name}", seconds(values.min()), *cells, seconds(values.max()))
            )
    pooled = "all repeats pooled" if drawn.summary.scenario.repeats > 1 else "one repeat"
    note = drawn.note(f"N = {drawn.largest}", pooled)
    said = "; ".join(f"{row[0]}: from {row[1]} to {row[-1]}" for row in rows)
    return Chart(
        "waiting",
        f"How long does one client wait at N = {drawn.largest}?",
        "Share of clients that have the first byte (of content that was verified) and the whole "
        "file by then.",
        f"Cumulative distributions at N = {drawn.largest}. {said}.",
        figures_of_nodes.completion_distribution(completions, first_bytes, note),
        Table("Distribution over clients", ("", "least", "p50", "p90", "p99", "most"), rows),
    )


def one_run_chart(drawn: Drawn) -> Chart | None:
    """Answer: how does the file spread? None when there is no swarm trial with pieces."""
    summary = drawn.summary
    swarm = drawn.trials[drawn.trials["architecture"] == "swarm"]
    if swarm.empty or not summary.piece_bytes:
        return None
    last = swarm[swarm["clients"] == swarm["clients"].max()].sort_values("repeat").iloc[0]
    rows = drawn.run.transfers
    of_trial = rows[
        (rows["placement"] == last["placement"])
        & (rows["architecture"] == "swarm")
        & (rows["clients"] == last["clients"])
        & (rows["repeat"] == last["repeat"])
    ]
    pieces = -(-summary.file_bytes // summary.piece_bytes)
    diversity = pieces_over_time(of_trial, pieces)
    if diversity.empty:
        return None
    useful = of_trial[(of_trial["outcome"] == "ok") & (of_trial["unit"] == "piece")]
    held = useful.drop_duplicates(["node_id", "index"]).sort_values("finished_seconds")
    held = held[["node_id", "finished_seconds"]].copy()
    held["held"] = held.groupby("node_id").cumcount() + 1
    where = f"N = {last['clients']}, repeat {last['repeat']}"
    note = f"{summary.scenario.name}, {summary.world} world · {where}"
    steps = np.unique(np.linspace(0, len(diversity) - 1, 21).astype(int))
    table: Rows = [
        (
            seconds(row["finished_seconds"]),
            number(row["mean_copies"]),
            str(row["least_copies"]),
            number(row["evenness"]),
        )
        for row in diversity.iloc[steps].to_dict("records")
    ]
    end = float(diversity["finished_seconds"].iloc[-1])
    return Chart(
        "one_run",
        f"How does the file spread in one swarm of {last['clients']}?",
        f"{pieces} pieces. Left: a line for each client. Right: how many clients hold the average "
        "piece and the rarest one; close lines mean that no piece is about to run out.",
        f"Progress of every client over {seconds(end)}, and copies of the average and the rarest "
        "piece over time.",
        figures_of_nodes.one_run(held, diversity, pieces, note),
        Table(
            "Copies of a piece among clients, over time",
            ("time", "mean copies", "rarest", "evenness (normalised entropy)"),
            table,
        ),
    )
