"""Whole swarms in memory: whatever their size, everybody ends with every piece, and no byte is lost."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peers.core.bitfield import PieceSpace
from peers.core.picker import PICKERS
from peers.core.upload import SERVINGS
from peers.limits import Limits
from peers.torrent import BLOCK_BYTES
from tests.peers.core.harness import Swarm, content_of, torrent_of


@st.composite
def swarms(draw: st.DrawFn) -> Swarm:
    """Any mix of seeds and leechers, some of which have a part already; one has every piece."""
    pieces = draw(st.integers(1, 24))
    piece_bytes = draw(st.sampled_from([BLOCK_BYTES, 2 * BLOCK_BYTES, 3 * BLOCK_BYTES]))
    last_piece_bytes = draw(st.integers(1, piece_bytes))
    content = content_of((pieces - 1) * piece_bytes + last_piece_bytes)
    everything = PieceSpace(pieces).all
    parts = st.just(0) | st.just(everything) | st.integers(0, everything).map(lambda p: p & everything)
    others = draw(st.lists(parts, min_size=1, max_size=9))
    serving = draw(st.sampled_from(list(SERVINGS)))
    return Swarm(
        torrent_of(content, piece_bytes),
        content,
        [everything, *others],
        rate=draw(st.sampled_from([math.inf, 1e6])),
        neighbours=draw(st.integers(2, 12)),
        pieces_in_flight=draw(st.integers(1, 8)),
        seed=draw(st.integers(0, 1000)),
        super_seeding=draw(st.booleans()),
        picking=draw(st.sampled_from(list(PICKERS))),
        serving=serving,
        unchoke_slots=draw(st.integers(1, 5)),
        returns_grants=serving == "rotating grants",
        in_runs=draw(st.booleans()),
    )


@given(swarms())
@settings(max_examples=120, deadline=None)
def test_every_leecher_ends_complete_and_every_byte_sent_is_received(swarm: Swarm):
    swarm.run()
    sent = sum(station.ledger.uploaded_payload_bytes for station in swarm.stations)
    received = sum(station.ledger.downloaded_payload_bytes for station in swarm.stations)
    assert sent == received
    for store in swarm.stores:
        assert store.written == set(range(swarm.torrent.piece_count))
    assert not any(station.ledger.violations for station in swarm.stations)
    assert not any(peer.tally.wasted_payload_bytes for peer in swarm.peers)


@pytest.mark.parametrize("seed", [5, 6, 12, 15, 19, 26, 2228])
def test_peers_that_refuse_one_another_in_no_time_at_all_come_to_an_end(seed: int):
    """Without delay, two seeds and a handful of leechers once asked and refused for ever."""
    content = content_of(14 * BLOCK_BYTES)
    everything = PieceSpace(14).all
    held = [everything, everything, 0, everything & 0x5A5A, 0, 0, everything & 0x0F0C, 0]
    swarm = Swarm(torrent_of(content, BLOCK_BYTES), content, held, pieces_in_flight=2, seed=seed)
    swarm.run()
    assert all(peer.is_complete for peer in swarm.peers)


def test_same_seed_gives_the_same_swarm():
    def run() -> list[tuple[float | None, int]]:
        content = content_of(20 * BLOCK_BYTES)
        everything = PieceSpace(20).all
        swarm = Swarm(torrent_of(content, BLOCK_BYTES), content, [everything] + [0] * 6, rate=1e6)
        swarm.run()
        return [(s.ledger.finished_seconds, s.ledger.uploaded_payload_bytes) for s in swarm.stations]

    assert run() == run()


def test_pieces_that_only_leechers_hold_between_them_spread():
    content = content_of(16 * BLOCK_BYTES)
    bits = PieceSpace(16).bits
    swarm = Swarm(torrent_of(content, BLOCK_BYTES), content, bits)
    swarm.run()
    assert all(peer.is_complete for peer in swarm.peers)


def test_piece_of_more_blocks_than_a_peer_may_have_waiting_is_asked_for_again():
    content = content_of(30 * BLOCK_BYTES)
    torrent, limits = torrent_of(content, 10 * BLOCK_BYTES), Limits(request_queue=3)
    swarm = Swarm(torrent, content, [0b11100000, 0, 0], rate=1e6, limits=limits)
    swarm.run()
    assert all(peer.is_complete for peer in swarm.peers)


def test_leechers_finish_when_one_that_serves_them_goes_away():
    content = content_of(40 * BLOCK_BYTES)
    everything = PieceSpace(40).all
    swarm = Swarm(
        torrent_of(content, BLOCK_BYTES), content, [everything, everything, 0, 0, 0], rate=2e5
    )
    swarm.start()
    leaver = swarm.stations[1]
    swarm.world.run(lambda: leaver.ledger.uploaded_payload_bytes > 0, most_events=10_000)
    for link in list(leaver.links.values()):
        leaver.let_go(link)
        link.hang_up()
    del swarm.world.stations[leaver.address]
    swarm.world.run(lambda: all(peer.is_complete for peer in swarm.peers), most_events=100_000)
    assert all(len(store.written) == 40 for store in swarm.stores)
