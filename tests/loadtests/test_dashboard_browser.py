"""The dashboard in a real browser: one run, watched to its end, then looked at from all sides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.loadtests.running import wait_until, write_scenario
from tests.loadtests.watching import (
    CHROMIUM,
    WATCHABLE,
    dashboard,
    fetch,
    needs_chromium,
    rows_at,
    state_of,
)

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (PyPI)")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")

pytestmark = [pytest.mark.sockets, pytest.mark.slow, needs_chromium]

#: A run, its report and a browser, on a machine that has other things to do.
RUN_SECONDS = 300.0
PATIENCE_MS = 60_000

#: Runs in every page and frame before its own scripts: notes the heights of the bars, whenever they are
#: drawn anew, for each architecture.
NOTE_BARS = """
  window.noted = { server: [], swarm: [] };
  const note = () => {
    for (const [name, seen] of Object.entries(window.noted)) {
      const bars = [...document.querySelectorAll(`#${name} .bar`)];
      if (bars.length) seen.push(bars.map((bar) => Number(bar.getAttribute("height"))));
    }
  };
  new MutationObserver(note).observe(document, { childList: true, subtree: true });
"""


@dataclass
class Watched:
    """A run that is over, what was seen of it on the way, and pages that are still open."""

    address: str
    folder: Path
    browser: Any
    charts: Any
    tab: Any
    noted: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    users_seen: set[int] = field(default_factory=set)


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator[Watched]:
    """Watch a run to its end."""
    folder = tmp_path_factory.mktemp("watched")
    with (
        dashboard(folder, write_scenario(folder, WATCHABLE)) as (_, address),
        playwright.sync_playwright() as driver,
    ):
        # Root may not use the sandbox; the page is our own.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        run = Watched(address, folder, browser, context.new_page(), context.new_page())
        for page in (run.charts, run.tab):
            page.add_init_script(NOTE_BARS)
            listen(page, run)
        run.charts.goto(f"{address}swarm-or-server/")
        run.tab.goto(f"{address}?tab=swarm-or-server")
        wait_until(lambda: is_over(run), "the run to be over", RUN_SECONDS)
        run.charts.wait_for_selector("#report:not([hidden])")
        run.tab.wait_for_selector("text=STOPPED")
        run.noted = {"page": noted_in(run.charts), "tab": noted_in(frame_of(run.tab))}
        yield run
        browser.close()


def is_over(run) -> bool:
    """Whether the run is over; looks at Locust's users, and lets the browser's events come in."""
    run.users_seen.add(json.loads(fetch(f"{run.address}stats/requests"))["user_count"])
    run.charts.wait_for_timeout(200)
    return state_of(run.address)["run"]["stage"] == "over"


def frame_of(tab):
    return tab.wait_for_selector("iframe").content_frame()


def noted_in(frame) -> dict[str, list[list[float]]]:
    noted: dict[str, list[list[float]]] = frame.evaluate("window.noted")
    return noted


def listen(page, run):
    page.on("console", lambda said: run.complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: run.complaints.append(str(error)))
    page.on("request", lambda request: run.hosts.add(request.url.split("/")[2]))


def steps(heights: list[list[float]], nodes: int) -> int:
    """How often the bars of so many nodes were drawn anew, some higher and none lower."""
    drawn = [bars for bars in heights if len(bars) == nodes]
    return sum(
        before != after and all(a >= b for a, b in zip(after, before, strict=True))
        for before, after in pairwise(drawn)
    )


@pytest.mark.parametrize("place", ["page", "tab"])
@pytest.mark.parametrize("architecture", ["server", "swarm"])
def test_bars_move_during_a_run_on_the_page_and_in_locusts_tab(watched, place, architecture):
    assert steps(watched.noted[place][architecture], nodes=4) >= 2


def test_locusts_users_step_up_with_the_sweep(watched):
    assert {2, 3} <= watched.users_seen


def test_nothing_complains_and_nobody_else_is_asked(watched):
    assert watched.complaints == []
    assert watched.hosts == {watched.address.split("/")[2]}


def test_what_the_tables_show_are_the_rows_of_the_run(watched):
    rows = pd.read_parquet(newest(watched.folder) / "nodes.parquet")
    rows = rows[(rows["role"] != "tracker") & (rows["clients"] == 3)]
    watched.charts.select_option("#pairs", "3:0")
    for name in ("server", "swarm"):
        watched.charts.wait_for_function(
            "(name) => document.querySelectorAll(`#${name} .bar`).length === 4", arg=name
        )
        watched.charts.click(f"#{name} summary")
        table = watched.charts.locator(f"#{name} .scroll tbody tr").all_inner_texts()
        shown = [line.split("\t")[1] for line in table]
        sent = rows[rows["architecture"] == name].sort_values("node_id")["uploaded_payload_bytes"]
        assert [float(copies) for copies in shown] == pytest.approx(
            [size / (512 * 1024) for size in sent], rel=0.005
        )


def test_locusts_own_table_has_a_row_for_each_trial_with_the_times_of_the_rows(watched):
    rows = pd.read_parquet(newest(watched.folder) / "nodes.parquet")
    clients = rows[rows["role"] == "client"]
    table = watched.tab.locator("main table tbody tr").all_inner_texts()
    shown = {tuple(line.split("\t")[:2]): line.split("\t") for line in table}
    assert len(shown) == 4
    for (name, count), group in clients.groupby(["architecture", "clients"]):
        row = shown[f"N = {count}, repeat 1", name]
        makespan = group["finished_seconds"].max() - group["joined_seconds"].min()
        assert row[2:5] == ["complete", f"{count}/{count}", f"{makespan:#.3g}"]
        origin = rows[
            (rows["architecture"] == name) & (rows["clients"] == count) & (rows["role"] == "origin")
        ]
        copies = int(origin["uploaded_payload_bytes"].iloc[0]) / (512 * 1024)
        assert row[5] == f"{copies:#.3g}"


def test_locusts_statistics_have_times_of_three_digits(watched):
    watched.tab.goto(f"{watched.address}?tab=stats")
    row = watched.tab.locator("tbody tr", has_text="N = 3: whole file").first
    cells = row.inner_text().split("\t")
    assert cells[2] == "3"
    for time in cells[4:7] + cells[8:10]:
        assert float(time) == float(f"{float(time):.3g}")
        assert float(time) > 1000
    watched.tab.goto(f"{watched.address}?tab=swarm-or-server")
    watched.tab.wait_for_selector("iframe")


def test_the_tab_leaves_locusts_other_tabs_alone(watched):
    watched.tab.goto(f"{watched.address}?tab=swarm-or-server")
    watched.tab.wait_for_selector("iframe")
    watched.tab.click("text=Failures >> nth=-1")
    watched.tab.wait_for_selector("iframe", state="detached")
    watched.tab.click("role=tab[name='Swarm or server']")
    watched.tab.wait_for_selector("iframe")


def test_the_csv_is_what_the_page_shows(watched):
    rows = rows_at(f"{watched.address}swarm-or-server/nodes.csv")
    shown = [node for trial in state_of(watched.address)["trials"] for node in [trial["clients"] + 1]]
    assert len(rows) == sum(shown)


def test_the_link_opens_the_report(watched):
    with watched.charts.context.expect_page() as opening:
        watched.charts.click("#report")
    report = opening.value
    report.wait_for_load_state()
    assert report.locator("h1").count() == 1
    assert watched.charts.locator("#verdict").inner_text() in report.inner_text("body")
    report.close()


def test_the_report_opens_from_disk_without_network_and_without_complaints(watched):
    page = watched.browser.new_page()
    complaints, requests = [], []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    address = (newest(watched.folder) / "report" / "report.html").as_uri()
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert complaints == []
    assert [url for url in requests if url != address and not url.startswith("data:")] == []
    page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 800, 1280])
def test_the_page_passes_an_accessibility_check(watched, theme, width):
    context = watched.browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    page = context.new_page()
    page.goto(f"{watched.address}swarm-or-server/")
    page.wait_for_selector("#sweep svg")
    results = axe.Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0
    context.close()


def newest(folder: Path) -> Path:
    """The folder of the run."""
    (run,) = (path for path in (folder / "results" / "watchable").iterdir() if not path.is_symlink())
    return run
