"""The end of `make bench` on a terminal: table, thresholds, verdict, and the report's path."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from analysis.findings import State
from analysis.summary import Summary
from analysis.tables import answer_table


def terminal_summary(summary: Summary) -> RenderableType:
    """Give what a person reads last: it fits 80 columns and says the same without colour."""
    parts: list[RenderableType] = [_grid(summary)]
    for one in summary.thresholds:
        colour = {True: "green", False: "red", None: "dim"}[one.met]
        parts.append(Text.assemble((f" {one.mark} ", colour), f"{one.text} ", (one.detail, "dim")))
    parts.extend(
        Text(f" ✗ {one.name}: {one.detail}", style="bold red")
        for one in summary.checks
        if one.state is State.FAILED
    )
    bad = summary.status != "complete"
    title = f"status: {summary.status}" if bad else None
    parts.append(
        Panel(
            Text(summary.verdict, style="bold"),
            border_style="red" if bad else "green",
            title=title,
            title_align="left",
        )
    )
    if summary.comparisons:
        parts.append(Text(summary.note, style="dim"))
    # Short enough to stay in one piece on a line: it will be copied.
    path = summary.report_path
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    parts.append(Text(f"Report: {path}", overflow="fold"))
    return Group(*parts)


def _grid(summary: Summary) -> Grid:
    table = answer_table(summary, ranges=False)
    grid = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for column in table.columns:
        colour = "dark_orange3" if column == "server" else "blue" if column == "swarm" else None
        grid.add_column(column, justify="right", style=colour, no_wrap=True)
    for row in table.rows:
        grid.add_row(*row)
    return grid
