"""What a process can hold of peers: `python -m benchmarks.swarm_capacity [--clients 64 128]`.

* Memory of an idle peer with 64 connections: so many peers and one more, all linked with each other in
  one process, nobody with anything to pass on. What the process grew by, divided by the peers. The
  kernel's part (sockets, 2 or 3 KB each while nothing waits in them) is not in it.
* Shaped peers: a crowd whose clients send and receive 1 MB/s each, all in one process with the origin
  and the tracker. Reached / asked is the fluid bound divided by the last client's time. How many fit on
  one core follows from the processor time that the crowd took: bound x clients / CPU seconds. Half of
  it is messages about pieces, so it depends on their length; 256 KiB is the rule's for 180 MB and more.

Linux only: every peer needs a loopback address of its own.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

import psutil
import trio

from benchmarks.swarm_crowd import MEGABYTE, Crowd, CrowdFailed, run_crowd
from peers.core.introduction import PEER_WIRE
from peers.core.peer import PeerNode
from peers.core.state import PeerConfig
from peers.torrent import describe
from peers.wire import PeerWire
from testbed.content import made_up
from testbed.link import Pacer
from testbed.live import LiveStation, LiveWorld
from testbed.sockets import loopback_host, raise_open_file_limit
from testbed.storage import SharedStorage

PORT = 22_000
PIECES = 512
PIECE_BYTES = 32 << 10
MEMORY_GOAL_BYTES = 1 << 20
CLIENTS_GOAL = 128

#: Beside the sockets: files, epoll, and what Python has open.
SPARE_FILES = 256


# --- Memory ---------------------------------------------------------------------------------


async def idle_peer_bytes(links: int) -> float:
    """Give what one more peer costs, of `links` + 1 that are all linked with each other."""
    raise_open_file_limit(links * (links + 1) + SPARE_FILES)
    size = PIECES * PIECE_BYTES
    torrent = describe("nothing", size, PIECE_BYTES, [bytes(20)] * PIECES, "")
    storage = SharedStorage(memoryview(bytes(size)))
    addresses = [(loopback_host(number), PORT) for number in range(links + 1)]  # type: ignore[arg-type]
    wires = {PEER_WIRE: PeerWire(PIECES)}
    process = psutil.Process()
    world = LiveWorld()
    gc.collect()
    before = process.memory_info().rss
    stations: list[LiveStation] = []
    for number, address in enumerate(addresses):
        config = PeerConfig(
            peer_id=b"-SO0001-%012d" % number,
            neighbours=2 * links,
            known_peers=tuple(addresses[:number]),
        )
        node = PeerNode(config, torrent, storage, Random(number))
        lines = {"uplink": Pacer(MEGABYTE), "downlink": Pacer(MEGABYTE)}
        stations.append(world.add(node, address, wires, accepts=PEER_WIRE, **lines))
    async with trio.open_nursery() as nursery:
        await nursery.start(world.run)
        for station in stations:
            station.start(0.0)
        while not all(station.node.peers_connected == links for station in stations):
            await trio.lowlevel.checkpoint()
        gc.collect()
        grown = process.memory_info().rss - before
        nursery.cancel_scope.cancel()
    return grown / len(stations)


def print_memory(links: int) -> bool:
    """Measure in a process that did nothing else, print, and say whether the goal was reached."""
    command = [sys.executable, "-m", "benchmarks.swarm_capacity", "--measure-memory", str(links)]
    measured = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(
        f"memory of an idle peer with {links} connections: {measured / 1024:.0f} KiB"
        f" (at most {MEMORY_GOAL_BYTES >> 10} KiB asked)"
    )
    return measured <= MEMORY_GOAL_BYTES


# --- Shaped peers ---------------------------------------------------------------------------


def print_crowd(clients: int, seconds: float, piece_bytes: int, port: int) -> bool:
    """Run one crowd in one process, print, and say whether a core holds as many as asked."""
    # The bound of N clients at 1 MB/s with an origin at 2: N F / (2 + N).
    file_bytes = int(seconds * MEGABYTE * (2 + clients) / clients) // piece_bytes * piece_bytes
    with tempfile.TemporaryDirectory() as name:
        content = made_up(Path(name), file_bytes, 1)
        crowd = Crowd(
            clients=clients,
            file=str(content.path),
            file_bytes=file_bytes,
            piece_bytes=piece_bytes,
            folder=str(Path(name, "downloads")),
            port=port,
            origin_uplink=2.0 * MEGABYTE,
            uplink=1.0 * MEGABYTE,
            downlink=4.0 * MEGABYTE,
        )
        try:
            result = run_crowd("benchmarks.swarm_ours", crowd, 1)
        except CrowdFailed as failed:
            print(f"{clients:6}  {failed}")
            return False
    last = max(result.finished_seconds.values())
    [cpu] = result.cpu_seconds
    passed = clients * file_bytes / MEGABYTE
    fit = math.floor(crowd.bound_seconds * clients / cpu)
    print(
        f"{clients:6}{piece_bytes >> 10:4} KiB{crowd.bound_seconds / last:17.3f}{cpu / last:18.2f}"
        f"{1000 * cpu / passed:12.2f}{fit:17}{fit / CLIENTS_GOAL:12.2f}",
        flush=True,
    )
    return fit >= CLIENTS_GOAL


def main() -> int:
    """Measure what was asked for; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[128])
    parser.add_argument("--links", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=8.0, help="what each crowd takes at the least")
    parser.add_argument("--piece-kib", type=int, nargs="+", default=[256, 32])
    parser.add_argument("--measure-memory", type=int, metavar="LINKS", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure_memory is not None:
        print(trio.run(idle_peer_bytes, args.measure_memory))
        return 0
    reached = [print_memory(args.links)]
    cores = os.cpu_count()
    print(f"\nshaped peers at 1 MB/s in one process ({cores} cores, load {os.getloadavg()[0]:.1f})")
    print("     N  pieces  reached / asked  share of a core   CPU ms/MB  fit on one core  of the goal")
    crowds = [(clients, kib) for clients in args.clients for kib in args.piece_kib]
    fits = [
        print_crowd(clients, args.seconds, kib << 10, PORT + 1 + place)
        for place, (clients, kib) in enumerate(crowds)
    ]
    return 0 if all(reached) and any(fits) else 1


if __name__ == "__main__":
    sys.exit(main())
