"""Takes the pictures of docs/reading-a-report.md: `python docs/take_screenshots.py REPORT COMPARISON`.

REPORT and COMPARISON are a report.html and a comparison.html. Needs playwright and Chromium.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
PAGE_WIDTH, PHONE_WIDTH = 860, 360


def opened(browser: Browser, path: Path, *, width: int = PAGE_WIDTH, scheme: str = "light") -> Page:
    """Open a page as wide as its text."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(path.resolve().as_uri())
    return page


def take(browser: Browser, report: Path, comparison: Path) -> None:
    """Take all of them."""
    page = opened(browser, report)
    page.screenshot(path=IMAGES / "report-top.png")
    for heading in page.locator("figure h3").all():
        figure = heading.locator("xpath=..")
        name = figure.evaluate("one => one.dataset.name")
        figure.screenshot(path=IMAGES / f"report-{name}.png")
    page.locator("form.cost").scroll_into_view_if_needed()
    page.get_by_label("file, GB").fill("4")
    page.locator("form.cost").screenshot(path=IMAGES / "report-cost.png")
    page.locator("#validity").screenshot(path=IMAGES / "report-validity.png")
    opened(browser, report, width=PHONE_WIDTH, scheme="dark").screenshot(
        path=IMAGES / "report-phone-dark.png",
        clip={"x": 0, "y": 0, "width": PHONE_WIDTH, "height": 1100},
        full_page=True,
    )
    opened(browser, comparison).screenshot(
        path=IMAGES / "comparison.png",
        clip={"x": 0, "y": 0, "width": PAGE_WIDTH, "height": 1110},
        full_page=True,
    )


def main() -> None:
    """Read the arguments, open the browser."""
    report, comparison = (Path(one) for one in sys.argv[1:])
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        take(browser, report, comparison)
        browser.close()


if __name__ == "__main__":
    main()
