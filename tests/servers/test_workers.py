"""Several processes on one port."""

from __future__ import annotations

import http.client
import json
import math
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from servers.host_settings import HostSettings
from servers.workers import share_of
from tests.servers.running import HostProcess

pytestmark = pytest.mark.sockets


@pytest.fixture
def host(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"hello")
    host = HostProcess(tmp_path, "--workers", "2", "--writable")
    yield host
    host.close()


def fetch(address, method="GET", path="/a.txt", body=None):
    connection = http.client.HTTPConnection(*address, timeout=120)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def workers_of(host):
    """The processes that a host started."""
    pid = host.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_every_worker_has_its_share_of_uplink_and_connections(tmp_path):
    settings = HostSettings(directory=tmp_path, uplink_bytes_per_second=9e6)
    shares = [share_of(settings, 3, 80) for _ in range(3)]
    assert sum(share.uplink_bytes_per_second for share in shares) == pytest.approx(9e6)
    assert sum(share.limits.connections for share in shares) >= settings.limits.connections
    assert all(share.shares_port and share.port == 80 for share in shares)
    unlimited = share_of(HostSettings(directory=tmp_path), 3, 80)
    assert unlimited.uplink_bytes_per_second == math.inf


def test_all_workers_serve_and_one_line_is_said(host):
    assert len(workers_of(host)) == 2
    for _ in range(40):
        assert fetch(host.address) == (200, b"hello")
    code, output, errors = host.end_by(signal.SIGTERM)
    assert (code, output) == (0, "")
    assert len([json.loads(line) for line in errors.splitlines()]) == 40


def test_what_one_worker_stored_all_of_them_serve(host, tmp_path):
    for number in range(10):
        content = b"%d" % number
        assert fetch(host.address, "PUT", "/new", content)[0] in (201, 204)
        assert all(fetch(host.address, path="/new") == (200, content) for _ in range(5))


def test_an_interrupt_ends_all_workers(host):
    workers = workers_of(host)
    code, _, _ = host.end_by(signal.SIGINT)
    assert code == 130
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


def test_a_worker_that_is_killed_takes_the_host_with_it(host):
    os.kill(workers_of(host)[0], signal.SIGKILL)
    _, errors = host.process.communicate(timeout=120)
    assert host.process.returncode == 1
    assert "worker" in errors


def test_a_port_in_use_is_said_in_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "servers", "serve", str(tmp_path), "--workers", "2"]
        done = subprocess.run(
            [*command, "--port", port], capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 2
    assert (
        done.stderr == f"python -m servers: cannot listen at 127.0.0.1:{port}: Address already in use\n"
    )
