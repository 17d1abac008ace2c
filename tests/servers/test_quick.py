"""Repeated requests are answered at once, with what the node would have answered."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket

import pytest

from servers.host_settings import HostSettings
from tests.servers.running import in_thread, running

pytestmark = [pytest.mark.sockets, pytest.mark.trio]

SMALL = b"small content"
MIDDLE = os.urandom(60_000)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "small").write_bytes(SMALL)
    (root / "middle").write_bytes(MIDDLE)
    (root / "empty").write_bytes(b"")
    return root


def request(path, *headers: str, method="GET"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


class Client:
    """One connection, and whole answers on it."""

    def __init__(self, address) -> None:
        self.sock = socket.create_connection(address, timeout=120)

    def ask(self, data):
        self.sock.sendall(data)
        response = http.client.HTTPResponse(self.sock, method=data.split(b" ")[0].decode())
        response.begin()
        return response.status, dict(response.getheaders()), response.read()

    def close(self):
        self.sock.close()


async def several(station, data, times=5):
    """The same request again and again on one connection."""

    def run():
        client = Client(station.address)
        try:
            return [client.ask(data) for _ in range(times)]
        finally:
            client.close()

    return await in_thread(run)


def counting(station):
    """Count how many answers took the shortcut."""
    shortcut = station.shortcut
    taken = []

    def counted(link, data):
        done = shortcut(link, data)
        if done:
            taken.append(bytes(data))
        return done

    station.shortcut = counted
    return taken


def undated(answer):
    status, headers, body = answer
    return status, {name: value for name, value in headers.items() if name != "Date"}, body


@pytest.mark.parametrize(
    "data",
    [
        request("/small"),
        request("/middle"),
        request("/empty"),
        request("/small", method="HEAD"),
        request("/middle", "Range: bytes=10-99"),
        request("/small", "If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT"),
        request("/missing"),
        request("/"),
    ],
)
async def test_a_quick_answer_is_the_node_s_answer(root, data):
    async with running(HostSettings(directory=root, log=False)) as (host, _):
        shortcut, host.station.shortcut = host.station.shortcut, None
        expected = undated((await several(host.station, data, 3))[-1])
        host.station.shortcut = shortcut
        taken = counting(host.station)
        answers = await several(host.station, data)
        assert taken, "the shortcut was never taken"
        assert {repr(undated(answer)) for answer in answers} == {repr(expected)}
        assert host.node.tally.requests_served == 8


@pytest.mark.parametrize(
    "data",
    [
        request("/small", "Prefer: server-timing"),
        request("/small", "Content-Length: 3") + b"abc",
        request("/small", method="OPTIONS"),
    ],
)
async def test_what_needs_thought_goes_the_way_of_the_node(root, data):
    async with running(HostSettings(directory=root, log=False)) as (host, _):
        taken = counting(host.station)
        await several(host.station, data)
        assert not taken


async def test_a_changed_file_is_noticed_at_once(root):
    """By whoever changed it: each write is followed by a request on a connection that is warm."""

    def run(address):
        client = Client(address)
        bodies = []
        for number in range(20):
            client.ask(request("/small"))
            fresh = root / "fresh"
            fresh.write_bytes(b"version %d" % number)
            fresh.rename(root / "small")
            bodies.append(client.ask(request("/small"))[2])
        (root / "small").unlink()
        status = client.ask(request("/small"))[0]
        client.close()
        return bodies, status

    async with running(HostSettings(directory=root, log=False)) as (host, _):
        bodies, status = await in_thread(run, host.station.address)
    assert bodies == [b"version %d" % number for number in range(20)]
    assert status == 404


async def test_pipelined_requests_are_answered_in_their_order(root):
    def run(address):
        client = Client(address)
        for _ in range(3):
            client.ask(request("/small"))
            client.ask(request("/middle"))
        client.sock.sendall(request("/middle") + request("/small"))
        first = http.client.HTTPResponse(client.sock)
        first.begin()
        # The response buffers what it reads of the socket, so the rest is read in the raw.
        received = first.read()
        client.close()
        return received

    async with running(HostSettings(directory=root, log=False)) as (host, _):
        assert await in_thread(run, host.station.address) == MIDDLE


async def test_a_head_in_two_parts_is_no_body_of_another(root):
    def run(address):
        client = Client(address)
        for _ in range(3):
            client.ask(request("/small"))
        client.sock.sendall(request("/missing")[:-2])
        # Together with what came before these bytes are one malformed request, not a known one.
        status, _, _ = client.ask(request("/small"))
        client.close()
        return status

    async with running(HostSettings(directory=root, log=False)) as (host, _):
        assert await in_thread(run, host.station.address) in (400, 404)


async def test_a_client_that_asks_and_does_not_read_gets_all_of_it_later(root):
    count = 60

    def run(address):
        client = Client(address)
        for _ in range(3):
            client.ask(request("/middle"))
        for _ in range(count):
            client.sock.sendall(request("/middle"))
        received = b""
        while received.count(MIDDLE) < count:
            received += client.sock.recv(1 << 20)
        client.close()
        return received

    async with running(HostSettings(directory=root, log=False)) as (host, _):
        received = await in_thread(run, host.station.address)
        assert received.count(MIDDLE) == count
        assert host.station.ledger.uploaded_payload_bytes == (count + 3) * len(MIDDLE)


async def test_the_log_and_the_counters_have_the_same_figures(root):
    async with running(HostSettings(directory=root, metrics=True)) as (host, log):
        taken = counting(host.station)
        await several(host.station, request("/small"), 6)
        assert taken
    # After its end: until then some connection may not have drained.
    metrics = host.recorder._metrics.text()
    host.log.flush()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    lines = [line for line in lines if line["target"] == "/small"]
    assert len(lines) == 6
    assert {tuple(sorted(line)) for line in lines} == {tuple(sorted(lines[0]))}
    for line in lines:
        assert (line["method"], line["status"], line["complete"]) == ("GET", 200, True)
        assert line["payload_bytes"] == len(SMALL)
        assert line["received_bytes"] == len(request("/small"))
        assert line["sent_bytes"] == lines[0]["sent_bytes"]
        steps = [line[f"{step}_seconds"] for step in ("received", "found", "sent", "drained")]
        assert sum(steps) == pytest.approx(line["total_seconds"], abs=1e-8)
        assert min(steps) >= 0
    counted = re.search(r'requests_total\{method="GET",status="200",complete="true"\} (\d+)', metrics)
    assert counted is not None
    assert int(counted[1]) == 6


async def test_a_shaped_host_has_no_shortcut(root):
    settings = HostSettings(directory=root, uplink_bytes_per_second=1e6, log=False)
    async with running(settings) as (host, _):
        assert host.station.shortcut is None
