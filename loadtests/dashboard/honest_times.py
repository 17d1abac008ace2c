"""Locust's own tables with times of three significant digits.

Locust keeps times in buckets of two digits, whole milliseconds below 100 ms, and its page gets the
shortest and longest in whole milliseconds: 0.277 ms reads 0. The buckets are a function of
`locust.stats` that is documented as replaceable; what the page gets is mended on its way, as Locust's
example of an extended page does it.
"""

from __future__ import annotations

from typing import Any

from flask import Response, request
from locust import stats

from loadtests.dashboard.routes import STATS_ROUTE

DIGITS = 3


def significant(value: float) -> float:
    """Round to three significant digits."""
    return float(f"{value:.{DIGITS}g}")


def keep_three_digits() -> None:
    """Let Locust sort times into buckets of three significant digits."""
    # Locust declares whole numbers, and takes any: they are keys of a dictionary.
    stats.bucket_response_time = significant  # type: ignore[assignment]


def honest_row(row: dict[str, Any], entry: Any) -> dict[str, Any]:
    """Give a row of Locust's statistics with the times of its entry."""
    return row | {
        "min_response_time": significant(entry.min_response_time or 0.0),
        "max_response_time": significant(entry.max_response_time),
        "avg_response_time": significant(entry.avg_response_time),
        # Locust holds the median between shortest and longest, which are not in buckets.
        "median_response_time": significant(entry.median_response_time),
    }


def honest_rows(rows: list[dict[str, Any]], all_stats: Any) -> list[dict[str, Any]]:
    """Give the rows of Locust's statistics, the last of which is their total."""
    return [
        honest_row(row, all_stats.entries[row["name"], row["method"]])
        if (row["name"], row["method"]) in all_stats.entries
        else honest_row(row, all_stats.total)
        for row in rows
    ]


def install(environment: Any) -> None:
    """Make Locust honest, on its page too if it has one."""
    keep_three_digits()
    if environment.web_ui is None:
        return

    @environment.web_ui.app.after_request  # type: ignore[untyped-decorator]
    def mend(response: Response) -> Response:
        if request.path == STATS_ROUTE and response.is_json:
            body = response.get_json()
            body["stats"] = honest_rows(body["stats"], environment.runner.stats)
            response.set_data(environment.web_ui.app.json.dumps(body))
        return response
