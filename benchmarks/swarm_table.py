"""What `benchmarks.swarm` prints: figures of the contestants beside what is asked of ours."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.swarm_crowd import MEGABYTE, Crowd, CrowdResult
from peers.torrent import BLOCK_BYTES

Figures = dict[str, float]
Rounds = dict[str, list[Figures]]
"""Of each contestant, by name, its figures of each round; no round in which it did not finish."""

#: What the last of N clients must reach, of the fluid bound.
EFFICIENCY_ASKED = {4: 0.92, 8: 0.95, 16: 0.96, 32: 0.96, 64: 0.95, 128: 0.92, 256: 0.92}

#: The spread of uploads is asked for at this size only: with fewer clients a few pieces are more.
SPREAD_ASKED_AT = 32


@dataclass(frozen=True, slots=True)
class Asked:
    """What ours is to reach."""

    figure: str
    limit: float
    at_least: bool
    against: str = ""
    """The contestant whose figure ours is divided by; empty for the figure itself."""

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        times = f" x {self.against}" if self.against else ""
        return f"{self.figure} {sign} {self.limit:g}{times}"

    def reached(self, rounds: Rounds, ours: str) -> float:
        """Give the median of ours, or of its ratio to the other in each round; nan: unknown."""
        mine = rounds.get(ours, [])
        if not self.against:
            return statistics.median(one[self.figure] for one in mine) if mine else math.nan
        pairs = zip(mine, rounds.get(self.against, []), strict=False)
        ratios = [one[self.figure] / other[self.figure] for one, other in pairs]
        return statistics.median(ratios) if ratios else math.nan

    def verdict(self, reached: float) -> str:
        """Say whether that is enough."""
        if math.isnan(reached):
            return "not measured"
        return (
            "reached" if (reached >= self.limit) == self.at_least or reached == self.limit else "MISSED"
        )


# --- Crowds ---------------------------------------------------------------------------------


def ideal_origin_copies(crowd: Crowd) -> float:
    """Of the file, what the origin sends if everybody's uplink is full till the end."""
    assert crowd.origin_uplink is not None
    assert crowd.uplink is not None
    return crowd.clients * crowd.origin_uplink / (crowd.origin_uplink + crowd.clients * crowd.uplink)


def crowd_figures(crowd: Crowd, result: CrowdResult) -> Figures:
    """Give the figures of one crowd, by name."""
    uploads = {node.node_id: node.uploaded_payload_bytes for node in result.nodes}
    leechers = [uploaded for node_id, uploaded in uploads.items() if node_id]
    total = crowd.clients * crowd.file_bytes
    mean = statistics.fmean(leechers)
    last = max(result.finished_seconds.values())
    copies = uploads[0] / crowd.file_bytes
    asked = [one for node in result.nodes if (one := node.first_request_seconds) is not None]
    fastest = max(node.fastest_second for node in result.nodes)
    return {
        "efficiency": crowd.bound_seconds / last,
        "last seconds": last,
        "redundant %": 100 * sum(node.redundant_bytes for node in result.nodes) / total,
        "origin copies": copies,
        "copies off ideal %": 100 * abs(copies / ideal_origin_copies(crowd) - 1),
        "spread of uploads %": 100 * (max(leechers) - min(leechers)) / mean if mean else math.nan,
        "ahead of u t, ms": 1000 * max(node.ahead_seconds for node in result.nodes),
        "fastest second, % of u": 100 * fastest if fastest else math.nan,  # It took less than one.
        "answer to request ms": 1000 * statistics.median(asked) if asked else math.nan,
        "CPU ms/MB": 1000 * sum(result.cpu_seconds) / (total / MEGABYTE),
    }


def asked_of_crowd(crowd: Crowd, burst_seconds: float, rival: str) -> Sequence[Asked]:
    """Say what is asked of a crowd.

    A node counts a block when it hands it over, whole: a second may have one more than left in it.
    """
    assert crowd.uplink is not None
    clients = crowd.clients
    one_block = BLOCK_BYTES / crowd.uplink
    asked = []
    if clients in EFFICIENCY_ASKED:
        asked.append(Asked("efficiency", EFFICIENCY_ASKED[clients], True))
    asked += [
        Asked("efficiency", 1.0, True, rival),
        Asked("redundant %", 1.0, False),
        Asked("copies off ideal %", 15.0, False),
        Asked("ahead of u t, ms", 1000 * burst_seconds, False),
        Asked("fastest second, % of u", 100 * (1 + burst_seconds + one_block), False),
    ]
    if clients == SPREAD_ASKED_AT:
        asked.append(Asked("spread of uploads %", 10.0, False))
    return asked


# --- One seed to one leecher ----------------------------------------------------------------


def pair_figures(crowd: Crowd, result: CrowdResult) -> Figures:
    """Give the figures of one seed and one leecher."""
    gigabytes = crowd.file_bytes / 1e9
    return {
        "MB/s": crowd.file_bytes / MEGABYTE / result.finished_seconds[1],
        "CPU s/GB receiving": result.cpu_seconds[1] / gigabytes,
        "CPU s/GB sending": result.cpu_seconds[0] / gigabytes,
    }


def asked_of_pair(rival: str) -> Sequence[Asked]:
    """Say what is asked of one seed and one leecher."""
    return [
        Asked("MB/s", 1.3, True, rival),
        Asked("CPU s/GB receiving", 1.5, False),
        Asked("CPU s/GB sending", 0.5, False),
    ]


# --- The join -------------------------------------------------------------------------------


def join_figures(crowd: Crowd, result: CrowdResult) -> Figures:
    """Give how long it took from the tracker's answer to the first request, in round trips."""
    asked = [one for node in result.nodes if (one := node.first_request_seconds) is not None]
    if not asked:
        return {"round trips": math.nan, "exactly": math.nan}
    exactly = statistics.median(asked) / (2 * crowd.latency_seconds)
    return {"round trips": round(exactly), "exactly": exactly}  # What is over is computing.


ASKED_OF_JOIN: Sequence[Asked] = (Asked("round trips", 2.0, False),)


# --- Printing -------------------------------------------------------------------------------


def print_table(title: str, found: Rounds, asked: Sequence[Asked], ours: str) -> list[str]:
    """Print medians of all, ratios of the first figure, and what is asked of ours.

    Returns:
      A line for each thing that is asked.
    """
    print(f"\n{title}", flush=True)
    complete: Mapping[str, list[Figures]] = {name: rounds for name, rounds in found.items() if rounds}
    if complete:
        print(f"  {'':24}" + "".join(f"{name:>26}" for name in complete))
        for figure in next(iter(complete.values()))[0]:
            line = f"  {figure:24}"
            for rounds in complete.values():
                line += f"{statistics.median(one[figure] for one in rounds):26.3f}"
            print(line)
        key = next(iter(next(iter(complete.values()))[0]))
        for name in complete:
            ratio = Asked(key, 0.0, True, name).reached(found, ours)
            if name != ours and not math.isnan(ratio):
                print(f"  {key}, ours / {name}: {ratio:.3f}")
    lines = []
    for one in asked:
        reached = one.reached(found, ours)
        figure = "" if math.isnan(reached) else f"{reached:.3f}: "
        lines.append(f"{title.partition(';')[0]}: {one}: {figure}{one.verdict(reached)}")
    for line in lines:
        print(f"  asked: {line.partition(': ')[2]}", flush=True)
    return lines
