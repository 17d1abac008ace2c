"""The host that decision 8 measures ours against serves the same."""

from __future__ import annotations

import io
import json
import os

import pytest
import trio

from benchmarks.file_host_tasks import TaskWorld
from servers.host import placed_host
from servers.host_settings import HostSettings
from tests.servers.running import fetch, in_thread

pytestmark = [pytest.mark.sockets, pytest.mark.trio]


async def test_a_task_a_connection_serves_small_and_large_files_and_logs_them(tmp_path):
    large = os.urandom(6 << 20)
    (tmp_path / "large").write_bytes(large)
    (tmp_path / "small").write_bytes(b"small")
    log = io.BytesIO()
    world = TaskWorld()
    with placed_host(world, HostSettings(directory=tmp_path), log.write) as host:
        async with trio.open_nursery() as nursery:
            await nursery.start(world.run)
            host.station.start(0.0)
            for _ in range(3):
                assert (await in_thread(fetch, host.station.address, "/small"))[2] == b"small"
            assert (await in_thread(fetch, host.station.address, "/large"))[2] == large
            nursery.cancel_scope.cancel()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["status"] for line in lines] == [200] * 4
