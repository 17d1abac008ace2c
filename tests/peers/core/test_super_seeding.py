"""What a super-seeding origin tells, to whom, and when (BEP 16)."""

from __future__ import annotations

from random import Random

import pytest

from peers import messages as m
from peers.core.bitfield import PieceSpace
from peers.core.state import PeerConfig
from peers.core.super_seeding import STALLED_SECONDS, SuperSeedingPeer
from peers.torrent import BLOCK_BYTES
from testbed.node import LinkDown, LinkId, Started
from tests.peers.core.harness import Swarm, content_of, torrent_of
from tests.peers.core.single import OWN_ID, SinglePeer, sent

PIECES = 4


@pytest.fixture
def origin() -> SinglePeer:
    peer = SinglePeer(pieces=PIECES)
    config = PeerConfig(peer_id=OWN_ID)
    peer.node = SuperSeedingPeer(config, peer.torrent, peer.store, Random(1), held=peer.space.all)
    peer.feed(Started(("10.0.0.9", 6881)))
    return peer


def join(origin: SinglePeer, pieces: int = 0, *, fast: bool = True) -> tuple[LinkId, int]:
    """Let a peer come; gives its link and the piece that it is told of."""
    link = origin.link()
    effects = origin.say(link, origin.hello(fast=fast))
    if pieces:
        effects += origin.say(link, m.Bitfield(origin.space.to_wire(pieces)))
    elif fast:
        effects += origin.say(link, m.HAVE_NONE)
    assert not sent(effects, link, m.HaveAll)
    assert not sent(effects, link, m.Bitfield)
    assert len(sent(effects, link, m.HaveNone)) == fast
    return link, sent(effects, link, m.Have)[-1].piece


def download(origin: SinglePeer, link: LinkId, piece: int) -> None:
    """Let a peer take a piece."""
    assert sent(origin.say(link, m.INTERESTED), link, m.Unchoke)
    blocks = sent(origin.say(link, *origin.requests(piece)), link, m.Block)
    blocks += sent(origin.departs(link), link, m.Block)
    assert len(blocks) == 2
    origin.departs(link)


@pytest.mark.parametrize("fast", [True, False])
def test_it_masquerades_as_a_peer_without_pieces_and_tells_each_of_another_one(origin, fast):
    told = [join(origin, fast=fast)[1] for _ in range(PIECES)]
    assert sorted(told) == list(range(PIECES))


def test_next_piece_is_offered_when_the_last_is_seen_at_another_peer(origin):
    first, piece = join(origin)
    second, _ = join(origin)
    download(origin, first, piece)
    assert not sent(origin.say(first, m.Have(piece), m.NOT_INTERESTED), first, m.Have)
    effects = origin.say(second, m.Have(piece))
    [offer] = sent(effects, first, m.Have)
    assert offer.piece != piece
    assert not sent(effects, second, m.Have)


def test_peer_that_has_its_piece_last_is_told_of_the_next_at_once(origin):
    first, piece = join(origin)
    join(origin, origin.space.bits[piece])
    assert sent(origin.say(first, m.Have(piece)), first, m.Have)


def test_only_peer_there_is_gets_one_piece_after_the_other(origin):
    link, piece = join(origin)
    told = [piece]
    for _ in range(PIECES - 1):
        download(origin, link, told[-1])
        [offer] = sent(origin.say(link, m.Have(told[-1]), m.NOT_INTERESTED), link, m.Have)
        told.append(offer.piece)
    assert sorted(told) == list(range(PIECES))
    assert not sent(origin.say(link, m.Have(told[-1])), link, m.Have)


def test_piece_that_is_not_seen_elsewhere_for_long_does_not_hold_up_its_peer(origin):
    link, piece = join(origin)
    join(origin)
    download(origin, link, piece)
    origin.say(link, m.Have(piece), m.NOT_INTERESTED)
    assert not sent(origin.wait(STALLED_SECONDS - 1), link, m.Have)
    assert sent(origin.wait(2), link, m.Have)


def test_peer_that_still_waits_for_its_piece_is_offered_no_other(origin):
    link, _ = join(origin)
    others = [join(origin)[0] for _ in range(3)]
    for other in others:  # They have both grants; it waits.
        origin.say(other, m.INTERESTED)
    origin.say(link, m.INTERESTED)
    assert not sent(origin.wait(3 * STALLED_SECONDS), link, m.Have)


def test_after_all_were_offered_the_rarest_is(origin):
    links = [join(origin) for _ in range(PIECES)]
    rare = links[0][1]
    others = origin.space.all & ~origin.space.bits[rare]
    join(origin, others)
    origin.feed(LinkDown(links[1][0], "closed"))
    assert join(origin)[1] == rare


def test_swarm_with_few_neighbours_ends_complete_with_little_more_than_one_copy_from_the_origin():
    content = content_of(40 * BLOCK_BYTES)
    everything = PieceSpace(40).all
    swarm = Swarm(
        torrent_of(content, BLOCK_BYTES),
        content,
        [everything] + [0] * 6,
        rate=2e5,
        neighbours=3,
        super_seeding=True,
    )
    swarm.run()
    assert all(len(store.written) == 40 for store in swarm.stores)
    plain = Swarm(
        torrent_of(content, BLOCK_BYTES), content, [everything] + [0] * 6, rate=2e5, neighbours=3
    )
    plain.run()
    sent_super, sent_plain = (each.stations[0].ledger.uploaded_payload_bytes for each in (swarm, plain))
    assert len(content) <= sent_super <= sent_plain
