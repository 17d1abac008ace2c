"""A peer that no line paces asks, and serves, in runs; to everybody else it is the same."""

from typing import Any

import pytest

from peers import messages as m
from peers.core import upload
from peers.core.peer import CORRUPT_PIECE
from peers.torrent import BLOCK_BYTES
from testbed.node import Finished
from tests.peers.core.single import SinglePeer, hung_up, sent

PIECE_BYTES = 2 * BLOCK_BYTES


def content(peer: SinglePeer, piece: int, begin: int, length: int) -> bytes:
    start = piece * PIECE_BYTES + begin
    return peer.content[start : start + length]


def run_of(peer: SinglePeer, piece: int) -> m.BlockRun:
    size = peer.torrent.piece_size(piece)
    return m.BlockRun(piece, 0, size, memoryview(content(peer, piece, 0, size)))


def seed_and_asker(**config: Any) -> tuple[SinglePeer, int]:
    seed = SinglePeer(**config)
    return seed, seed.join(interested=True)


def leecher(**config: Any) -> tuple[SinglePeer, int]:
    """A leecher of one piece, which it has asked a seed for."""
    peer = SinglePeer(0, pieces=1, **config)
    return peer, peer.join(peer.space.all)


def test_a_run_of_requests_is_answered_by_a_run_of_blocks():
    seed, link = seed_and_asker(in_runs=True)
    effects = seed.say(link, m.RequestRun(0, 0, PIECE_BYTES))
    [run] = sent(effects, link, m.BlockRun)
    assert (run.piece, run.begin, run.length) == (0, 0, PIECE_BYTES)
    assert bytes(run.payload) == content(seed, 0, 0, PIECE_BYTES)
    assert seed.node.tally.requests_served == 2


def test_a_peer_on_a_paced_line_serves_a_run_block_by_block():
    seed, link = seed_and_asker()
    effects = seed.say(link, m.RequestRun(0, 0, PIECE_BYTES))
    effects += seed.departs(link)
    assert not sent(effects, link, m.BlockRun)
    assert [block.begin for block in sent(effects, link, m.Block)] == [0, BLOCK_BYTES]


def test_a_long_run_leaves_in_parts(monkeypatch):
    monkeypatch.setattr(upload, "RUN_BYTES", BLOCK_BYTES)
    seed, link = seed_and_asker(in_runs=True)
    effects = seed.say(link, m.RequestRun(0, 0, PIECE_BYTES))
    effects += seed.departs(link)
    parts = sent(effects, link, m.BlockRun)
    assert [(part.begin, part.length) for part in parts] == [
        (0, BLOCK_BYTES),
        (BLOCK_BYTES, BLOCK_BYTES),
    ]
    assert seed.node.tally.requests_served == 2


def test_of_a_run_that_waits_a_block_can_be_cancelled():
    seed, link = seed_and_asker(in_runs=True)
    seed.say(link, m.RequestRun(0, 0, PIECE_BYTES), m.RequestRun(1, 0, PIECE_BYTES))
    cancelled = seed.say(link, m.Cancel(1, 0, BLOCK_BYTES))
    assert sent(cancelled, link, m.RejectRequest) == [m.RejectRequest(1, 0, BLOCK_BYTES)]
    [block] = sent(seed.departs(link), link, m.Block)
    assert (block.piece, block.begin) == (1, BLOCK_BYTES)


def test_a_run_that_may_not_be_asked_is_refused_block_by_block():
    seed = SinglePeer(in_runs=True)
    link = seed.join()  # Not interested, so not granted.
    refused = sent(seed.say(link, m.RequestRun(0, 0, PIECE_BYTES)), link, m.RejectRequest)
    assert [one.begin for one in refused] == [0, BLOCK_BYTES]


@pytest.mark.parametrize("run", [m.RequestRun(9, 0, 5), m.RequestRun(0, BLOCK_BYTES, PIECE_BYTES)])
def test_a_run_out_of_range_ends_the_link(run):
    seed, link = seed_and_asker(in_runs=True)
    [ending] = hung_up(seed.say(link, run))
    assert ending.violation
    assert ending.reason == "request out of range"


def test_a_piece_is_asked_for_in_one_message():
    peer, link = leecher(in_runs=True)
    [asked] = sent(peer.say(link, m.UNCHOKE), link, m.RequestRun)
    assert (asked.piece, asked.begin, asked.length) == (0, 0, peer.torrent.piece_size(0))
    assert peer.node.tally.requests_made == 2


def test_what_came_of_a_piece_is_not_asked_for_again():
    peer, link = leecher(in_runs=True)
    peer.say(link, m.UNCHOKE, peer.blocks(0)[0], m.RejectRequest(0, BLOCK_BYTES, 1))
    [asked] = sent(peer.say(link, m.UNCHOKE), link, m.RequestRun)
    assert (asked.begin, asked.length) == (BLOCK_BYTES, 1)


@pytest.mark.parametrize("in_runs", [True, False])
def test_a_run_of_blocks_is_a_piece(in_runs):
    peer, link = leecher(in_runs=in_runs)
    peer.say(link, m.UNCHOKE)
    effects = peer.say(link, run_of(peer, 0))
    assert Finished(True) in effects
    assert peer.store.written == {0}
    assert peer.node.tally.wasted_payload_bytes == 0


def test_a_run_of_blocks_that_nobody_asked_for_is_waste():
    peer, link = leecher(in_runs=True)
    peer.say(link, run_of(peer, 0))
    assert peer.node.tally.wasted_payload_bytes == peer.torrent.piece_size(0)
    assert not peer.store.written


def test_of_a_run_that_came_in_part_before_only_the_rest_is_taken():
    peer, link = leecher(in_runs=True)
    peer.say(link, m.UNCHOKE, peer.blocks(0)[0])
    effects = peer.say(link, run_of(peer, 0))
    assert Finished(True) in effects
    assert peer.node.tally.wasted_payload_bytes == BLOCK_BYTES


def test_a_corrupt_run_is_blamed_on_who_sent_it():
    peer, link = leecher(in_runs=True)
    peer.say(link, m.UNCHOKE)
    size = peer.torrent.piece_size(0)
    [ending] = hung_up(peer.say(link, m.BlockRun(0, 0, size, memoryview(bytes(size)))))
    assert ending.reason == CORRUPT_PIECE
