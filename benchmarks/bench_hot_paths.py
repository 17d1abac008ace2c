"""Micro-benchmarks of what is done most: `make benchmarks`.

They compare a change with what was before it (`--benchmark-compare`), never with a limit: a slow
machine must not fail.
"""

from __future__ import annotations

from random import Random

import pytest

from peers.core.bitfield import PieceSpace
from peers.core.picker import RarestFirst
from peers.messages import Block, Have, Request
from peers.wire import PeerWire
from servers.http1 import Request as HttpRequest
from servers.http1 import ResponseHead
from servers.wire import Http
from testbed.link import Pacer

BLOCK_BYTES = 16 * 1024


@pytest.fixture
def rng():
    return Random(7)


def test_reserve_an_uplink(benchmark):
    pacer = Pacer(1e9)
    benchmark(pacer.reserve, BLOCK_BYTES, 0.0)


def test_decode_100_haves(benchmark):
    wire = PeerWire(1024)
    data = memoryview(b"".join(bytes(part) for n in range(100) for part in wire.encode(Have(n))))
    decoder = _past_the_handshake(wire)
    assert len(benchmark(decoder.feed, data)) == 100


def test_decode_a_block(benchmark):
    wire = PeerWire(1024)
    message = Block(3, 0, BLOCK_BYTES, bytes(BLOCK_BYTES))
    data = memoryview(b"".join(bytes(part) for part in wire.encode(message)))
    decoder = _past_the_handshake(wire)
    assert benchmark(decoder.feed, data)[0].length == BLOCK_BYTES


def test_encode_a_request(benchmark):
    wire = PeerWire(1024)
    benchmark(wire.encode, Request(3, 0, BLOCK_BYTES))


def test_pick_the_rarest_of_1000(benchmark, rng):
    space = PieceSpace(1000)
    picker = RarestFirst(space, rng)
    for _ in range(5000):
        picker.peer_has(rng.randrange(1000))
    benchmark(picker.pick, space.all)


def test_parse_an_http_request(benchmark):
    wire = Http()
    headers = (("Host", "localhost"), ("User-Agent", "benchmark"), ("Accept", "*/*"))
    data = memoryview(b"".join(wire.encode(HttpRequest("GET", "/file.bin", headers))))
    decoder = wire.decoder(dialled=False)
    assert len(benchmark(decoder.feed, data)) == 1


def test_encode_an_http_response(benchmark):
    wire = Http()
    headers = (("Content-Length", "16384"), ("ETag", '"abc"'), ("Accept-Ranges", "bytes"))
    benchmark(wire.encode, ResponseHead(200, headers))


def _past_the_handshake(wire):
    from peers.messages import Handshake

    decoder = wire.decoder(dialled=True)
    handshake = b"".join(bytes(part) for part in wire.encode(Handshake(bytes(20), bytes(20))))
    decoder.feed(memoryview(handshake))
    return decoder
