"""The origin leaves, or the tracker does: who has the file afterwards, in the simulated world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtests.plan import Architecture
from testbed.errors import ScenarioError
from testbed.outages import Outage, parse_outage
from tests.worlds.simulating import KIB, Simulated, make_plan, simulate, small_scenario

#: 256 KiB over an origin's uplink of 512 KiB/s.
COPY_SECONDS = 0.5


def trial(tmp_path: Path, architecture: Architecture, clients: int = 6, **changes: Any) -> Simulated:
    scenario = small_scenario(trial_limit_seconds=20.0, **changes)
    return simulate(make_plan(scenario, architecture, clients, tmp_path))


def finished(trial):
    return sum(row.verified for row in trial.clients)


def test_without_its_origin_no_client_of_a_server_finishes(tmp_path):
    ended = trial(tmp_path, "server", origin_leaves="after 2 copies")
    assert ended.record.trial.status == "complete"
    assert finished(ended) == 0
    assert ended.record.trial.files_expected == 0


def test_whom_the_server_has_served_before_it_left_keeps_its_file(tmp_path):
    first_one = {"arrivals": "every 10 s", "origin_leaves": "after 5 s"}
    assert finished(trial(tmp_path, "server", clients=2, **first_one)) == 1


def test_a_swarm_finishes_once_every_piece_is_out(tmp_path):
    ended = trial(tmp_path, "swarm", origin_leaves="after 2 copies")
    assert finished(ended) == 6
    assert ended.record.nodes[0].left_seconds == pytest.approx(2 * COPY_SECONDS)


def test_a_swarm_does_not_finish_if_a_piece_never_came_out(tmp_path):
    ended = trial(tmp_path, "swarm", origin_leaves="after 0.5 copies")
    assert finished(ended) == 0
    assert ended.record.trial.status == "complete"
    assert ended.record.trial.files_expected == 0


def test_half_a_file_is_all_that_half_a_copys_time_can_give(tmp_path):
    ended = trial(tmp_path, "swarm", origin_leaves="after 0.5 copies")
    assert ended.record.nodes[0].uploaded_payload_bytes <= 128 * KIB + 16 * KIB


def test_peers_that_know_each_other_need_no_tracker(tmp_path):
    ended = trial(tmp_path, "swarm", tracker_leaves="after 0.3 s")
    assert finished(ended) == 6


def test_outages_are_written_in_sentences():
    assert parse_outage("never") is None
    assert parse_outage("after 1.1 copies") == Outage(copies=1.1)
    assert parse_outage("after 500 ms") == Outage(seconds=0.5)
    assert Outage(copies=2.0).due_seconds(1000, 500.0) == 4.0


@pytest.mark.parametrize("sentence", ["soon", "after copies", "after 3", "after -1 copies", ""])
def test_a_sentence_that_says_no_time_is_refused(sentence):
    with pytest.raises(ScenarioError):
        parse_outage(sentence)
