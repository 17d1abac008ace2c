"""Slow clients by slowhttptest, which nobody here wrote: the host goes on and keeps nothing of them."""

from __future__ import annotations

import gc
import http.client
import shutil
import subprocess
from pathlib import Path

import pytest
import trio

from servers.host_settings import HostSettings
from servers.limits import Limits
from tests.servers.running import in_thread, running

SLOWHTTPTEST = shutil.which("slowhttptest")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.sockets,
    pytest.mark.trio,
    pytest.mark.skipif(SLOWHTTPTEST is None, reason="slowhttptest is not installed"),
    pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open descriptors"),
]

CONNECTIONS = 120
ALLOWED = 60
LIMITS = Limits(
    connections_per_address=ALLOWED, head_seconds=2.0, idle_seconds=2.0, body_grace_seconds=2.0
)


def open_descriptors():
    gc.collect()
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def fetch_from_elsewhere(address, path="/small"):
    """One request from another address than the attacker's."""
    connection = http.client.HTTPConnection(*address, timeout=120, source_address=("127.0.0.2", 0))
    connection.request("GET", path)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


@pytest.mark.parametrize(
    "attack",
    [
        ["-H"],
        ["-B", "-s", "100000"],
        ["-B", "-s", "4096"],
        ["-R", "-a", "5", "-b", "3000"],
        ["-X", "-w", "256", "-y", "512", "-n", "1", "-z", "16", "-k", "3"],
    ],
    ids=["slow heads", "slow bodies", "slow small bodies", "many ranges", "slow reads"],
)
async def test_slow_clients_hold_up_nobody_and_leave_nothing_behind(tmp_path, attack):
    root = tmp_path / "root"
    root.mkdir()
    (root / "small").write_bytes(b"hello")
    (root / "big").write_bytes(bytes(8_000_000))
    async with running(HostSettings(directory=root, limits=LIMITS)) as (host, _):
        address = host.station.address
        for path in ("/small", "/big"):  # The host keeps files open that were asked for.
            assert (await in_thread(fetch_from_elsewhere, address, path))[0] == 200
        baseline = open_descriptors()
        tasks = trio.lowlevel.current_statistics().tasks_living
        command = [
            *(SLOWHTTPTEST, *attack, "-u", f"{host.url}big", "-c", str(CONNECTIONS), "-r", "60"),
            *("-i", "1", "-l", "5", "-p", "3", "-v", "0"),
        ]
        served = 0
        async with trio.open_nursery() as nursery:
            attacker = await nursery.start(run_process, command, tmp_path)
            while attacker.returncode is None:
                assert await in_thread(fetch_from_elsewhere, address) == (200, b"hello")
                served += 1
                await trio.sleep(0.02)  # The pace of the other client; nothing is waited for.
        assert served > 10
        # Whoever is still there is ended by the limits.
        with trio.fail_after(120):
            while host.station.world.open_links:  # noqa: ASYNC110
                await trio.sleep(0.05)
        assert host.node.connections == 0
        assert host.node.is_idle
        assert open_descriptors() <= baseline
        assert host.station.ledger.connections_accepted > ALLOWED
        assert trio.lowlevel.current_statistics().tasks_living == tasks


async def run_process(command, folder, task_status=trio.TASK_STATUS_IGNORED):
    with trio.fail_after(120):
        await trio.run_process(
            command, cwd=folder, check=False, stdout=subprocess.DEVNULL, task_status=task_status
        )
