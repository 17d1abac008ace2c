"""What an origin suggests, and that a leecher takes the advice."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers import messages as m
from peers.core.bitfield import PieceSpace
from peers.core.session import Session
from peers.core.suggesting import FreshPieces
from testbed.errors import ProtocolViolation
from testbed.node import LinkId
from tests.peers.core.single import SinglePeer, hung_up, sent

SPACE = PieceSpace(8)


def session(number: int, pieces: int = 0) -> Session:
    made = Session(LinkId(number), (f"10.0.0.{number}", 6881), dialled=False, now=0.0)
    made.pieces = pieces
    return made


@given(st.integers(0, 1000))
def test_everything_is_suggested_once_before_anything_is_twice(seed):
    fresh = FreshPieces(SPACE, Random(seed))
    peers = [session(number) for number in range(1, 4)]
    suggested = []
    while not fresh.all_sent:
        piece = fresh.suggest(peers[len(suggested) % 3], peers, ())
        assert piece is not None
        suggested.append(piece)
        fresh.sent(piece)
    assert sorted(suggested) == list(range(8))
    assert fresh.suggest(peers[0], peers, ()) is None


def test_piece_is_suggested_to_one_peer_at_a_time_but_again_if_it_was_not_asked_for():
    fresh = FreshPieces(SPACE, Random(0))
    peers = [session(number) for number in range(1, 10)]
    first = [fresh.suggest(peer, peers, peers) for peer in peers]
    assert sorted(piece for piece in first if piece is not None) == list(range(8))
    # The grants of all but the last have ended; nothing was sent.
    assert fresh.suggest(peers[0], peers, [peers[8]]) in range(8)


def test_piece_that_a_connected_peer_has_is_not_suggested():
    fresh = FreshPieces(SPACE, Random(0))
    has = session(1, SPACE.all & ~SPACE.bits[3])
    assert fresh.suggest(session(2), [has], ()) == 3
    assert fresh.suggest(session(2), [session(1, SPACE.all)], ()) is None


def test_grants_of_an_origin_come_with_different_suggestions_until_all_is_sent():
    peer = SinglePeer(grants=2)
    suggested = []
    for _ in range(2):
        link = peer.link()
        effects = peer.say(link, peer.hello(), m.HAVE_NONE, m.INTERESTED)
        suggested += sent(effects, link, m.SuggestPiece)
        assert sent(effects, link, m.Unchoke)
    assert len({message.piece for message in suggested}) == 2


def test_nothing_is_suggested_to_a_peer_without_bep_6_nor_by_a_leecher():
    for peer, fast in ((SinglePeer(), False), (SinglePeer(0b11000000), True)):
        effects = []
        link = peer.link()
        effects = peer.say(link, peer.hello(fast=fast), m.Bitfield(bytes([0b00010000])), m.INTERESTED)
        assert sent(effects, link, m.Unchoke)
        assert not sent(effects, link, m.SuggestPiece)


@pytest.mark.parametrize("piece", range(4))
def test_leecher_asks_for_what_was_suggested(piece):
    peer = SinglePeer(0)
    link = peer.join(peer.space.all)
    effects = peer.say(link, m.SuggestPiece(piece), m.UNCHOKE)
    assert sent(effects, link, m.Request) == peer.requests(piece)


def test_suggestion_out_of_range_is_a_violation():
    peer = SinglePeer(0)
    link = peer.join(peer.space.all)
    [ending] = hung_up(peer.say(link, m.SuggestPiece(4)))
    assert ending.violation
    assert ending.reason == ProtocolViolation(reason="piece out of range").reason
