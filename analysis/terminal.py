"""What a command says last on a terminal: table, verdict, and where the page is."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from analysis.findings import State
from analysis.pair_page import answer, change_table
from analysis.run_pair import RunPair
from analysis.summary import Summary
from analysis.tables import Table, answer_table
from analysis.tables_of_load import closed_load_table, open_load_table


def terminal_summary(summary: Summary) -> RenderableType:
    """Give what a person reads last: it fits 80 columns and says the same without colour."""
    parts: list[RenderableType] = []
    if summary.is_about_load:
        tables = (closed_load_table(summary), open_load_table(summary))
        parts += [table_grid(one, leave_out={"p50", "p99"}) for one in tables if one.rows]
    else:
        parts.append(table_grid(answer_table(summary, ranges=False)))
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
    if summary.comparisons or summary.is_about_load:
        parts.append(Text(summary.note, style="dim"))
    parts.append(path_line("Report", summary.report_path))
    return Group(*parts)


def terminal_comparison(pair: RunPair, page_path: Path) -> RenderableType:
    """Give what a person reads after two runs were compared; it fits 80 columns."""
    grid = table_grid(change_table(pair.pairs), leave_out={"repeats", "BASE", "NEW"})
    parts: list[RenderableType] = [grid]
    colour = "red" if pair.untrusted else "green" if not pair.alarms else "yellow"
    parts.append(Panel(Text(answer(pair), style="bold"), border_style=colour))
    parts.extend(Text(f" ! {one}", style="yellow") for one in pair.warnings)
    parts.extend(Text(f" - left out: {one}", style="dim") for one in pair.left_out)
    parts.append(path_line("Comparison", page_path))
    return Group(*parts)


def path_line(name: str, path: Path) -> Text:
    """Say where something is."""
    # Short enough to stay in one piece on a line: it will be copied.
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return Text(f"{name}: {path}", overflow="fold")


def table_grid(table: Table, leave_out: Collection[str] = ()) -> Grid:
    """Set a table for a terminal, without the columns to leave out."""
    grid = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    kept = [place for place, column in enumerate(table.columns) if column not in leave_out]
    for place in kept:
        column = table.columns[place]
        colour = "dark_orange3" if column == "server" else "blue" if column == "swarm" else None
        grid.add_column(column, justify="right", style=colour, no_wrap=True)
    for row in table.rows:
        grid.add_row(*(row[place] for place in kept))
    return grid
