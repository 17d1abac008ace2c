"""Experiment E18: clients of a server exchange a file only through it."""

from __future__ import annotations

import math

import pytest
import trio

from servers.build import ServerCast
from servers.downloader import LOOK_AGAIN_SECONDS, Downloader
from servers.http1 import Body, ResponseHead
from servers.manner import Manner
from servers.settings import read_settings
from servers.uploader import BLOCK_BYTES, Uploader
from testbed.content import made_up
from testbed.errors import ScenarioError
from testbed.link import Pacer
from testbed.links import Links
from testbed.live import LiveWorld
from testbed.node import (
    Departed,
    Dial,
    DialFailed,
    Finished,
    HangUp,
    LinkDown,
    LinkId,
    LinkUp,
    Received,
    Send,
    Started,
    Stopping,
    Woken,
    Writable,
)
from testbed.scenario import Scenario
from testbed.sockets import loopback_host
from testbed.storage import FileStorage, FolderStorage, SharedStorage, StorageFault
from tests.servers.helpers import CONTENT
from tests.servers.test_downloader import ORIGIN, SHA256, Memory, start, take, up, whole

HOST = ("127.0.0.9", 80)
LINK = LinkId(1)
LARGE = bytes(2 * BLOCK_BYTES + 5)


def uploader(content=LARGE):
    return Uploader(HOST, "/file", SharedStorage(memoryview(content)))


def begin(node):
    assert node.handle(Started(("127.0.0.2", 0)), 0.0) == [Dial(HOST, "http")]
    return node.handle(LinkUp(LINK, HOST, True, "http"), 0.1)


def sent(effects):
    return sum(one.message.payload_bytes for one in effects if isinstance(one, Send))


# --- Who uploads ----------------------------------------------------------------------------


def test_file_is_put_block_by_block_as_the_uplink_is_free():
    node = uploader()
    request, first = begin(node)
    assert (request.message.method, request.message.target) == ("PUT", "/file")
    assert ("Content-Length", str(len(LARGE))) in request.message.headers
    assert first.message == Body(memoryview(LARGE)[:BLOCK_BYTES])
    assert node.handle(Departed(LINK, False), 0.2) == [], "the link has no room"
    assert sent(node.handle(Writable(LINK), 0.3)) == BLOCK_BYTES
    assert sent(node.handle(Departed(LINK, True), 0.4)) == 5
    assert node.handle(Departed(LINK, True), 0.5) == []
    ended = node.handle(Received(LINK, ResponseHead(201)), 0.6)
    assert ended == [Finished(True), HangUp(LINK, "done")]
    assert node.handle(LinkDown(LINK, "gone"), 0.7) == []
    assert node.tally.requests_made == 1


def test_refused_upload_says_why():
    node = uploader()
    begin(node)
    ended = node.handle(Received(LINK, ResponseHead(507)), 0.2)
    assert ended[0] == Finished(False, "answered 507 Insufficient Storage")


def test_answer_before_all_was_sent_is_no_success():
    node = uploader()
    begin(node)
    ended = node.handle(Received(LINK, ResponseHead(201)), 0.2)
    assert ended[0] == Finished(False, "answered 201 Created")


@pytest.mark.parametrize("event", [DialFailed(HOST, "http", "refused"), LinkDown(LINK, "refused")])
def test_host_that_is_not_there_ends_the_upload(event):
    node = uploader()
    if isinstance(event, LinkDown):
        begin(node)
    assert node.handle(event, 0.2)[0] == Finished(False, "refused")


def test_nothing_more_is_sent_after_the_order_to_stop():
    node = uploader()
    begin(node)
    node.handle(Stopping(), 0.2)
    assert node.handle(Departed(LINK, True), 0.3) == []


# --- Who waits for it -----------------------------------------------------------------------


def test_client_that_waits_for_a_file_looks_again_until_it_is_there():
    node = Downloader(ORIGIN, "/file", Memory(), SHA256, manner=Manner(waits_for_file=True))
    start(node)
    assert take(node, ResponseHead(404)) == [HangUp(LinkId(1), "not there yet")]
    assert node.deadline == 2.0 + LOOK_AGAIN_SECONDS
    assert node.handle(Woken(), node.deadline) == [Dial(ORIGIN, "http")]
    up(node, 2, 3.0)
    take(node, whole(), 2)
    assert Finished(True) in take(node, Body(CONTENT), 2)


def test_other_clients_take_it_for_an_answer():
    node = Downloader(ORIGIN, "/file", Memory(), SHA256)
    start(node)
    assert take(node, ResponseHead(404))[0] == Finished(False, "answered 404 Not Found")


# --- Together -------------------------------------------------------------------------------


def relay_cast(content, clients, *, live=True):
    links = Links(origin_uplink_bytes_per_second=8e6, origin_downlink_bytes_per_second=8e6)
    tables = {"servers": {"relay": True}, "peers": {}}
    scenario = Scenario(name="x", clients=(clients,), links=links, tables=tables, source="x.toml")
    return ServerCast(scenario, content, clients, seed=1, hashes=live)


def test_relay_has_a_line_of_its_own_and_alone_is_dialled(tmp_path):
    places = relay_cast(made_up(tmp_path, 100, seed=1), 2).places
    assert [(p.node_id, p.role, p.accepts) for p in places] == [
        (0, "origin", None),
        (1, "client", None),
        (2, "client", None),
        (3, "relay", "http"),
    ]
    assert places[3].uplink_bytes_per_second == places[0].uplink_bytes_per_second == 8e6


def test_relay_needs_a_disk_and_one_origin(tmp_path):
    with pytest.raises(ScenarioError, match=r"x\.toml: \[servers\] relay: expected the live world"):
        relay_cast(made_up(tmp_path, 100, seed=1), 1, live=False)
    with pytest.raises(ScenarioError, match=r"\[servers\] relay: expected one"):
        read_settings({"relay": True, "origins": 2}, "x.toml")


def test_folder_is_no_file(tmp_path):
    folder = FolderStorage.empty(tmp_path / "folder")
    with pytest.raises(StorageFault):
        folder.read(0, 1)
    with pytest.raises(StorageFault):
        folder.write(0, [b"x"])
    with pytest.raises(StorageFault):
        FolderStorage.empty(tmp_path / "folder")


@pytest.mark.sockets
@pytest.mark.trio
async def test_what_one_client_uploads_the_others_download(nursery, tmp_path):
    content = made_up(tmp_path, 400_000, seed=3)
    cast = relay_cast(content, 2)
    world = LiveWorld()
    await nursery.start(world.run)
    known: dict = {}
    stations, storages = {}, []
    done = {1: trio.Event(), 2: trio.Event()}
    # On a shaped line what arrives waits for its turn, while others are read from.
    lines = {"relay": 8e6, "origin": 8e6, "client": math.inf}
    for role in ("relay", "origin", "client"):
        for place in cast.places:
            if place.role != role:
                continue
            if role == "relay":
                storages.append(FolderStorage.empty(tmp_path / "relay"))
            elif role == "origin":
                storages.append(FileStorage.of(content.path))
            else:
                storages.append(FileStorage.empty(tmp_path / f"{place.node_id}", content.size_bytes))
            station = stations[place.node_id] = world.add(
                cast.node(place, known, storages[-1]),
                (loopback_host(place.node_id), 0),
                cast.wires,
                accepts=place.accepts,
                uplink=Pacer(lines[role], 0.002),
                downlink=Pacer(lines[role], 0.002),
            )
            known.setdefault(role, []).append(station.address)
            if place.node_id in done:
                station.on_finished = lambda _, event=done[place.node_id]: event.set()
    for station in stations.values():
        station.start(0.0)
    with trio.fail_after(120):
        for event in done.values():
            await event.wait()
        assert await world.drain(10)
    origin, first, second, relay = (stations[number].ledger for number in range(4))
    size = content.size_bytes
    assert first.verified
    assert second.verified
    assert (tmp_path / "relay" / content.name).read_bytes() == content.path.read_bytes()
    assert (relay.downloaded_payload_bytes, relay.uploaded_payload_bytes) == (size, 2 * size)
    assert (origin.uploaded_payload_bytes, origin.downloaded_payload_bytes) == (size, 0)
    for storage in storages:
        storage.close()
