"""The file host under TLS: the same host, through the standard library's ssl."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import socket
import ssl
import subprocess

import pytest

from servers.host_settings import HostSettings
from servers.limits import Limits
from testbed.tls_link import server_context
from tests.servers.running import exchange, in_thread, running

OPENSSL = shutil.which("openssl")
pytestmark = [
    pytest.mark.sockets,
    pytest.mark.trio,
    pytest.mark.skipif(OPENSSL is None, reason="makes its certificate with openssl"),
]

BIG = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    command = (
        f"{OPENSSL} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-keyout key.pem -out cert.pem -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "small.txt").write_bytes(b"hello\n")
    (tmp_path / "big").write_bytes(BIG)
    return tmp_path


@pytest.fixture
async def host(root, certificate):
    cert, key = certificate
    settings = HostSettings(directory=root, tls_certificate=cert, tls_key=key)
    async with running(settings) as (host, _):
        yield host


def context_of(certificate):
    return ssl.create_default_context(cafile=certificate[0])


def several(address, context, *paths: str):
    connection = http.client.HTTPSConnection(*address, timeout=120, context=context)
    bodies = []
    for path in paths:
        connection.request("GET", path)
        bodies.append(connection.getresponse().read())
    connection.close()
    return bodies


async def test_files_of_any_size_arrive_through_tls(host, certificate):
    assert host.url.startswith("https://127.0.0.1:")
    context = context_of(certificate)
    bodies = await in_thread(several, host.station.address, context, "/small.txt", "/big", "/small.txt")
    assert bodies[0] == bodies[2] == b"hello\n"
    assert hashlib.sha256(bodies[1]).digest() == hashlib.sha256(BIG).digest()
    assert host.station.ledger.connections_accepted == 1


async def test_reader_that_is_slow_gets_all_of_it(host, certificate):
    def read_in_small_parts():
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(20)
            raw.connect(host.station.address)
            with context_of(certificate).wrap_socket(raw, server_hostname="127.0.0.1") as sock:
                sock.sendall(b"GET /big HTTP/1.0\r\n\r\n")
                received = bytearray()
                while part := sock.recv(5000):
                    received += part
                return received

    assert (await in_thread(read_in_small_parts)).endswith(BIG)


async def test_end_of_an_answer_is_told_in_tls(host, certificate):
    def read_to_the_end():
        raw = socket.create_connection(host.station.address, timeout=120)
        with context_of(certificate).wrap_socket(
            raw, server_hostname="127.0.0.1", suppress_ragged_eofs=False
        ) as sock:
            sock.sendall(b"GET /small.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            received = bytearray()
            while part := sock.recv(5000):  # Raises if the end was not told.
                received += part
            return received

    assert (await in_thread(read_to_the_end)).endswith(b"hello\n")


async def test_plain_request_is_hung_up_on_and_others_are_served(host, certificate):
    try:
        answer = await in_thread(exchange, host.station.address, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    except ConnectionError:
        answer = b""
    assert b"HTTP/1.1" not in answer
    bodies = await in_thread(several, host.station.address, context_of(certificate), "/small.txt")
    assert bodies == [b"hello\n"]


async def test_client_that_is_refused_before_its_handshake_hears_why(root, certificate):
    cert, key = certificate
    limits = Limits(connections=1)
    settings = HostSettings(directory=root, tls_certificate=cert, tls_key=key, limits=limits)
    async with running(settings) as (host, _):
        with socket.create_connection(host.station.address):

            def ask():
                connection = http.client.HTTPSConnection(
                    *host.station.address, timeout=120, context=context_of(certificate)
                )
                connection.connect()
                response = http.client.HTTPResponse(connection.sock)
                response.begin()
                connection.close()
                return response.status

            while not host.node.connections:
                await in_thread(lambda: None)
            assert await in_thread(ask) == 503


async def test_what_is_no_certificate_is_named(tmp_path):
    (tmp_path / "cert.pem").write_bytes(b"nonsense")
    with pytest.raises(OSError, match="expected a certificate and its key") as caught:
        server_context(tmp_path / "cert.pem", None)
    assert caught.value.filename == str(tmp_path / "cert.pem")
