"""The file host against its OpenAPI description, by schemathesis, which nobody here wrote."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import trio

from servers.host_settings import HostSettings
from tests.servers.running import running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.sockets,
    pytest.mark.trio,
    pytest.mark.skipif(find_spec("schemathesis") is None, reason="schemathesis is not installed"),
]

DESCRIPTION = Path(__file__).parents[2] / "docs" / "file-host.openapi.json"


async def test_host_answers_as_it_is_described(tmp_path):
    """Every answer to what it makes up is described: status, headers, type; and none is a 5xx."""
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"0123456789")
    (root / "empty").write_bytes(b"")
    async with running(HostSettings(directory=root, metrics=True)) as (host, _):
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", str(DESCRIPTION)),
            *("--url", host.url, "--checks", "all", "--phases", "examples,coverage,fuzzing"),
            # 412 and 416 are right answers to requests that are well-formed.
            *("--exclude-checks", "positive_data_acceptance"),
            *("--max-examples", "25", "--seed", "7", "--warnings", "off", "--no-color"),
        ]
        with trio.fail_after(120):
            result = await trio.run_process(
                command, cwd=tmp_path, check=False, capture_stdout=True, stderr=subprocess.STDOUT
            )
        assert result.returncode == 0, result.stdout.decode()
        assert host.station.ledger.connections_accepted > 0
        assert host.node.tally.requests_served > 50
