"""The file host on real sockets, spoken to by clients nobody here wrote."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess

import pytest
import trio

from servers.build import ServerCast
from servers.host_settings import HostSettings
from testbed.cast import ORIGIN
from testbed.content import made_up
from testbed.link import Pacer
from testbed.links import Links
from testbed.live import LiveWorld
from testbed.live_sending import (
    SENT_A_TURN_BYTES,
    SPARED_UNSENT_BYTES,
)
from testbed.scenario import Scenario
from testbed.sockets import loopback_host
from testbed.storage import FileStorage
from tests.servers.running import exchange, fetch, in_thread, running

pytestmark = [pytest.mark.sockets, pytest.mark.trio]

CURL = shutil.which("curl")
needs_curl = pytest.mark.skipif(CURL is None, reason="curl is not installed")

BIG = os.urandom(1 << 20)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "big").write_bytes(BIG)
    (root / "small.txt").write_bytes(b"hello\n")
    (root / "empty").write_bytes(b"")
    return root


@pytest.fixture
async def station(root):
    async with running(HostSettings(directory=root)) as (host, _):
        yield host.station


@pytest.fixture
async def shaped_station(root):
    async with running(HostSettings(directory=root, uplink_bytes_per_second=16e6)) as (host, _):
        yield host.station


async def test_standard_library_client_gets_file_part_and_head(station):
    address = station.address
    status, headers, body = await in_thread(fetch, address, "/big")
    assert (status, body) == (200, BIG)
    assert headers["Date"]
    assert (await in_thread(lambda: fetch(address, "/big", Range="bytes=-5")))[2] == BIG[-5:]
    status, headers, body = await in_thread(fetch, address, "/big", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(BIG)), b"")
    etag = headers["ETag"]
    assert (await in_thread(lambda: fetch(address, "/big", If_None_Match=etag)))[0] == 304
    assert (await in_thread(fetch, address, "/empty"))[2] == b""
    assert b"small.txt" in (await in_thread(fetch, address, "/"))[2]
    assert (await in_thread(fetch, address, "/../big"))[0] == 404


async def test_one_connection_serves_many_requests(station):
    def several():
        connection = http.client.HTTPConnection(*station.address, timeout=120)
        bodies = []
        for path in ("/small.txt", "/missing", "/big", "/small.txt"):
            connection.request("GET", path)
            bodies.append(connection.getresponse().read())
        connection.close()
        return bodies

    bodies = await in_thread(several)
    assert (bodies[0], bodies[2], bodies[3]) == (b"hello\n", BIG, b"hello\n")
    assert station.ledger.connections_accepted == 1
    assert station.node.tally.requests_served == 4


async def test_connection_that_ends_with_its_answer_carries_all_of_it(station):
    """The kernel takes the last of it long after the host has sent all."""

    def read_in_small_parts():
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(10)
            sock.connect(station.address)
            sock.sendall(b"GET /big HTTP/1.0\r\n\r\n")
            received = b""
            while part := sock.recv(4096):
                received += part
            return received

    assert (await in_thread(read_in_small_parts)).endswith(BIG)


async def test_malformed_requests_are_counted_by_reason_and_others_served(station):
    address = station.address
    for data, status in [
        (b"nonsense\r\n", b"400"),
        (b"\x16\x03\x01\x00\xa5", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/3.0\r\n\r\n", b"505"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", b"400"),
    ]:
        answer = await in_thread(exchange, address, data)
        assert answer.startswith(b"HTTP/1.1 " + status)
    assert (await in_thread(fetch, address, "/small.txt"))[0] == 200
    assert station.ledger.violations == {
        "malformed request line": 1,
        "not HTTP": 1,
        "not one Host": 1,
        "version not supported": 1,
        "ambiguous length": 1,
    }


async def test_client_that_never_reads_does_not_hold_up_the_others(shaped_station):
    with socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.connect(shaped_station.address)
        greedy.sendall(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await in_thread(fetch, shaped_station.address, "/big"))[2] == BIG


async def test_client_that_takes_too_little_of_its_response_is_cut(root, station):
    with (root / "sparse").open("wb") as file:
        file.truncate(64 << 20)
    assert station.least_taken_bytes == 30 * 1024
    with socket.socket() as client, trio.fail_after(120):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(station.address)
        client.sendall(b"GET /sparse HTTP/1.1\r\nHost: x\r\n\r\n")
        while not any(link.stalled_since for link in station.links.values()):
            await trio.lowlevel.checkpoint()
        (link,) = station.links.values()
        since = link.stalled_since
        assert not link.is_stalled(since + 29.0, 30.0)
        assert link.is_stalled(since + 31.0, 30.0), "it took nothing"
        for _ in range(40):
            await trio.to_thread.run_sync(client.recv, 1024, socket.MSG_WAITALL)
        while link.is_stalled(since + 31.0, 30.0):
            await trio.lowlevel.checkpoint()  # What it read is being acknowledged.
        client.recv(1024, socket.MSG_WAITALL)
        assert link.is_stalled(since + 62.0, 30.0), "it took a kilobyte in half a minute"


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="the system has no such limit")
async def test_kernel_keeps_little_for_those_who_have_not_proved_to_read(station):
    with socket.create_connection(station.address), trio.fail_after(120):
        while not station.links:
            await trio.lowlevel.checkpoint()
        (link,) = station.links.values()
        kept = link.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
    assert kept == SPARED_UNSENT_BYTES


async def test_bytes_of_the_ledger_are_those_that_clients_got(shaped_station):
    for _ in range(2):
        await in_thread(fetch, shaped_station.address, "/big")
    await in_thread(fetch, shaped_station.address, "/missing")
    assert shaped_station.ledger.uploaded_payload_bytes == 2 * len(BIG)
    assert shaped_station.ledger.uploaded_wire_bytes > 2 * len(BIG)


async def test_a_reader_as_fast_as_the_host_gets_no_more_than_its_share_of_a_turn(
    root, station, monkeypatch
):
    turns = []

    def take_all(_socket, _file, _offset, count):
        turns.append((station.world.turn, count))
        return count

    monkeypatch.setattr("testbed.live_sending.os.sendfile", take_all)
    with (root / "sparse").open("wb") as file:
        file.truncate(4 * SENT_A_TURN_BYTES)
    request = b"GET /sparse HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = await in_thread(exchange, station.address, request)
    assert received.startswith(b"HTTP/1.1 200")
    assert [count for _, count in turns] == [SENT_A_TURN_BYTES] * 4
    assert len({turn for turn, _ in turns}) == 4


async def test_every_transaction_is_a_line_of_the_log(root):
    async with running(HostSettings(directory=root)) as (host, log):
        await in_thread(fetch, host.station.address, "/small.txt")
        await in_thread(exchange, host.station.address, b"nonsense\r\n")
    first, second = map(json.loads, log.getvalue().splitlines())
    assert (first["method"], first["target"], first["status"]) == ("GET", "/small.txt", 200)
    assert (first["payload_bytes"], first["complete"]) == (6, True)
    assert (second["status"], second["reason"]) == (400, "malformed request line")


# --- curl -----------------------------------------------------------------------------------


def curl(*args: str):
    assert CURL is not None
    command = [CURL, "--silent", "--show-error", "--max-time", "15", *args]
    return subprocess.run(command, capture_output=True, check=False)


@needs_curl
async def test_curl_downloads_resumes_and_revalidates(station, tmp_path):
    url = f"http://{station.address[0]}:{station.address[1]}/big"
    copy = tmp_path / "copy"
    copy.write_bytes(BIG[:1000])
    result = await in_thread(curl, "--continue-at", "-", "--output", str(copy), url)
    assert (result.returncode, result.stderr) == (0, b"")
    assert copy.read_bytes() == BIG
    result = await in_thread(curl, "--write-out", "%{http_code}", "--time-cond", str(copy), url)
    assert result.stdout == b"304"


@needs_curl
@pytest.mark.parametrize("options", [["--http1.0"], ["--http2"], ["--header", "Connection: close"]])
async def test_curl_gets_the_file_whatever_it_offers(station, options):
    url = f"http://{station.address[0]}:{station.address[1]}/big"
    result = await in_thread(curl, *options, url)
    assert (result.returncode, hashlib.sha256(result.stdout).digest()) == (
        0,
        hashlib.sha256(BIG).digest(),
    )
    assert station.ledger.violations == {}


@needs_curl
async def test_curl_cannot_leave_the_root(station, root):
    (root.parent / "secret").write_bytes(b"secret")
    base = f"http://{station.address[0]}:{station.address[1]}"
    for path in ("/../secret", "/%2e%2e/secret", "/%2e%2e%2fsecret"):
        result = await in_thread(curl, "--path-as-is", "--write-out", "%{http_code}", base + path)
        assert result.stdout.endswith(b"404")
        assert b"secret" not in result.stdout.replace(path.encode(), b"")


# --- A trial --------------------------------------------------------------------------------


@pytest.mark.parametrize("sharing", ["fair", "first come first served"])
async def test_every_client_of_a_cast_gets_a_verified_copy(nursery, tmp_path, sharing):
    content = made_up(tmp_path, 300_000, seed=3)
    links = Links(origin_uplink_bytes_per_second=20e6, client_downlink_bytes_per_second=10e6)
    tables = {"servers": {"sharing": sharing}, "peers": {}}
    scenario = Scenario(name="x", clients=(4,), links=links, tables=tables)
    cast = ServerCast(scenario, content, clients=4, seed=3)
    world = LiveWorld()
    await nursery.start(world.run)
    stations, known, finished, storages = [], {}, set(), []
    everybody = trio.Event()

    def on_finished(station):
        finished.add(id(station))
        if len(finished) == 4:
            everybody.set()

    for place in cast.places:
        is_origin = place.node_id == ORIGIN
        copy = tmp_path / f"copy{place.node_id}"
        storages.append(
            FileStorage.of(content.path) if is_origin else FileStorage.empty(copy, content.size_bytes)
        )
        station = world.add(
            cast.node(place, known, storages[-1]),
            (loopback_host(place.node_id), 0),
            cast.wires,
            accepts=place.accepts,
            uplink=Pacer(place.uplink_bytes_per_second),
            downlink=Pacer(place.downlink_bytes_per_second),
        )
        known.setdefault("origin", [station.address])
        station.on_finished = on_finished
        station.start(0.0)
        stations.append(station)
    with trio.fail_after(120):
        await everybody.wait()
        assert await world.drain(10)
    origin, *clients = stations
    for number, client in enumerate(clients, 1):
        assert client.ledger.verified
        assert client.transfers[0].payload_bytes == content.size_bytes
        assert (tmp_path / f"copy{number}").read_bytes() == content.path.read_bytes()
    assert origin.ledger.uploaded_payload_bytes == 4 * content.size_bytes
    assert origin.node.tally.requests_served == 4
    assert origin.ledger.violations == {}
    for storage in storages:
        storage.close()
