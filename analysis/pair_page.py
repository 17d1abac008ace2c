"""What a comparison of two runs says and in which order; `pair_command` writes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from analysis.changes import ALARM_PROBABILITY, LEAST_CHANGE, Change, Verdict
from analysis.charts import Chart
from analysis.figure_of_changes import changes as draw_changes
from analysis.page import Banner, Block, Page, Paragraph, Section
from analysis.run_pair import PointPair, RunPair
from analysis.tables import Rows, Table
from analysis.wording import UNKNOWN, number, percent, seconds

SIGNIFICANT_DIGITS = 6
ALIKE = 0.001
"""Differences below are not worth a name."""


def answer(pair: RunPair) -> str:
    """Say in one sentence what is shown."""
    alarms, count = pair.alarms, len(pair.pairs)
    if not alarms:
        points = "the one point" if count == 1 else f"any of {count} points"
        largest = max(pair.pairs, key=lambda one: abs(math.log(one.change.ratio)))
        if abs(largest.change.ratio - 1) < ALIKE:
            return f"No change detected at {points}: all differ by less than {ALIKE:.1%}."
        return (
            f"No change detected at {points}; the largest difference is {largest.name}, "
            f"{_how_much(largest.change)}."
        )
    said = []
    for verdict in (Verdict.SLOWER, Verdict.FASTER):
        some = [one for one in alarms if one.change.verdict is verdict]
        if some:
            most = f"most for {some[0].name}" if len(some) > 1 else f"for {some[0].name}"
            said.append(
                f"{verdict.value} at {len(some)} of {count} points, {most}: {_how_much(some[0].change)}"
            )
    return f"NEW is {'; it is '.join(said)}."


def compose(pair: RunPair) -> tuple[Page, Chart]:
    """Put the page together, and the one chart on it."""
    chart = Chart(
        "changes",
        "Is the new run faster or slower, and where?",
        f"Geometric mean and {1 - ALARM_PROBABILITY:.0%} interval of each point by itself. Shaded: "
        f"changes below {LEAST_CHANGE:.0%}, which are not called any. Filled: a change that holds "
        "after Holm's correction over all points.",
        f"Change of the makespan at each of {len(pair.pairs)} points. {answer(pair)}",
        draw_changes(pair.pairs, f"{pair.base.scenario.name}, {_worlds(pair)}"),
        change_table(pair.pairs),
    )
    blocks: list[Block] = [chart, change_table(pair.pairs)]
    if pair.left_out:
        rows: Rows = [tuple(one.split(": ", 1)) for one in pair.left_out]
        blocks.append(Table("Points that were left out.", ("point", "why"), rows, words=True))
    sections = [
        Section("changes", "Changes", "Point by point", blocks),
        Section("besides", "Besides", "What else differs, without a test", [besides_table(pair.pairs)]),
        Section("setup", "Set-up", "What was compared", _set_up(pair)),
        Section("method", "Method", "How a change is told from chance", [Paragraph(_METHOD)]),
    ]
    banner = None
    if pair.untrusted:
        banner = Banner("A run is not valid: do not use these ratios.", pair.warnings)
    page = Page(
        name=f"{pair.base.run_path.name} and {pair.new.run_path.name}",
        question="Is the new run faster or slower than the base?",
        banner=banner,
        verdict=answer(pair),
        note=" ".join(pair.warnings) if banner is None else "",
        facts=f"BASE {_label(pair.base)}; NEW {_label(pair.new)}; {_worlds(pair)}.",
        thresholds=(),
        sections=sections,
        footer="Computed from the raw rows of both runs by python -m analysis compare.",
    )
    return page, chart


def change_table(pairs: Sequence[PointPair]) -> Table:
    """Every point's times, ratio and verdict."""
    table = Table(
        "Time of the last client: median in each run; change of the geometric mean with its 95% "
        "interval. Could see: the smallest change that this comparison could have called one.",
        ("", "N", "repeats", "BASE", "NEW", "change", "95% interval", "could see", "NEW is"),
    )
    for one in pairs:
        base, new, change = one.base, one.new, one.change
        table.rows.append(
            (
                base.architecture,
                f"{base.clients:,}",
                f"{base.repeats} and {new.repeats}",
                seconds(base.makespan.median if base.makespan else None),
                seconds(new.makespan.median if new.makespan else None),
                signed_percent(change.ratio),
                interval(change),
                percent(change.detectable, 1),
                change.verdict.value,
            )
        )
    return table


def besides_table(pairs: Sequence[PointPair]) -> Table:
    """Other numbers of both runs, to see where a change comes from."""
    table = Table(
        "Medians over the repeats, BASE → NEW.",
        ("", "N", "mean client", "origin copies", "wasted", "CPU s/GB, origin", "CPU s/GB, clients"),
    )
    for one in pairs:
        both = (one.base, one.new)
        table.rows.append(
            (
                one.base.architecture,
                f"{one.base.clients:,}",
                " → ".join(seconds(point.completion.mean) for point in both),
                " → ".join(number(point.origin_copies) for point in both),
                " → ".join(percent(point.wasted_fraction, 1) for point in both),
                *(
                    " → ".join(number(point.cpu_seconds_per_gigabyte[role]) for point in both)
                    for role in ("origin", "client")
                ),
            )
        )
    return table


def as_dict(pair: RunPair) -> dict[str, Any]:
    """Give comparison.json's content; what is not known is None."""
    return {
        "base": str(pair.base.run_path),
        "new": str(pair.new.run_path),
        "verdict": answer(pair),
        "alarms": len(pair.alarms),
        "warnings": list(pair.warnings),
        "differences": [
            {"name": name, "base": before, "new": after} for name, before, after in pair.differences
        ],
        "left_out": list(pair.left_out),
        "points": [
            {
                "architecture": one.base.architecture,
                "placement": one.base.placement,
                "clients": one.base.clients,
                "base_seconds": _short(one.base.makespan.median if one.base.makespan else None),
                "new_seconds": _short(one.new.makespan.median if one.new.makespan else None),
                "base_repeats": one.base.repeats,
                "new_repeats": one.new.repeats,
                "ratio": {
                    "mean": _short(one.change.ratio),
                    "low": _short(one.change.low),
                    "high": _short(one.change.high),
                    "interval": "95% interval (Welch's t on logarithms, variance pooled)",
                },
                "holm_probability": _short(one.change.probability),
                "detectable": _short(one.change.detectable),
                "outcome": one.change.verdict.value,
            }
            for one in pair.pairs
        ],
    }


def signed_percent(ratio: float) -> str:
    """Write a ratio as a change: `+3.2%`."""
    text = f"{ratio - 1:+.1%}"
    return text[1:] if float(text[1:-1]) == 0 else text


def interval(change: Change) -> str:
    """Write the interval of a change."""
    if math.isnan(change.low):
        return UNKNOWN
    return f"{signed_percent(change.low)} to {signed_percent(change.high)}"


def _how_much(change: Change) -> str:
    share = change.ratio - 1
    word = "slower" if share > 0 else "faster"
    around = "" if math.isnan(change.low) else f" (95% interval {interval(change)})"
    return f"{abs(share):.1%} {word}{around}"


def _set_up(pair: RunPair) -> list[Block]:
    runs: Rows = [
        (name, summary.scenario.name, summary.world, summary.status, summary.run_path.name)
        for name, summary in (("BASE", pair.base), ("NEW", pair.new))
    ]
    blocks: list[Block] = [
        Table("The runs.", ("", "scenario", "world", "status", "folder"), runs, words=True)
    ]
    if pair.differences:
        rows: Rows = [tuple(one) for one in pair.differences]
        caption = "What differs in scenario and environment."
        blocks.append(Table(caption, ("", "BASE", "NEW"), rows, words=True))
    else:
        blocks.append(Paragraph("Scenario and environment are the same in both runs, seed excepted."))
    return blocks


def _worlds(pair: RunPair) -> str:
    worlds = dict.fromkeys((pair.base.world, pair.new.world))
    return " and ".join(f"{world} world" for world in worlds)


def _label(summary: Any) -> str:
    return f"{summary.scenario.name} {summary.run_path.name}"


def _short(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


_METHOD = (
    "Times are compared as logarithms, so that a change is a share of the time. How far repeats "
    "scatter is estimated for each architecture from all its points together, in either run by itself; "
    "each difference is held against that with Welch's t. A point that scatters clearly more than the "
    "others (F test) stands for itself. A change is called one if it is at least "
    f"{LEAST_CHANGE:.0%} and its probability by chance, corrected by Holm over all points, is below "
    f"{ALARM_PROBABILITY:.0%}: so of a hundred comparisons of equal runs, fewer than five raise any "
    "alarm."
)
