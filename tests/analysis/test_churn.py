"""What coming and going cost: from rows of nodes to figures."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from analysis.churn import churn, left_behind, read_churn
from analysis.load import TRIAL_KEYS


def row(architecture, sessions, wasted, rediscovery, role="client"):
    return {
        "placement": "together",
        "architecture": architecture,
        "clients": 2,
        "repeat": 0,
        "role": role,
        "sessions": sessions,
        "wasted_payload_bytes": wasted,
        "rediscovery_seconds": rediscovery,
    }


def found(*rows: dict[str, object]) -> pd.DataFrame:
    return churn(pd.DataFrame(rows), piece_bytes=100)


def test_waste_is_spread_over_all_sessions_of_all_clients():
    trial = found(row("swarm", 3, 250, 0.5), row("swarm", 1, 50, None)).iloc[0]
    assert trial["sessions_per_client"] == 2.0
    assert trial["wasted_bytes_per_session"] == 75.0
    assert trial["wasted_pieces_per_session"] == 0.75
    assert trial["rediscovery_seconds"] == 0.5


def test_a_servers_clients_waste_no_pieces():
    trial = read_churn(found(row("server", 3, 250, 0.5), row("server", 1, 50, None)))
    assert trial is not None
    assert trial.wasted_bytes_per_session == 75.0
    assert trial.wasted_pieces_per_session is None


def test_where_all_clients_came_once_there_is_nothing_to_say():
    """An origin that moved is no client."""
    rows = row("swarm", 1, 10, None), row("swarm", 1, 0, None), row("swarm", 2, 0, None, "origin")
    assert read_churn(found(*rows)) is None


def test_the_longest_rediscovery_of_all_repeats_counts():
    trials = pd.concat([found(row("swarm", 2, 0, seconds)) for seconds in (0.2, 0.7, 0.3)])
    together = read_churn(trials)
    assert together is not None
    assert together.rediscovery_seconds == pytest.approx(0.7)


class Transfers:
    """Rows of one trial of a swarm, as `analysis.transfers` gives them."""

    def __init__(self, *pieces_from_origin: int) -> None:
        self.rows = pd.DataFrame(
            [(0, "piece", index, "ok") for index in pieces_from_origin]
            + [(1, "piece", 2, "ok"), (0, "piece", 1, "corrupt")],
            columns=["source_id", "unit", "index", "outcome"],
        )

    def by_trial(self, columns, only):
        yield from ((trial, self.rows[columns]) for trial in only)


@pytest.mark.parametrize(
    ("origin_leaves", "from_origin", "out", "behind"),
    [
        ("after 2 copies", (0, 0), 1 / 3, 0.0),
        ("after 2 copies", (0, 1, 2, 2), 1.0, 0.25),
        ("never", (0, 1, 2), None, None),
    ],
)
def test_nobody_is_left_behind_before_every_piece_is_out(origin_leaves, from_origin, out, behind):
    trial = ("together", "swarm", 4, 0)
    run = SimpleNamespace(
        scenario=SimpleNamespace(origin_leaves=origin_leaves),
        transfers=Transfers(*from_origin),
        file_bytes=250,
        piece_bytes=100,
    )
    finished = pd.Series([0.75], index=pd.MultiIndex.from_tuples([trial], names=TRIAL_KEYS))
    shares = left_behind(run, {trial}, finished).iloc[0]
    for name, expected in (("pieces_out_fraction", out), ("left_behind_fraction", behind)):
        assert shares[name] == pytest.approx(
            float("nan") if expected is None else expected, nan_ok=True
        )
