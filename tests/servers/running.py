"""A file host at work on real sockets, and simple clients that block."""

from __future__ import annotations

import contextlib
import http.client
import io
import select
import signal
import socket
import subprocess
import sys

import trio

from servers.host import placed_host
from servers.host_settings import HostSettings
from testbed.live import LiveWorld


class HostProcess:
    """A host in a process of its own."""

    def __init__(self, directory, *options: str) -> None:
        command = [sys.executable, "-m", "servers", "serve", str(directory), "--port", "0", *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        assert ready, "the host did not come up"
        self.line = self.process.stdout.readline()
        host, port = self.line.split("http://")[1].strip("/\n").split(":")
        self.address = (host, int(port))

    def end_by(self, *signals: signal.Signals):
        for number in signals:
            self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=120)
        return self.process.returncode, output, errors

    def close(self):
        self.process.kill()
        self.process.communicate()


@contextlib.asynccontextmanager
async def running(settings: HostSettings):
    """Run a host; gives it, and its log as it grows."""
    world = LiveWorld()
    log = io.BytesIO()
    with placed_host(world, settings, log.write) as host:
        async with trio.open_nursery() as nursery:
            await nursery.start(world.run)
            await nursery.start(host.recorder.run)
            host.station.start(0.0)
            yield host, log
            nursery.cancel_scope.cancel()


async def in_thread(function, *args: object):
    """Run what blocks beside the world; bounded, so that a hanging test fails."""
    with trio.fail_after(120):
        return await trio.to_thread.run_sync(function, *args)


def fetch(address, path, method="GET", **headers: str):
    """One request on a connection of its own: status, headers, content."""
    connection = http.client.HTTPConnection(*address, timeout=120)
    try:
        connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def exchange(address, data):
    """Send raw bytes and read until the host hangs up."""
    with socket.create_connection(address, timeout=120) as sock:
        sock.sendall(data)
        received = b""
        while part := sock.recv(65536):
            received += part
        return received
