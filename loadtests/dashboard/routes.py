"""Where the board is shown: pages, raw data and the report, beside Locust's own addresses.

The tab uses Locust's extension points: `extended_tabs`, `extended_tables` and `extended_csv_files`
among its template's arguments, and `extended_stats` in what its page fetches every two seconds. One
script tag added to Locust's page puts the charts into the tab. Should a release of Locust change its
page, the charts are still at `/swarm-or-server/`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from flask import Blueprint, Response, abort, redirect, request, send_from_directory, url_for

from loadtests.dashboard.board import Board, Trial
from testbed.units import format_rate

KEY = "swarm-or-server"

TITLE = "Swarm or server"

STATS_ROUTE = "/stats/requests"
"""What Locust's page fetches every two seconds."""

WEB = Path(__file__).resolve().parent / "web"

COLUMNS: Mapping[str, str] = {
    "trial": "Trial",
    "architecture": "Architecture",
    "state": "State",
    "done": "Done",
    "seconds": "Last one done after (s)",
    "origin": "Origin sent (copies)",
    "clients": "Clients sent (copies)",
    "rate": "Rate",
}

DOWNLOADS: Mapping[str, str] = {
    f"./{KEY}/nodes.csv": "Download swarm or server: nodes CSV",
    f"./{KEY}/trials.csv": "Download swarm or server: trials CSV",
    f"./{KEY}/data.json": "Download swarm or server: everything as JSON",
    f"./{KEY}/report/": "Open the report of the finished run",
}


def install(environment: Any, board: Board) -> None:
    """Add the pages, and the tab in Locust's own."""
    web_ui = environment.web_ui
    web_ui.template_args |= template_arguments()
    web_ui.app.register_blueprint(make_blueprint(board))

    @web_ui.app.after_request  # type: ignore[untyped-decorator]
    def extend(response: Response) -> Response:
        if request.path == STATS_ROUTE and response.is_json:
            table = [{"key": KEY, "data": table_rows(board)}]
            body = response.get_json() | {"extended_stats": table}
            response.set_data(web_ui.app.json.dumps(body))
        elif request.path == "/" and response.mimetype == "text/html":
            script = f'<script type="module" src="./{KEY}/tab.js"></script>'
            page = response.get_data(as_text=True)
            response.set_data(page.replace("</body>", f"{script}</body>"))
        return response


def template_arguments() -> dict[str, Any]:
    """Give what Locust's page is told about the tab."""
    columns = [{"key": key, "title": title} for key, title in COLUMNS.items()]
    return {
        "extended_tabs": [{"title": TITLE, "key": KEY}],
        "extended_tables": [{"key": KEY, "structure": columns}],
        "extended_csv_files": [{"href": href, "title": title} for href, title in DOWNLOADS.items()],
    }


def table_rows(board: Board) -> list[dict[str, str]]:
    """Give the rows of Locust's table, the latest trial first."""
    return [table_row(trial) for trial in reversed(board.trials)]


def table_row(trial: Trial) -> dict[str, str]:
    """Say in words where one trial is."""
    seconds, size = trial.makespan_seconds, trial.file_bytes
    return {
        "trial": f"N = {trial.clients}, repeat {trial.repeat + 1}",
        "architecture": trial.architecture,
        "state": trial.phase if trial.status == "running" else trial.status,
        "done": f"{trial.done}/{trial.clients}",
        "seconds": "" if seconds is None else f"{seconds:#.3g}",
        "origin": f"{trial.origin_uploaded_payload_bytes / size:#.3g}" if size else "",
        "clients": f"{trial.clients_uploaded_payload_bytes / size:#.3g}" if size else "",
        "rate": format_rate(trial.rate_bytes_per_second),
    }


def make_blueprint(board: Board) -> Blueprint:
    """Make all addresses below `/swarm-or-server/`."""
    blueprint = Blueprint(
        "swarm_or_server",
        __name__,
        url_prefix=f"/{KEY}",
        static_folder=str(WEB),
        static_url_path="/",
    )

    def page() -> Response:
        return send_from_directory(WEB, "index.html")

    def state() -> Response:
        return _json(board.state(_pair_asked_for()))

    def data() -> Response:
        return _download(_json(board.everything()), "swarm-or-server.json")

    def nodes() -> Response:
        return _csv(board.node_rows(), "swarm-or-server-nodes.csv")

    def trials() -> Response:
        return _csv(board.trial_rows(), "swarm-or-server-trials.csv")

    def report(name: str) -> Any:
        if board.conclusion is None or not board.conclusion.report_folder:
            abort(404, "the report is written when the run is over")
        if not name:
            return redirect(url_for(".report_file", name="report.html"))
        return send_from_directory(board.conclusion.report_folder, name)

    blueprint.add_url_rule("/", "page", page)
    blueprint.add_url_rule("/state.json", "state", state)
    blueprint.add_url_rule("/data.json", "data", data)
    blueprint.add_url_rule("/nodes.csv", "nodes", nodes)
    blueprint.add_url_rule("/trials.csv", "trials", trials)
    blueprint.add_url_rule("/report/", "report", report, defaults={"name": ""})
    blueprint.add_url_rule("/report/<path:name>", "report_file", report)
    return blueprint


def _pair_asked_for() -> tuple[int, int] | None:
    try:
        return int(request.args["clients"]), int(request.args["repeat"])
    except (KeyError, ValueError):
        return None


def _json(body: object) -> Response:
    response = Response(msgspec.json.encode(body), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _csv(rows: Iterable[dict[str, Any]], name: str) -> Response:
    text = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(text, list(row))
            writer.writeheader()
        writer.writerow(row)
    return _download(Response(text.getvalue(), mimetype="text/csv"), name)


def _download(response: Response, name: str) -> Response:
    response.headers["Content-Disposition"] = f"attachment;filename={name}"
    response.headers["Cache-Control"] = "no-store"
    return response
