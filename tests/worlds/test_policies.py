"""Every policy of a scenario, and what each is said to do, in the simulated world."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from peers.core.picker import PICKERS
from peers.core.upload import SERVINGS
from peers.settings import ORIGINS
from testbed.links import ClientClass
from tests.worlds.simulating import KIB, make_plan, simulate, small_scenario

CLIENTS = 8


def run(folder, clients=CLIENTS, **changes: Any):
    """Simulate a swarm of equal uplinks; everybody ends with the file."""
    rates = {
        "origin_uplink_bytes_per_second": 64.0 * KIB,
        "client_uplink_bytes_per_second": 64.0 * KIB,
        "client_downlink_bytes_per_second": 256.0 * KIB,
    }
    links = rates | changes.pop("links", {})
    values = {"file_bytes": 1024 * KIB, "trial_limit_seconds": 3600.0} | changes
    scenario = small_scenario(links=links, **values)
    trial = simulate(make_plan(scenario, "swarm", clients, folder))
    row = trial.record.trial
    assert row.status == "complete", row.reason
    assert row.payload_sent_bytes == row.payload_received_bytes
    return trial


def origin_copies(trial):
    return trial.record.nodes[0].uploaded_payload_bytes / (1024 * KIB)


@pytest.mark.parametrize(
    ("picking", "serving", "origin"), list(product(PICKERS, SERVINGS, ORIGINS)), ids=str
)
def test_everybody_ends_with_the_file_whatever_the_policies(picking, serving, origin, tmp_path):
    peers = {"picking": picking, "serving": serving, "origin": origin, "neighbours": 5}
    trial = run(tmp_path, peers=peers)
    # F/u = 16 s; in order, everybody wants the same piece of the same peers.
    assert trial.makespan_seconds < 20 * 16


def test_default_policies_are_no_slower_than_the_others(tmp_path):
    def seconds(**peers: str):
        return run(tmp_path, clients=16, peers=peers).makespan_seconds

    default = seconds()
    for peers in (
        {"picking": "in order"},
        {"serving": "unchoke slots"},
        {"serving": "everybody"},
        {"origin": "super-seeding"},
    ):
        # One run of each: 2 % is what the seed makes of it.
        assert default <= 1.02 * seconds(**peers), peers


def test_plain_origin_sends_every_piece_once_before_it_sends_one_twice(tmp_path):
    trial = run(tmp_path, clients=12)
    served = sorted(
        (row.started_seconds, row.index) for row in trial.record.transfers if row.source_id == 0
    )
    assert sorted(index for _, index in served[:64]) == list(range(64))


def test_super_seeding_origin_sends_less_than_a_plain_one_to_a_few_peers(tmp_path):
    links = {"origin_uplink_bytes_per_second": 256.0 * KIB}
    plain, super_seeding = (
        origin_copies(run(tmp_path, clients=3, links=links, peers={"origin": origin}))
        for origin in ORIGINS
    )
    # BEP 16 speaks of 105 % in place of 150 to 200 %.
    assert 1.0 <= super_seeding < 1.1 < plain


def test_tit_for_tat_makes_those_wait_who_upload_little(tmp_path):
    """Half the clients upload at a tenth of the others' rate; grants treat all alike."""

    def lead_of_generous(serving):
        generous, mean = [
            ClientClass(
                name=name,
                share=1,
                uplink_bytes_per_second=rate * KIB,
                downlink_bytes_per_second=256.0 * KIB,
                latency_seconds=0.0,
            )
            for name, rate in (("generous", 64.0), ("mean", 6.4))
        ]
        links = {
            "origin_uplink_bytes_per_second": 128.0 * KIB,
            "client_uplink_bytes_per_second": 35.2 * KIB,
            "classes": (generous, mean),
        }
        trial = run(
            tmp_path, clients=24, file_bytes=2048 * KIB, links=links, peers={"serving": serving}
        )
        seconds = {64.0 * KIB: 0.0, 6.4 * KIB: 0.0}
        for row in trial.clients:
            seconds[row.uplink_bytes_per_second] += row.finished_seconds - row.joined_seconds
        return seconds[6.4 * KIB] / seconds[64.0 * KIB]

    assert lead_of_generous("unchoke slots") > 1.05 * lead_of_generous("rotating grants")
