"""Storing on real sockets: clients nobody here wrote, killed clients, a killed host."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess

import pytest
import trio

from servers.host_settings import HostSettings
from tests.servers.running import HostProcess, exchange, fetch, in_thread, running
from tests.worlds.simulating import make_plan, simulate, small_scenario

pytestmark = pytest.mark.sockets

CURL = shutil.which("curl")

CONTENT = os.urandom(1 << 20)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
async def station(root):
    settings = HostSettings(directory=root, writable=True, upload_limit_bytes=len(CONTENT))
    async with running(settings) as (host, _):
        yield host.station


def request(address, method, path, body=None, **headers: str):
    """One request on a connection of its own: status, headers, content."""
    connection = http.client.HTTPConnection(*address, timeout=120)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def half_of_a_put(address, path, *headers: str):
    """Announce all of the content, send half of it, and give the socket."""
    sock = socket.create_connection(address, timeout=120)
    lines = [f"PUT {path} HTTP/1.1", "Host: x", f"Content-Length: {len(CONTENT)}", *headers, "", ""]
    sock.sendall("\r\n".join(lines).encode() + CONTENT[: len(CONTENT) // 2])
    return sock


def area_of(root):
    return [path for path in (root / ".uploads").iterdir() if path.name != "lock"]


async def until(condition):
    """Let the host go on until the condition holds; a test that waits in vain fails."""
    with trio.fail_after(120):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.001)


@pytest.mark.trio
async def test_two_clients_exchange_a_file_and_all_of_it_passes_the_server_twice(station, root):
    """Experiment E18, first half."""
    address = station.address
    status, headers, _ = await in_thread(request, address, "PUT", "/gift", CONTENT)
    assert status == 201
    status, got, body = await in_thread(fetch, address, "/gift")
    assert (status, body) == (200, CONTENT)
    assert got["ETag"] == headers["ETag"]
    ledger = station.ledger
    assert ledger.downloaded_payload_bytes == len(CONTENT)
    assert ledger.uploaded_payload_bytes == len(CONTENT)


def test_two_peers_exchange_a_file_and_nothing_of_it_passes_a_server(tmp_path):
    """Experiment E18, second half: the same exchange, with a tracker as the only server."""
    scenario = small_scenario()
    rows = simulate(make_plan(scenario, "swarm", 1, tmp_path)).record.nodes
    from_a, to_b, server = (
        [row for row in rows if row.role == role] for role in ("origin", "client", "tracker")
    )
    assert [row.uploaded_payload_bytes for row in from_a] == [scenario.file_bytes]
    assert [row.downloaded_payload_bytes for row in to_b] == [scenario.file_bytes]
    assert [row.uploaded_payload_bytes + row.downloaded_payload_bytes for row in server] == [0]


@pytest.mark.trio
async def test_a_file_comes_in_chunks(station, root):
    parts = [CONTENT[:1000], CONTENT[1000:70_000], CONTENT[70_000:]]
    connection = http.client.HTTPConnection(*station.address, timeout=120)

    def put():
        connection.request("PUT", "/file", iter(parts), encode_chunked=True)
        return connection.getresponse().status

    assert await in_thread(put) == 201
    connection.close()
    assert (root / "file").read_bytes() == CONTENT


@pytest.mark.trio
@pytest.mark.skipif(CURL is None, reason="curl is not installed")
async def test_curl_stores_a_file_and_waits_to_be_told_to_continue(station, root, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    host, port = station.address
    url = f"http://{host}:{port}/file"
    command = [CURL, "-sv", "-T", source, "-H", "Expect: 100-continue", "--max-time", "10", url]
    done = await in_thread(lambda: subprocess.run(command, capture_output=True, text=True, check=True))
    assert "HTTP/1.1 100 Continue" in done.stderr
    assert "HTTP/1.1 201 Created" in done.stderr
    assert (root / "file").read_bytes() == CONTENT


@pytest.mark.trio
async def test_what_will_be_refused_is_refused_before_it_is_sent(station, root):
    head = (
        f"PUT /file HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        f"Content-Length: {len(CONTENT) + 1}\r\n\r\n"
    )
    answer = await in_thread(exchange, station.address, head.encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert area_of(root) == []


@pytest.mark.trio
async def test_a_killed_client_leaves_nothing(station, root):
    sock = await in_thread(half_of_a_put, station.address, "/file")
    await until(lambda: area_of(root))
    sock.close()
    await until(lambda: not area_of(root))
    assert not (root / "file").exists()


@pytest.mark.trio
async def test_an_area_is_neither_listed_nor_served(station, root):
    sock = await in_thread(half_of_a_put, station.address, "/file")
    await until(lambda: area_of(root))
    name = area_of(root)[0].name
    assert b"uploads" not in (await in_thread(fetch, station.address, "/"))[2]
    for path in ("/.uploads/", "/.uploads", f"/.uploads/{name}", f"/%2euploads/{name}"):
        assert (await in_thread(fetch, station.address, path))[0] == 404
    sock.close()


@pytest.mark.trio
async def test_options_say_that_uploads_can_be_resumed(station):
    status, headers, _ = await in_thread(request, station.address, "OPTIONS", "/")
    assert status == 204
    assert headers["Allow"] == "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"
    assert headers["Accept-Patch"] == "application/partial-upload"
    assert f"max-size={len(CONTENT)}" in headers["Upload-Limit"]


@pytest.mark.trio
async def test_a_host_that_is_not_writable_stores_nothing(root):
    async with running(HostSettings(directory=root)) as (host, _):
        status, headers, _ = await in_thread(request, host.station.address, "PUT", "/x", b"x")
        assert status == 405
        assert "PUT" not in headers["Allow"]
    assert list(root.iterdir()) == []


@pytest.mark.trio
async def test_a_killed_client_goes_on_where_it_was(station, root):
    address = station.address
    sock = await in_thread(
        half_of_a_put, address, "/file", "Upload-Complete: ?1", "Upload-Draft-Interop-Version: 9"
    )
    interim = await in_thread(sock.recv, 4096)
    assert interim.startswith(b"HTTP/1.1 104 ")
    where = interim.split(b"Location: ")[1].split(b"\r\n")[0].decode()
    await until(lambda: station.ledger.downloaded_payload_bytes >= len(CONTENT) // 2)
    sock.close()
    await resume(lambda *args, **more: in_thread(lambda: request(address, *args, **more)), where)
    assert (root / "file").read_bytes() == CONTENT


async def resume(ask, where):
    """What a client does after it was cut off."""
    status, headers, _ = await ask("HEAD", where)
    offset = int(headers["Upload-Offset"])
    assert (status, headers["Upload-Complete"]) == (204, "?0")
    assert offset == len(CONTENT) // 2
    status, headers, _ = await ask(
        "PATCH",
        where,
        CONTENT[offset:],
        Content_Type="application/partial-upload",
        Upload_Offset=str(offset),
        Upload_Complete="?1",
    )
    assert (status, headers["Upload-Complete"]) == (201, "?1")


@pytest.mark.trio
async def test_an_upload_survives_a_killed_host(tmp_path):
    first = await in_thread(HostProcess, tmp_path, "--writable")
    try:
        sock = await in_thread(
            half_of_a_put,
            first.address,
            "/file",
            "Upload-Complete: ?1",
            "Upload-Draft-Interop-Version: 9",
        )
        interim = await in_thread(sock.recv, 4096)
        where = interim.split(b"Location: ")[1].split(b"\r\n")[0].decode()
        part = tmp_path / ".uploads" / f"{where.rpartition('/')[2]}.part"
        await until(lambda: part.stat().st_size == len(CONTENT) // 2)
        first.process.send_signal(signal.SIGKILL)
        await in_thread(first.process.wait)
        sock.close()
    finally:
        first.close()
    assert not (tmp_path / "file").exists()
    second = await in_thread(HostProcess, tmp_path, "--writable")
    try:
        await resume(
            lambda *args, **more: in_thread(lambda: request(second.address, *args, **more)), where
        )
    finally:
        second.close()
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.trio
async def test_what_a_killed_host_had_of_a_plain_upload_is_swept_up_by_the_next(tmp_path):
    first = await in_thread(HostProcess, tmp_path, "--writable")
    try:
        sock = await in_thread(half_of_a_put, first.address, "/file")
        await until(lambda: area_of(tmp_path))
        first.process.send_signal(signal.SIGKILL)
        await in_thread(first.process.wait)
        sock.close()
    finally:
        first.close()
    second = await in_thread(HostProcess, tmp_path, "--writable")
    try:
        assert area_of(tmp_path) == []
    finally:
        second.close()
    assert not (tmp_path / "file").exists()
