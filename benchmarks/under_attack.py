"""Latency of a client while slowhttptest attacks the file host: `python -m benchmarks.under_attack`.

A host in a process of its own; the attacker holds up to 400 slow connections at one address, the client
asks for 1 KiB again and again, on a connection of its own each time, from another. Every calm spell is
measured right before its attack. The goal is a median within twice the calm one.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.transaction import running_host

CALM_SECONDS = 3.0
ATTACK_SECONDS = 6
PAUSE_SECONDS = 0.005
GOAL = 2.0

ATTACKS = {
    "slow heads": ("-H",),
    "slow bodies": ("-B", "-s", "8192"),
    "many ranges": ("-R", "-a", "5", "-b", "3000"),
    "slow reads": ("-X", "-w", "256", "-y", "512", "-n", "1", "-z", "16", "-k", "3"),
}


def latency_seconds(address: tuple[str, int]) -> float:
    """Of one request on a fresh connection, from another address than the attacker's."""
    begun = time.perf_counter()
    connection = HTTPConnection(*address, timeout=30, source_address=("127.0.0.2", 0))
    connection.request("GET", "/small")
    response = connection.getresponse()
    content = response.read()
    connection.close()
    if response.status != 200 or len(content) != 1024:
        raise ConnectionError(f"answered {response.status} with {len(content)} bytes")
    return time.perf_counter() - begun


def main() -> int:
    """Attack in each way and print what the other client sees."""
    tool = shutil.which("slowhttptest")
    if tool is None:
        print("slowhttptest is not installed: nothing to measure")
        return 0
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "files")
        folder.mkdir()
        (folder / "small").write_bytes(os.urandom(1024))
        (folder / "big").write_bytes(bytes(8_000_000))
        with running_host(folder, 0.0, Path(name, "log")) as address:
            for attack, options in ATTACKS.items():
                calm = []
                until = time.monotonic() + CALM_SECONDS
                while time.monotonic() < until:
                    calm.append(latency_seconds(address))
                    time.sleep(PAUSE_SECONDS)
                url = f"http://{address[0]}:{address[1]}/big"
                command = [tool, *options, "-u", url, "-c", "400", "-r", "200", "-i", "1"]
                command += ["-l", str(ATTACK_SECONDS), "-p", "3", "-v", "0"]
                attacker = subprocess.Popen(command, cwd=name, stdout=subprocess.DEVNULL)
                attacked = []
                while attacker.poll() is None:
                    attacked.append(latency_seconds(address))
                    time.sleep(PAUSE_SECONDS)
                before, during = statistics.median(calm), statistics.median(attacked)
                ratio = during / before
                missed += ratio > GOAL
                print(
                    f"{attack:12} calm {before * 1e3:6.2f} ms   attacked {during * 1e3:6.2f} ms   "
                    f"{ratio:4.2f} x   ({len(calm)} and {len(attacked)} requests, none failed)",
                    flush=True,
                )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
