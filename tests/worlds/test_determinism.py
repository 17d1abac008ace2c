"""One seed, one trace: whatever the hash seed, in whatever process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.worlds.simulating import make_plan, simulate, small_scenario

ROOT = Path(__file__).parents[2]

PRINT_DIGEST = """
import sys
from pathlib import Path
from tests.worlds.test_determinism import trace_digest
print(trace_digest(sys.argv[1], Path(sys.argv[2])))
"""


def trace_digest(architecture, folder, seed=5):
    scenario = small_scenario(seed=seed, arrivals="poisson at 4 /s", links={"latency_seconds": 0.01})
    trial = simulate(make_plan(scenario, architecture, 6, folder, trace=True))
    assert trial.record.trial.status == "complete", trial.record.trial.reason
    return hashlib.sha256((folder / "simulated.jsonl").read_bytes()).hexdigest()


@pytest.mark.parametrize("architecture", ["server", "swarm"])
def test_the_hash_seed_changes_nothing_in_a_trace(architecture, tmp_path):
    digests = set()
    for hash_seed in ("1", "2"):
        folder = tmp_path / hash_seed
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", PRINT_DIGEST, architecture, str(folder)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout)
    assert len(digests) == 1


def test_another_seed_makes_another_trace(tmp_path):
    digests = set()
    for seed in (5, 6):
        folder = tmp_path / str(seed)
        folder.mkdir()
        digests.add(trace_digest("swarm", folder, seed))
    assert len(digests) == 2
