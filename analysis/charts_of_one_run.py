"""The charts that open one swarm trial up, each with its question, its words and its numbers."""

from __future__ import annotations

import numpy as np

from analysis import figures_of_one_run
from analysis.charts import Chart, Drawn
from analysis.figure_style import in_both_forms
from analysis.figures_of_one_run import MOST_CLIENTS
from analysis.one_run import (
    OpenedRun,
    arrival_picture,
    evenly,
    held_over_time,
    open_run,
    pieces_over_time,
    received_from,
)
from analysis.tables import Rows, Table
from analysis.wording import number, percent, seconds

#: Rows of numbers under a figure over time.
TABLE_STEPS = 21
MOST_TABLE_CLIENTS = 64


def one_run_charts(drawn: Drawn) -> list[Chart]:
    """Draw the first repeat of the largest swarm; nothing when there is no swarm trial with pieces."""
    summary = drawn.summary
    swarm = drawn.trials[drawn.trials["architecture"] == "swarm"]
    if swarm.empty or not summary.piece_bytes:
        return []
    last = swarm[swarm["clients"] == swarm["clients"].max()].sort_values("repeat").iloc[0]
    trial = (str(last["placement"]), "swarm", int(last["clients"]), int(last["repeat"]))
    pieces = -(-summary.file_bytes // summary.piece_bytes)
    opened = open_run(drawn.run.transfers, trial, pieces, summary.file_bytes)
    if opened is None:
        return []
    where = f"N = {trial[2]}, repeat {trial[3]}"
    note = f"{summary.scenario.name}, {summary.world} world · {where}"
    return [
        _spread_chart(opened, trial[2], note),
        _pieces_chart(opened, trial[2], note),
        _sources_chart(opened, trial[2], note),
    ]


def _spread_chart(opened: OpenedRun, clients: int, note: str) -> Chart:
    diversity = pieces_over_time(opened.arrived, opened.pieces)
    held = held_over_time(opened, MOST_CLIENTS)
    figure, narrow = in_both_forms(figures_of_one_run.one_run, held, diversity, opened.pieces, note)
    steps = np.unique(np.linspace(0, len(diversity) - 1, TABLE_STEPS).astype(int))
    rows: Rows = [
        (seconds(row["finished_seconds"]), number(row["mean_copies"]), str(row["least_copies"]))
        for row in diversity.iloc[steps].to_dict("records")
    ]
    end = float(diversity["finished_seconds"].iloc[-1])
    some = "" if len(opened.clients) <= MOST_CLIENTS else f" ({MOST_CLIENTS} of them)"
    return Chart(
        "one_run",
        f"How does the file spread in one swarm of {clients}?",
        f"{opened.pieces} pieces. Left: a line for each client{some}. Right: how many clients hold the "
        "average piece and the rarest one; close lines mean that no piece is about to run out.",
        f"Progress of every client over {seconds(end)}, and copies of the average and the rarest "
        "piece over time.",
        figure,
        Table("Copies of a piece among clients, over time", ("time", "mean copies", "rarest"), rows),
        narrow,
    )


def _pieces_chart(opened: OpenedRun, clients: int, note: str) -> Chart:
    diversity = pieces_over_time(opened.arrived, opened.pieces)
    figure, narrow = in_both_forms(
        figures_of_one_run.pieces_when,
        arrival_picture(opened),
        len(opened.clients),
        opened.pieces,
        diversity,
        note,
    )
    steps = np.unique(np.linspace(0, len(diversity) - 1, TABLE_STEPS).astype(int))
    rows: Rows = [
        (seconds(row["finished_seconds"]), number(row["evenness"]))
        for row in diversity.iloc[steps].to_dict("records")
    ]
    middle = diversity.iloc[len(diversity) // 2]
    return Chart(
        "pieces_when",
        "Who had which piece when?",
        "Left: a row for each client, a column for each piece, dark where it came early. Columns of "
        "one shade are pieces that were rare; a speckle of all shades is a swarm in which everyone has "
        "something to offer. Right: 1 means that all pieces are equally common.",
        f"Arrival of {opened.pieces} pieces at {clients} clients. Normalised entropy of the copies is "
        f"{number(middle['evenness'])} half-way, after {seconds(middle['finished_seconds'])}.",
        figure,
        Table("Diversity over time", ("time", "evenness (normalised entropy)"), rows),
        narrow,
    )


def _sources_chart(opened: OpenedRun, clients: int, note: str) -> Chart:
    received = received_from(opened)
    figure, narrow = in_both_forms(figures_of_one_run.sources, received, len(opened.clients), note)
    names = evenly(opened.clients, len(received))
    shown = evenly(tuple(range(len(received))), MOST_TABLE_CLIENTS)
    rows: Rows = []
    for place in shown:
        row = received[place]
        rows.append(
            (
                str(names[place]),
                number(float(row[0])),
                number(float(row[1:].sum())),
                str(int((row[1:] > 0).sum())),
                percent(float(row[1:].max()) if len(row) > 1 else 0.0, 1),
            )
        )
    share = float(received[:, 0].sum() / received.sum())
    return Chart(
        "sources",
        "Where did each client's bytes come from?",
        "Left: what each client received from the origin and from other clients. Right: a row for each "
        "receiver, a column for each sender; the first column is the origin. Empty: nothing.",
        f"Sources of the bytes of {clients} clients: {share:.0%} came from the origin, the rest from "
        "other clients.",
        figure,
        Table(
            "Copies of the file that a client received",
            ("client", "from the origin", "from clients", "from how many", "most from one"),
            rows,
        ),
        narrow,
    )
