"""The steps of a transaction, as host and client note them: experiment E1."""

from __future__ import annotations

import hashlib

import pytest
import trio

from servers.build import ServerCast
from servers.downloader import Downloader
from servers.http1 import Body
from servers.manner import Manner
from servers.settings import read_settings
from servers.step_clock import StepClock
from servers.steps import MeasuredHost
from testbed.content import made_up
from testbed.errors import ScenarioError
from testbed.link import Pacer
from testbed.links import Links
from testbed.live import LiveWorld
from testbed.node import Departed, Finished, LinkDown, LinkId, Started, Woken
from testbed.scenario import Scenario
from testbed.sockets import loopback_host
from testbed.storage import FileStorage
from tests.servers.helpers import CONTENT, ask, connect, get
from tests.servers.test_downloader import ORIGIN, SHA256, Memory, start, take, whole

STEPS = {"record_steps": True, "service_delay": "20 ms"}


def cast_of(content, *, live=True, **servers: object):
    scenario = Scenario(name="x", clients=(1,), links=Links(), tables={"servers": servers, "peers": {}})
    return ServerCast(scenario, content, clients=1, seed=1, hashes=live)


@pytest.fixture
def content(tmp_path):
    return made_up(tmp_path, 100_000, seed=1)


@pytest.fixture
def storage(content):
    storage = FileStorage.of(content.path)
    yield storage
    storage.close()


def host_of(content, storage, **servers: object):
    cast = cast_of(content, **servers)
    return cast.node(cast.places[0], {}, storage)


def test_clock_goes_on_within_an_event():
    readings = iter([100.0, 100.5, 101.0])
    clock = StepClock(lambda: next(readings))
    clock.begin(7.0)
    assert (clock.now(), clock.stopwatch()) == (7.5, 101.0)


def test_clock_stands_still_within_an_event_where_time_is_virtual():
    clock = StepClock(None)
    clock.begin(7.0)
    assert (clock.now(), clock.stopwatch()) == (7.0, 7.0)


def test_simulated_host_notes_when_it_had_received_found_and_sent(content, storage):
    cast = cast_of(content, live=False, **STEPS)
    node = cast.node(cast.places[0], {}, storage)
    connect(node, 1, now=2.0)
    ask(node, 1, get(f"/{content.name}"), now=2.0)
    assert node.deadline == pytest.approx(2.02)
    node.handle(Woken(), 2.02)
    assert not node.tally.answered, "the response is still on its way"
    while not node.tally.answered:
        node.handle(Departed(LinkId(1), True), 3.0)
    (half,) = node.tally.answered
    assert half.client == ("127.0.0.1", 50_001)
    assert (half.begun_seconds, half.received_seconds) == (2.0, 2.0)
    assert (half.found_seconds, half.sent_seconds) == (pytest.approx(2.02), 3.0)
    assert half.payload_bytes == content.size_bytes
    assert half.cached_fraction is None


class CountedStorage(FileStorage):
    """Says what was asked of the page cache."""

    def __init__(self, descriptor, size_bytes, path=None) -> None:
        super().__init__(descriptor, size_bytes, path)
        self.asked = []

    def forget(self):
        self.asked.append("forget")

    def fill_cache(self):
        self.asked.append("fill")

    def cached_fraction(self):
        return 0.25


@pytest.mark.parametrize(("cache", "asked"), [("cold", ["forget", "forget"]), ("warm", ["fill"])])
def test_page_cache_is_seen_to_between_clients_and_looked_at(content, cache, asked):
    storage = CountedStorage.of(content.path)
    node = host_of(content, storage, record_steps=True, page_cache=cache)
    assert isinstance(node, MeasuredHost)
    node.handle(Started(("127.0.0.1", 80)), 0.0)
    connect(node, 1)
    ask(node, 1, get(f"/{content.name}"))
    node.handle(LinkDown(LinkId(1), "gone"), 1.0)
    assert storage.asked == asked
    assert node._steps.cached_fraction == 0.25
    storage.close()


def test_page_cache_without_a_record_of_what_came_of_it_is_refused():
    with pytest.raises(ScenarioError, match=r"x\.toml: \[servers\] page_cache: expected record_steps"):
        read_settings({"page_cache": "cold"}, "x.toml")


@pytest.mark.parametrize(
    "table",
    [
        {"record_steps": 1},
        {"page_cache": "hot"},
        {"verifying": "never"},
        {"service_delay": 20},
        {"range_size": "0 B"},
        {"range_size": "1 KiB", "record_steps": True},
        {"if_range": "yes"},
    ],
)
def test_wrong_settings_of_steps_are_refused_in_one_line(table):
    with pytest.raises(ScenarioError, match=r"\Ax\.toml: \[servers\] \w+: expected .*\Z"):
        read_settings(table, "x.toml")


def test_delayed_host_without_steps_is_a_plain_one(content, storage):
    node = host_of(content, storage, service_delay="20 ms")
    assert not isinstance(node, MeasuredHost)
    connect(node, 1, now=2.0)
    assert ask(node, 1, get(f"/{content.name}"), now=2.0) == []
    assert node.deadline == pytest.approx(2.02)


class Forgetful(Memory):
    """A disk that has not what was written to it."""

    def sha256(self):
        return hashlib.sha256(bytes(self.size_bytes)).hexdigest()


def test_client_that_verifies_at_the_end_reads_back_what_its_disk_has():
    node = Downloader(ORIGIN, "/file", Forgetful(), SHA256, manner=Manner(verifies_at_end=True))
    start(node)
    take(node, whole())
    assert Finished(False, "digest does not match") in take(node, Body(CONTENT))


@pytest.mark.sockets
@pytest.mark.trio
async def test_both_halves_of_a_live_transaction_are_in_order(content, tmp_path, storage, nursery):
    world = LiveWorld()
    await nursery.start(world.run)
    cast = cast_of(content, verifying="at the end", page_cache="cold", **STEPS)
    unshaped = {"uplink": Pacer(float("inf")), "downlink": Pacer(float("inf"))}
    host, client = cast.places
    server = world.add(
        cast.node(host, {}, storage),
        (loopback_host(host.node_id), 0),
        cast.wires,
        accepts=host.accepts,
        **unshaped,
    )
    copy = FileStorage.empty(tmp_path / "copy", content.size_bytes)
    node = cast.node(client, {"origin": [server.address]}, copy)
    station = world.add(node, (loopback_host(client.node_id), 0), cast.wires, accepts=None, **unshaped)
    done = trio.Event()
    station.on_finished = lambda _: done.set()
    server.start(0.0)
    station.start(0.0)
    with trio.fail_after(120):
        await done.wait()
        assert await world.drain(10)
    (ours,), (theirs,) = node.tally.asked, server.node.tally.answered
    assert station.ledger.verified
    readings = [ours.asked_seconds, theirs.begun_seconds, theirs.received_seconds, theirs.found_seconds]
    readings += [ours.first_byte_seconds, ours.last_byte_seconds, ours.processed_seconds]
    assert readings == sorted(readings)
    assert theirs.found_seconds - theirs.received_seconds >= 0.02
    assert ours.payload_bytes == theirs.payload_bytes == content.size_bytes
    assert 0 <= theirs.cached_fraction <= 1
    copy.close()
