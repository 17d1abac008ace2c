"""Strangers on real sockets that mean no good: each costs little, is counted, and holds up nobody."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio

from peers import messages as m
from peers import resume
from peers.content_check import held_pieces
from peers.content_store import create_content, open_content
from peers.core.bitfield import PieceSpace
from peers.core.peer import PeerNode
from peers.host import client_id, settle, swarm_config, take_part
from peers.limits import Limits
from peers.plan import Ending, Outcome, PeerPlan, Reports, SwarmPlan
from peers.torrent import BLOCK_BYTES, Torrent
from peers.torrent_making import make
from peers.udp_link import PeerStation
from peers.wire import PeerWire
from testbed.live import LiveWorld
from testbed.live_link import CHATTER_READ_BYTES
from testbed.sockets import raise_open_file_limit

pytestmark = [pytest.mark.sockets, pytest.mark.trio]

PIECE_BYTES = 2 * BLOCK_BYTES
SECONDS = 120
"""Longer than anything takes; what is waited for are events."""


class Seed:
    """A peer with a file, as `python -m peers seed` runs it."""

    def __init__(self, folder: Path, limits: Limits, pieces: int) -> None:
        (folder / "file").write_bytes(Random(0).randbytes(pieces * PIECE_BYTES))
        self.content = (folder / "file").read_bytes()
        self.torrent: Torrent = make(folder / "file", PIECE_BYTES, "")
        self.world = LiveWorld(stall_seconds=limits.stall_seconds)
        plan = SwarmPlan(tracker=None, limits=limits)
        config, everything = swarm_config(plan, client_id()), PieceSpace(pieces).all
        self.node = PeerNode(
            config, self.torrent, open_content(self.torrent, folder), Random(1), held=everything
        )
        self.station: PeerStation = settle(self.world, self.node, plan, pieces)

    @property
    def violations(self) -> dict[str, int]:
        """Links that ended for a fault of the remote."""
        return self.station.ledger.violations

    async def stranger(self, receive_buffer: int | None = None) -> trio.SocketStream:
        """Somebody connects, and has not said anything."""
        sock = trio.socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await sock.connect(self.station.address)
        return trio.SocketStream(sock)

    async def introduced(self, receive_buffer: int | None = None) -> trio.SocketStream:
        """Somebody connects and says who it is, and that it would like to have something."""
        stream = await self.stranger(receive_buffer)
        peer_id = b"-XX0001-%012d" % self.station.ledger.connections_accepted
        await say(stream, m.Handshake(self.torrent.info_hash, peer_id, m.FAST_RESERVED), m.INTERESTED)
        return stream

    async def serves(self, piece: int) -> bool:
        """Whether somebody who behaves gets a piece, and every byte of it is right."""
        async with await self.introduced() as stream:
            heard = Hearing(stream, self.torrent.piece_count)
            await heard.until(m.Unchoke)
            spans = self.torrent.blocks_of(piece)
            await say(stream, *[m.Request(piece, begin, length) for begin, length in spans])
            got = b"".join([bytes((await heard.until(m.Block)).payload) for _ in spans])
        return got == self.content[piece * PIECE_BYTES : (piece + 1) * PIECE_BYTES]


class Hearing:
    """Takes apart what a peer says on a stream."""

    def __init__(self, stream: trio.SocketStream, pieces: int) -> None:
        self._stream = stream
        self._decoder = PeerWire(pieces).decoder(dialled=True)
        self._waiting: list = []

    async def until(self, kind: type):
        """The next message of a kind; those before it are passed over."""
        while True:
            while self._waiting:
                message = self._waiting.pop(0)
                if isinstance(message, kind):
                    return message
            data = await self._stream.receive_some()
            assert data, f"the link ended before a {kind.__name__} came"
            self._waiting += self._decoder.feed(memoryview(data))


async def say(stream: trio.SocketStream, *messages: Any) -> None:
    """Say something to the peer."""
    wire = PeerWire(None)
    await stream.send_all(b"".join(bytes(part) for each in messages for part in wire.encode(each)))


async def ended(stream: trio.SocketStream) -> None:
    """Wait until the other side has ended the link."""
    with suppress(trio.BrokenResourceError):
        while await stream.receive_some():
            pass


@asynccontextmanager
async def seeding(folder: Path, pieces: int = 8, **limits: Any) -> AsyncIterator[Seed]:
    """A seed that runs as long as the block; with these limits."""
    seed = Seed(folder, Limits(**limits), pieces)
    with trio.fail_after(SECONDS):
        async with trio.open_nursery() as nursery:
            await nursery.start(seed.world.run)
            seed.station.start(0.0)
            yield seed
            nursery.cancel_scope.cancel()


async def test_a_handshake_that_trickles_ends_in_the_time_that_one_has(tmp_path):
    async with seeding(tmp_path, handshake_seconds=0.1) as seed:
        async with await seed.stranger() as stream, await seed.stranger() as silent:
            for byte in b"\x13BitTorrent protocol" + bytes(40):
                await stream.send_all(bytes([byte]))
            await ended(stream)
            await ended(silent)
        assert seed.violations == {"no handshake": 2}
        assert not seed.node.peers_connected


async def test_half_open_connections_take_few_descriptors_and_nobodys_place(tmp_path):
    raise_open_file_limit(2048)
    async with seeding(tmp_path, half_open=20, connections=60) as seed:
        crowd = [await seed.stranger() for _ in range(500)]
        assert await seed.serves(3)
        assert len(seed.world.open_links) <= 60
        # Those beyond 20 made room in the order in which they came, but for a handful under way.
        assert seed.violations["too many half-open"] >= 500 - 60
        assert set(seed.violations) <= {"too many half-open", "too many connections"}
        for stream in crowd:
            await stream.aclose()


async def test_introduced_connections_are_bounded_as_well(tmp_path):
    async with seeding(tmp_path, connections=5) as seed:
        crowd = [await seed.introduced() for _ in range(8)]
        for stream in crowd[5:]:
            await ended(stream)
        assert seed.violations == {"too many connections": 3}
        for stream in crowd:
            await stream.aclose()


async def test_who_asks_and_never_reads_holds_up_nobody_and_is_parted_from(tmp_path):
    async with seeding(tmp_path, pieces=128, stall_seconds=0.2) as seed:
        async with await seed.introduced(receive_buffer=4096) as stream:
            heard = Hearing(stream, 128)
            await heard.until(m.Unchoke)
            await say(stream, *[m.Request(piece, 0, BLOCK_BYTES) for piece in range(120)])
            assert await seed.serves(127)
            while not seed.node.limits_hit:
                await trio.testing.wait_all_tasks_blocked(0.01)
            assert seed.node.limits_hit == {"stalled": 1}
        # What it never read was never taken from the file: less than a third of what it asked for.
        assert seed.station.ledger.uploaded_payload_bytes < 40 * BLOCK_BYTES
        assert await seed.serves(126)


async def test_a_flood_of_requests_ends_its_link_and_others_are_served(tmp_path):
    async with seeding(tmp_path, refused_requests=100) as seed:
        async with await seed.introduced() as stream:
            with suppress(trio.BrokenResourceError):
                await say(stream, *[m.Request(0, 0, BLOCK_BYTES)] * 20_000)
            await ended(stream)
        assert seed.violations == {"flood of requests": 1}
        assert await seed.serves(1)


async def test_who_chatters_without_end_gets_a_little_of_each_turn(tmp_path):
    async with seeding(tmp_path) as seed, await seed.introduced() as stream:

        async def chatter() -> None:
            while True:
                await stream.send_all(bytes(1 << 20))  # A quarter of a million keep-alives.

        async with trio.open_nursery() as nursery:
            nursery.start_soon(chatter)
            world, ledger = seed.world, seed.station.ledger
            while ledger.downloaded_wire_bytes < 1 << 19:
                await trio.lowlevel.checkpoint()
            turns, heard_bytes = world.turn, ledger.downloaded_wire_bytes
            assert await seed.serves(1)
            turns, heard_bytes = world.turn - turns, ledger.downloaded_wire_bytes - heard_bytes
            nursery.cancel_scope.cancel()
        # Once it has no more than chatter in a whole buffer, and what the other said comes on top.
        assert heard_bytes < (turns + 1) * CHATTER_READ_BYTES + (1 << 18)


async def download(seed: Seed, folder: Path, host: str, seconds: float = SECONDS, rate=1e9) -> Outcome:
    """Be a peer at a host for a while, as `python -m peers get` is."""
    storage = create_content(seed.torrent, folder)
    swarm = SwarmPlan(
        tracker=None, peers=(seed.station.address,), host=host, downlink_bytes_per_second=rate
    )
    held = held_pieces(seed.torrent, folder, *resume.load(seed.torrent, folder))
    plan = PeerPlan(swarm=swarm, torrent=seed.torrent, storage=storage, held=held)
    outcome = await take_part(plan, Reports(), timeout_seconds=seconds, seed_seconds=0.0)
    storage.flush()
    resume.save(seed.torrent, folder, outcome.held, storage.stamps)
    storage.close()
    return outcome


async def test_who_comes_back_at_another_address_goes_on_where_it_was(tmp_path):
    async with seeding(tmp_path, pieces=16) as seed:
        out = tmp_path / "out"
        first = await download(seed, out, "127.0.0.2", seconds=0.3, rate=1e6)
        second = await download(seed, out, "127.0.0.3")
        assert second.complete
        missing = 16 - first.held.bit_count()
        assert second.downloaded_bytes == missing * PIECE_BYTES
        assert (out / "file").read_bytes() == seed.content


async def test_a_full_disk_ends_a_download_with_the_reason_and_what_came_is_kept(tmp_path, monkeypatch):
    written = 0

    def pwritev(descriptor, views, offset):
        nonlocal written
        if written > 3 * PIECE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if written == 3 * PIECE_BYTES:
            views = [views[0][:1000]]  # The last page of the disk.
        taken = write(descriptor, views, offset)
        written += taken
        return taken

    write = os.pwritev
    async with seeding(tmp_path) as seed:
        out = tmp_path / "out"
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwritev", pwritev)
            outcome = await download(seed, out, "127.0.0.2")
        assert outcome.ending is Ending.FAILED
        assert outcome.reason.endswith("cannot be written: No space left on device")
        assert outcome.held.bit_count() == 3
        assert held_pieces(seed.torrent, out) == outcome.held
        assert (await download(seed, out, "127.0.0.2")).complete  # There is room again.


@pytest.mark.parametrize("harm", ["truncated", "deleted"])
async def test_a_seed_whose_file_goes_sends_not_a_wrong_byte_and_says_why(tmp_path, harm):
    async with seeding(tmp_path) as seed:
        async with await seed.introduced() as stream:
            heard = Hearing(stream, 8)
            await heard.until(m.Unchoke)
            if harm == "truncated":
                os.truncate(tmp_path / "file", PIECE_BYTES)
            else:
                (tmp_path / "file").unlink()
            await say(stream, m.Request(0, 0, BLOCK_BYTES))
            await ended(stream)
        assert seed.station.ledger.uploaded_payload_bytes == 0
        assert not seed.station.ledger.verified
        assert "file" in seed.station.ledger.outcome
