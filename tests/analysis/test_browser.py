"""The report in a real browser: it opens from the disk alone, and everybody can read it."""

import os
import shutil
from pathlib import Path

import pytest

from analysis.pair_files import write_comparison
from analysis.report import write_report
from analysis.run_pair import compare_runs
from tests.analysis.make_run import make_run, make_scenario

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe_api = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = (1280, 800, 360)
SCHEMES = ("light", "dark")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        # A container's root has no user namespace to put the browser's children in.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A report, one of a run that must not be trusted, and a comparison: made once, only read."""
    root = tmp_path_factory.mktemp("results")

    def lose(record):
        record.trial.payload_received_bytes -= 1

    whole = make_run(root, make_scenario(clients=(1, 2, 4, 6, 16, 32), repeats=2))
    invalid = make_run(root, make_scenario(clients=(2, 6), repeats=1), change=lose)
    again = make_run(root, make_scenario(clients=(2, 6), repeats=2))
    pair = compare_runs(whole, again)
    return {
        "report": write_report(whole).report_path,
        "invalid": write_report(invalid).report_path,
        "comparison": write_comparison(pair, root / "comparison"),
    }


@pytest.fixture
def open_page(browser, pages):
    """Open one of the pages; every request and every word on the console is kept."""
    contexts = []

    def opened(name, *, width=1280, scheme="light", scripts=True):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(pages[name].as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", ["report", "invalid", "comparison"])
def test_page_opens_from_disk_without_a_request_or_a_complaint(open_page, pages, name):
    page = open_page(name)
    page.wait_for_load_state("networkidle")
    elsewhere = [url for url in page.asked if not url.startswith(("data:", pages[name].as_uri()))]
    assert elsewhere == []
    assert page.said == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["report", "invalid", "comparison"])
def test_page_passes_the_accessibility_check(open_page, name, scheme):
    """Contrast, names, labels, order of headings: whatever axe knows."""
    page = open_page(name, scheme=scheme)
    for details in page.locator("details").all():
        details.evaluate("one => one.open = true")
    found = axe_api.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["report", "comparison"])
def test_page_never_scrolls_sideways(open_page, name, width):
    page = open_page(name, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_every_chart_is_shown_once_and_large_enough_to_read(open_page, width):
    page = open_page("report", width=width)
    for figure in page.locator("figure").all():
        shown = [one for one in figure.locator("svg[role=img]").all() if one.is_visible()]
        assert len(shown) == 1
        heights = shown[0].evaluate(
            "svg => [...svg.querySelectorAll('text')].map(one => one.getBBox().height)"
            ".map(height => height * svg.clientWidth / svg.viewBox.baseVal.width)"
        )
        smallest = min(height for height in heights if height)
        assert smallest >= 8, figure.locator("h3").text_content()


def test_price_and_file_are_the_readers_own(open_page):
    page = open_page("report")
    last = page.locator("form.cost + div tbody tr").last
    page.get_by_label("price per GB").fill("0.10")
    page.get_by_label("file, GB").fill("10")
    # 32 clients: a server's origin sends 32 copies of 10 GB at 0.10.
    assert last.locator("td").first.text_content() == "32"
    page.get_by_label("price per GB").fill("0.20")
    assert last.locator("td").first.text_content() == "64"
    assert "64 from a server" in page.locator("form.cost output").text_content()


def test_without_scripts_the_example_stands(open_page):
    page = open_page("report", scripts=False)
    assert not page.locator("form.cost").is_visible()
    assert page.locator("form.cost + div tbody tr").count() == 6


def test_everything_is_reached_by_keyboard(open_page):
    page = open_page("report")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#time"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#time"
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.get_attribute("open") is not None


def test_status_is_said_at_the_top_in_red(open_page):
    page = open_page("invalid")
    banner = page.get_by_role("alert")
    assert "not valid" in banner.text_content()
    assert banner.bounding_box()["y"] < page.locator(".verdict").bounding_box()["y"]
    red, green, blue = (
        int(one) for one in banner.evaluate("one => getComputedStyle(one).color")[4:-1].split(",")
    )
    assert red > 2 * max(green, blue)


def test_print_shows_every_number_and_fits_the_paper(open_page, tmp_path):
    page = open_page("report")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    written = Path(tmp_path / "report.pdf")
    page.pdf(path=written, format="A4")
    assert written.read_bytes().startswith(b"%PDF")
    page.set_viewport_size({"width": 794, "height": 1123})  # A4 at 96 dots an inch.
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
