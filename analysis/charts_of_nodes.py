"""The chart of burdens, with its question, its words and its numbers."""

from __future__ import annotations

import pandas as pd

from analysis import figures_of_nodes
from analysis.charts import Chart, Drawn
from analysis.figure_style import in_both_forms
from analysis.tables import Rows, Table
from analysis.wording import number

#: At most so many rows of numbers for an architecture; the rest is in the raw files.
MOST_ROWS = 65


def _origins(nodes: pd.DataFrame) -> str:
    count = int((nodes["role"] == "origin").sum())
    return "origin uploads" if count == 1 else f"{count} origins together upload"


def burden_chart(drawn: Drawn) -> Chart:
    """Answer: what does each node upload?"""
    burdens = drawn.at_largest(drawn.measures.burdens)
    note = drawn.note(f"N = {drawn.largest}")
    figure, narrow = in_both_forms(figures_of_nodes.upload_burden, burdens, note)
    by_node = (
        burdens.groupby(["architecture", "role", "node_id"], sort=True)["burden"]
        .median()
        .reset_index()
        .sort_values(["architecture", "burden"], ascending=[True, False])
    )
    rows: Rows = [
        (f"{row['architecture']} {row['role']}", str(row["node_id"]), number(row["burden"]))
        for row in by_node.groupby("architecture").head(MOST_ROWS).to_dict("records")
    ]
    said = []
    for architecture, nodes in by_node.groupby("architecture"):
        origin = nodes.loc[nodes["role"] == "origin", "burden"].sum()
        most = nodes.loc[nodes["role"] == "client", "burden"].max()
        said.append(
            f"{architecture}: the {_origins(nodes)} {number(origin)} copies, "
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
        narrow,
    )
