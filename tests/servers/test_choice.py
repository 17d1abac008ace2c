"""Several origins and how clients are dealt out to them: experiment E9, in the simulated world."""

from __future__ import annotations

import math
import statistics
from collections import Counter

import pytest

from servers.choice import BALANCINGS, OriginChoice
from servers.downloader import HTTP_WIRE, Downloader
from servers.envelope import Envelope
from servers.files import OneFile
from servers.node import FileHost
from servers.reading import Reading
from testbed.errors import LocalMisuse
from testbed.link import Pacer
from testbed.simulator import SimulatedWorld
from testbed.storage import SharedStorage

FILE_BYTES = 1 << 20
UPLINK_BYTES_PER_SECOND = 1e6
CONTENT = SharedStorage(memoryview(bytes(FILE_BYTES)))

PLACES = [(f"10.0.0.{number}", 80) for number in range(1, 9)]


def makespan_seconds(origins, clients, balancing, seed=0, down=()):
    """Everybody at once; the lines of clients are no limit. Origins in `down` do not listen."""
    world = SimulatedWorld()
    choice = OriginChoice(PLACES[:origins], balancing, str(seed))
    for address in PLACES[:origins]:
        reading = Reading(OneFile("file", CONTENT, "tag"))
        node = FileHost({"GET": reading}, Envelope(None))
        uplink, downlink = Pacer(UPLINK_BYTES_PER_SECOND), Pacer(math.inf)
        accepts = None if address in down else HTTP_WIRE
        station = world.add(node, address, accepts=accepts, uplink=uplink, downlink=downlink)
        station.start(0.0)
    stations = []
    for number in range(clients):
        node = Downloader(choice, "/file", CONTENT, None, number + 1)
        lines = {"uplink": Pacer(math.inf), "downlink": Pacer(math.inf)}
        stations.append(world.add(node, (f"10.1.0.{number}", 0), accepts=None, **lines))
        stations[-1].start(0.0)
    world.run(1e6)
    assert all(station.ledger.verified for station in stations)
    return max(station.ledger.finished_seconds for station in stations)


@pytest.mark.parametrize("origins", [1, 2, 4, 8])
@pytest.mark.parametrize("balancing", ["round robin", "least busy"])
def test_origins_that_divide_the_clients_divide_the_makespan(origins, balancing):
    bound = 8 * FILE_BYTES / (origins * UPLINK_BYTES_PER_SECOND)
    assert makespan_seconds(origins, 8, balancing) == pytest.approx(bound, rel=0.03)


def test_random_choice_costs_what_the_fullest_of_eight_has_to_serve():
    """N = 32 and m = 8: the fullest has 1.76 times its share on average."""
    even = 32 * FILE_BYTES / (8 * UPLINK_BYTES_PER_SECOND)
    ratios = [makespan_seconds(8, 32, "random", seed) / even for seed in range(60)]
    assert statistics.fmean(ratios) == pytest.approx(1.76, rel=0.05)
    assert min(ratios) >= 0.99


def test_least_busy_is_no_worse_than_round_robin_and_that_no_worse_than_random():
    least = makespan_seconds(8, 32, "least busy")
    even = makespan_seconds(8, 32, "round robin")
    by_chance = makespan_seconds(8, 32, "random", seed=1)
    assert least <= even * 1.001
    assert even <= by_chance


@pytest.mark.parametrize("balancing", BALANCINGS)
def test_a_client_whose_origin_is_down_asks_another(balancing):
    assert makespan_seconds(2, 2, balancing, seed=2, down=PLACES[:1]) < math.inf


def test_the_least_busy_is_who_has_fewest_now():
    choice = OriginChoice(PLACES[:3], "least busy", "0")
    assert [choice.take(client) for client in (1, 2, 3)] == PLACES[:3]
    choice.give_back(PLACES[1])
    assert choice.take(4) == PLACES[1]


def test_round_robin_is_even_and_what_a_client_draws_depends_on_nobody_else():
    even = OriginChoice(PLACES, "round robin", "0")
    assert set(Counter(even.take(client) for client in range(1, 25)).values()) == {3}
    one, other = (OriginChoice(PLACES, "random", "5") for _ in range(2))
    forth = {client: one.take(client) for client in range(1, 21)}
    assert {client: other.take(client) for client in reversed(range(1, 21))} == forth
    assert len(set(forth.values())) > 1


@pytest.mark.parametrize("balancing", ["round robin", "least busy"])
@pytest.mark.parametrize("processes", [1, 2, 32])
def test_clients_in_several_processes_are_dealt_out_evenly_too(balancing, processes):
    """Processes know nothing of each other's transfers, and do not all begin with one origin."""
    choices = [OriginChoice(PLACES, balancing, "0") for _ in range(processes)]
    taken = Counter(choices[client % processes].take(client) for client in range(1, 33))
    assert set(taken.values()) == {4}


@pytest.mark.parametrize("balancing", BALANCINGS)
def test_a_failed_client_goes_round_all_the_others(balancing):
    choice = OriginChoice(PLACES[:2], balancing, "0")
    first = choice.take(1)
    second = choice.take(1, first)
    assert {first, second} == set(PLACES[:2])
    assert choice.take(1, second) == first
    only = OriginChoice(PLACES[:1], balancing, "0")
    assert only.take(1, PLACES[0]) == PLACES[0]


def test_what_nobody_took_cannot_be_given_back():
    with pytest.raises(LocalMisuse):
        OriginChoice(PLACES, "random", "0").give_back(PLACES[0])
    with pytest.raises(LocalMisuse):
        OriginChoice([], "random", "0")
