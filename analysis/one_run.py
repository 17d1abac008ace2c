"""One swarm trial opened up: its verified pieces in the order in which they came, and their sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.transfers import Transfers, TrialKeys

FloatArray = NDArray[np.float64]

MOST_STEPS = 400
"""Of a curve over time; with fewer pieces every one is a step."""
MOST_ROWS, MOST_COLUMNS = 200, 320
"""Of a picture of clients and pieces: clients beyond are left out, pieces are taken together."""

MOST_SOURCES = 64
"""Of a picture of who sent to whom: with more the origin is too thin a line to see."""

_SMALL = {
    "node_id": np.int32,
    "source_id": np.int32,
    "index": np.int32,
    "finished_seconds": np.float64,
    "payload_bytes": np.int32,
}
"""What is kept of each piece; a piece is smaller than 2 GiB."""


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """The pieces of one trial."""

    arrived: pd.DataFrame
    """A row for each piece that a client verified for the first time, by time: `node_id`,
    `source_id`, `index`, `finished_seconds`, `payload_bytes`."""
    clients: tuple[int, ...]
    """Their ids, ascending."""
    pieces: int
    """M."""
    file_bytes: int


def open_run(transfers: Transfers, trial: TrialKeys, pieces: int, file_bytes: int) -> OpenedRun | None:
    """Read one swarm trial's pieces; None when it has none."""
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _SMALL}
    for _, rows in transfers.by_trial([*_SMALL, "unit", "outcome"], only={trial}):
        useful = rows[(rows["outcome"] == "ok") & (rows["unit"] == "piece")]
        for name, kind in _SMALL.items():
            parts[name].append(useful[name].to_numpy(dtype=kind))
    if not any(len(part) for part in parts["node_id"]):
        return None
    # Each list goes as soon as it is one array: of ten million rows that is a third of the memory.
    arrived = first_arrivals({name: np.concatenate(parts.pop(name)) for name in _SMALL}, pieces)
    clients = tuple(int(one) for one in np.unique(arrived["node_id"].to_numpy()))
    return OpenedRun(arrived, clients, pieces, file_bytes)


def first_arrivals(columns: dict[str, NDArray[Any]], pieces: int) -> pd.DataFrame:
    """Sort pieces by time, and keep each client's first copy of each.

    Args:
      columns: As in `OpenedRun.arrived`; taken apart on the way.
      pieces: M.
    """
    order = np.argsort(columns["finished_seconds"], kind="stable")
    for name in columns:
        columns[name] = columns[name][order]
    cells = columns["node_id"].astype(np.int64) * pieces + columns["index"]
    if len(cells) and np.bincount(cells).max() > 1:
        first = np.zeros(len(cells), dtype=bool)
        first[np.unique(cells, return_index=True)[1]] = True
        for name in columns:
            columns[name] = columns[name][first]
    return pd.DataFrame(columns, copy=False)


def pieces_over_time(arrived: pd.DataFrame, pieces: int) -> pd.DataFrame:
    """Trace how many clients held the pieces, and how evenly.

    A piece counts when its client had verified it. Copies of a piece are those among clients; the
    origin's is not counted.

    Args:
      arrived: As `first_arrivals` gives it.
      pieces: M.

    Returns:
      At every arrival, or at `MOST_STEPS` of them: `finished_seconds`, `mean_copies`, `least_copies`
      (of the rarest piece) and `evenness`: the entropy of the copies over ln M, 1 when all pieces
      are equally common.
    """
    index = arrived["index"].to_numpy(dtype=np.int64)
    times = arrived["finished_seconds"].to_numpy(dtype=np.float64)
    ends = np.unique(np.linspace(1, len(index), min(len(index), MOST_STEPS)).astype(np.int64))
    copies = np.zeros(pieces, dtype=np.int64)
    least, even = [], []
    begun = 0
    for end in ends:
        copies += np.bincount(index[begun:end], minlength=pieces)
        begun = end
        least.append(int(copies.min()))
        even.append(_evenness(copies))
    return pd.DataFrame(
        {
            "finished_seconds": times[ends - 1],
            "mean_copies": ends / pieces,
            "least_copies": np.asarray(least, dtype=np.int64),
            "evenness": np.asarray(even, dtype=np.float64),
        }
    )


def held_over_time(opened: OpenedRun, most_clients: int) -> pd.DataFrame:
    """Say how many pieces a client held at each of its arrivals, for so many clients, evenly chosen.

    Returns:
      `node_id`, `finished_seconds`, `held`.
    """
    chosen = evenly(opened.clients, most_clients)
    rows = opened.arrived[opened.arrived["node_id"].isin(chosen)]
    held = rows[["node_id", "finished_seconds"]].copy()
    held["held"] = held.groupby("node_id").cumcount() + 1
    return held


def arrival_picture(opened: OpenedRun) -> FloatArray:
    """Say when each client had each piece, as a picture of limited size.

    Returns:
      Seconds, a row for each client (some, if there are many), a column for each piece or group of
      neighbouring pieces (their mean); NaN where none of them came.
    """
    chosen = evenly(opened.clients, MOST_ROWS)
    columns = min(opened.pieces, MOST_COLUMNS)
    rows = opened.arrived[opened.arrived["node_id"].isin(chosen)]
    row = np.searchsorted(np.asarray(chosen), rows["node_id"].to_numpy())
    column = rows["index"].to_numpy(dtype=np.int64) * columns // opened.pieces
    cell = row * columns + column
    size = len(chosen) * columns
    total = np.bincount(cell, weights=rows["finished_seconds"].to_numpy(), minlength=size)
    count = np.bincount(cell, minlength=size)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count).reshape(len(chosen), columns)


def received_from(opened: OpenedRun) -> FloatArray:
    """Say what each client got from whom, in copies of the file.

    Returns:
      A row for each client (some, if there are many), a column for each source in the order of ids,
      the origin first; where clients are many, neighbouring sources are taken together.
    """
    chosen = evenly(opened.clients, MOST_SOURCES)
    rows = opened.arrived[opened.arrived["node_id"].isin(chosen)]
    row = np.searchsorted(np.asarray(chosen), rows["node_id"].to_numpy())
    source = rows["source_id"].to_numpy(dtype=np.int64)
    others = int(max(opened.clients))
    groups = min(others, MOST_SOURCES)
    column = np.where(source == 0, 0, 1 + (source - 1) * groups // others)
    cell = row * (groups + 1) + column
    size = len(chosen) * (groups + 1)
    sums = np.bincount(cell, weights=rows["payload_bytes"].to_numpy(), minlength=size)
    return np.asarray(sums / opened.file_bytes).reshape(len(chosen), groups + 1)


def evenly(ids: tuple[int, ...], most: int) -> list[int]:
    """Choose at most so many ids, evenly spread, the first and the last among them."""
    places = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), most)).astype(np.int64))
    return [ids[place] for place in places]


def _evenness(copies: NDArray[np.int64]) -> float:
    if len(copies) < 2:
        return 1.0
    shares = copies[copies > 0] / copies.sum()
    return float(-(shares @ np.log(shares)) / np.log(len(copies))) + 0.0
