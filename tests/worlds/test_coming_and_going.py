"""Clients that leave and come back at another address, and an origin that moves, in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtests.plan import Architecture
from loadtests.simulated_trial import SimulatedTrial
from tests.worlds.simulating import KIB, make_plan, small_scenario

FILE_BYTES = 256 * KIB
PIECE_BYTES = 16 * KIB

#: What waits unread at a client: two kernel buffers, as `testbed.simulated_link` has them.
WINDOW_BYTES = 64 * KIB

OFTEN = "of 300 ms, away 200 ms"


class Ended:
    """A trial that was run."""

    def __init__(
        self, tmp_path: Path, architecture: Architecture, clients: int, **changes: Any
    ) -> None:
        scenario = small_scenario(**{"trial_limit_seconds": 60.0} | changes)
        trial = SimulatedTrial(make_plan(scenario, architecture, clients, tmp_path))
        self.record = trial.run(lambda progress: None)
        self.clients = [row for row in self.record.nodes if row.role == "client"]
        self.origin = self.record.nodes[0]
        self.finished = sum(row.verified for row in self.clients)
        self.hosts = {station.address[0] for station in trial.world.stations}


@pytest.mark.parametrize("architecture", ["server", "swarm"])
def test_all_finish_however_often_they_leave_and_no_byte_is_counted_wrongly(tmp_path, architecture):
    ended = Ended(tmp_path, architecture, 6, sessions=OFTEN)
    trial = ended.record.trial
    assert (trial.status, ended.finished) == ("complete", 6)
    assert trial.payload_sent_bytes == trial.payload_received_bytes
    for row in ended.clients:
        assert row.sessions > 2
        assert row.downloaded_payload_bytes - row.wasted_payload_bytes == FILE_BYTES
        assert row.rediscovery_seconds is not None


@pytest.mark.parametrize("architecture", ["server", "swarm"])
def test_each_session_has_an_address_of_its_own_and_every_transfer_a_known_source(
    tmp_path, architecture
):
    ended = Ended(tmp_path, architecture, 6, sessions=OFTEN)
    assert len(ended.hosts) == sum(row.sessions for row in ended.record.nodes)
    assert {row.source_id for row in ended.record.transfers} <= set(range(7))


def test_a_download_from_a_server_goes_on_where_it_was(tmp_path):
    ended = Ended(tmp_path, "server", 3, sessions=OFTEN)
    sessions = sum(row.sessions for row in ended.clients)
    assert sum(row.wasted_payload_bytes for row in ended.clients) <= sessions * WINDOW_BYTES
    # One row each, from the first session's request on.
    assert [row.payload_bytes for row in ended.record.transfers] == [FILE_BYTES] * 3


def test_a_peer_loses_no_more_than_a_piece_a_session(tmp_path):
    ended = Ended(tmp_path, "swarm", 8, sessions="weibull 0.5, mean 1 s, away 200 ms")
    sessions = sum(row.sessions for row in ended.clients)
    assert sessions > 16
    assert sum(row.wasted_payload_bytes for row in ended.clients) <= sessions * PIECE_BYTES


def test_time_away_is_no_time_on_line(tmp_path):
    (row,) = Ended(tmp_path, "server", 1, sessions="of 500 ms, away 5 s").clients
    assert row.away_seconds == pytest.approx(5.0 * (row.sessions - 1))
    assert row.finished_seconds - row.away_seconds < 2.0


def test_both_architectures_meet_the_same_sessions(tmp_path):
    scenario = small_scenario(sessions="weibull 0.5, mean 1 s, away 200 ms")
    server, swarm = (make_plan(scenario, one, 4, tmp_path) for one in ("server", "swarm"))
    for client in range(1, 5):
        assert next(server.stays(client)) == next(swarm.stays(client))


def test_a_server_that_moves_loses_all_that_are_not_done(tmp_path):
    changes = {"arrivals": "every 10 s", "origin_moves": "after 15 s"}
    ended = Ended(tmp_path, "server", 3, **changes)
    assert ended.record.trial.status == "complete"
    assert [row.verified for row in ended.clients] == [True, True, False]
    assert ended.clients[2].downloaded_payload_bytes == 0


def test_a_swarm_finds_an_origin_that_has_moved_when_it_announces_itself_again(tmp_path):
    """Half of the pieces are with nobody else."""
    peers = {"announce_interval": "2 s"}
    ended = Ended(tmp_path, "swarm", 6, origin_moves="after 0.5 copies", peers=peers)
    assert ended.finished == 6
    assert ended.origin.sessions == 2
    assert max(row.finished_seconds for row in ended.clients) > 2.0


def test_a_swarm_does_not_find_it_before(tmp_path):
    peers = {"announce_interval": "1000 s", "neighbours": 4}  # With fewer links they ask sooner.
    ended = Ended(
        tmp_path, "swarm", 6, origin_moves="after 0.5 copies", peers=peers, trial_limit_seconds=10.0
    )
    assert ended.finished == 0
    assert ended.origin.uploaded_payload_bytes < FILE_BYTES


def test_an_origin_that_would_move_after_the_end_does_not(tmp_path):
    assert Ended(tmp_path, "swarm", 2, origin_moves="after 50 s").origin.sessions == 1


@pytest.mark.parametrize("exchange", [False, True])
def test_peers_that_come_back_find_others_without_a_tracker(tmp_path, exchange):
    peers = {"peer_exchange": exchange, "exchange_interval": "500 ms"}
    ended = Ended(tmp_path, "swarm", 8, sessions=OFTEN, tracker_leaves="after 250 ms", peers=peers)
    assert ended.finished == 8
    tracker = ended.record.nodes[-1]
    assert tracker.left_seconds == pytest.approx(0.25)


def test_a_tracker_leaves_once_it_has_heard_of_everybody(tmp_path):
    ended = Ended(
        tmp_path, "swarm", 6, arrivals="every 50 ms", tracker_leaves="after the first announces"
    )
    assert ended.record.nodes[-1].left_seconds == pytest.approx(0.25, abs=0.006)
    assert ended.finished == 6


def test_peers_that_know_few_are_told_of_more_by_their_neighbours(tmp_path):
    """Everybody but the first was told of those alone who came before it, and dials four of them."""
    links = []
    for exchange in (False, True):
        ended = Ended(
            tmp_path,
            "swarm",
            16,
            tracker_leaves="after the first announces",
            peers={"peer_exchange": exchange},
        )
        assert ended.finished == 16
        first = ended.clients[0]
        links.append(first.connections_dialled)
    assert links[1] > links[0]
