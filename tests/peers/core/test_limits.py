"""What strangers may take of a peer: hit limits are counted, and end the link where that is said."""

import dataclasses
from pathlib import Path

import pytest

from peers import messages as m
from peers.core.bitfield import PieceSpace
from peers.core.introduction import PEER_WIRE
from peers.limits import IN_SCENARIOS, NAMES, LimitError, Limits, read_limit
from testbed.node import LinkId, LinkUp
from tests.peers.core.single import SinglePeer, hung_up, sent

SAYS_NOTHING = m.KeepAlive()

ALL = PieceSpace(4).all
LAST = PieceSpace(4).bits[3]


@pytest.mark.parametrize("fast", [True, False])
def test_a_flood_of_requests_ends_the_link(fast):
    peer = SinglePeer(limits=Limits(refused_requests=10))
    link = peer.join(fast=fast)
    request = peer.requests(0)[0]
    assert not hung_up(peer.say(link, *[request] * 10))
    [end] = hung_up(peer.say(link, request))
    assert (end.reason, end.violation) == ("flood of requests", True)


def test_requests_beyond_the_queue_are_refused_and_counted():
    peer = SinglePeer(limits=Limits(request_queue=2))
    link = peer.join(interested=True)
    effects = peer.say(link, *[peer.requests(0)[0]] * 5)
    # One is being sent; two wait.
    assert len(sent(effects, link, m.RejectRequest)) == 2
    assert peer.node.limits_hit == {"request queue full": 2}


def test_a_peer_that_never_answers_is_given_up_however_much_it_talks():
    peer = SinglePeer(held=0, pieces_in_flight=1, limits=Limits(unanswered_requests=2))
    liar, honest = peer.join(pieces=peer.space.all), peer.join(pieces=peer.space.all)
    peer.say(liar, m.UNCHOKE)
    endings = []
    for _ in range(15):
        peer.say(honest, SAYS_NOTHING)
        endings += hung_up(peer.say(liar, SAYS_NOTHING) + peer.wait(10.0))
    assert [(end.link, end.reason, end.violation) for end in endings] == [
        (liar, "requests not answered", True)
    ]
    assert sent(peer.say(honest, m.UNCHOKE), honest, m.Request)


def test_a_peer_that_did_not_answer_and_is_silent_is_not_asked_again_until_it_speaks():
    peer = SinglePeer(held=0)
    liar = peer.join(pieces=peer.space.all)
    assert sent(peer.say(liar, m.UNCHOKE), liar, m.Request)
    effects = peer.wait(60.0)
    assert len(sent(effects, liar, m.Cancel)) == 2
    assert not sent(effects, liar, m.Request)
    assert sent(peer.say(liar, SAYS_NOTHING) + peer.wait(1.0), liar, m.Request)


def test_a_block_now_and_then_is_an_answer():
    peer = SinglePeer(held=0, pieces_in_flight=1, limits=Limits(unanswered_requests=1))
    slow = peer.join(pieces=peer.space.all)
    asked = sent(peer.say(slow, m.UNCHOKE), slow, m.Request)
    assert asked
    for request in asked:
        assert not hung_up(peer.wait(19.0))
        block = next(b for b in peer.blocks(request.piece) if b.begin == request.begin)
        assert not hung_up(peer.say(slow, block))


def test_a_trickle_does_not_hold_up_the_end_while_others_have_the_piece():
    peer = SinglePeer(held=ALL & ~LAST)
    slow, other = peer.join(pieces=LAST), peer.join(pieces=LAST)
    [first, second] = sent(peer.say(slow, m.UNCHOKE), slow, m.Request)
    effects = []
    for _ in range(5):
        effects += peer.say(slow, SAYS_NOTHING) + peer.say(other, SAYS_NOTHING) + peer.wait(5.0)
    assert [(c.piece, c.begin) for c in sent(effects, slow, m.Cancel)] == [
        (first.piece, first.begin),
        (second.piece, second.begin),
    ]
    assert not sent(peer.say(slow, m.CHOKE, m.UNCHOKE), slow, m.Request)
    assert len(sent(peer.say(other, m.UNCHOKE), other, m.Request)) == 2
    assert peer.node.limits_hit == {"too slow at the end": 1}
    peer.say(other, *peer.blocks(3))
    assert peer.node.is_complete


def test_who_alone_has_the_last_piece_may_take_its_time():
    peer = SinglePeer(held=ALL & ~LAST)
    slow = peer.join(pieces=LAST)
    peer.say(slow, m.UNCHOKE)
    effects = []
    for _ in range(5):
        effects += peer.say(slow, SAYS_NOTHING) + peer.wait(5.0)
    assert not sent(effects, slow, m.Cancel)


def test_a_silent_link_ends_in_the_time_that_was_set():
    peer = SinglePeer(limits=Limits(silence_seconds=30.0))
    peer.join()
    assert not hung_up(peer.wait(29.0))
    assert [end.reason for end in hung_up(peer.wait(2.0))] == ["silent"]


def test_links_beyond_the_neighbours_are_counted():
    peer = SinglePeer(held=0, neighbours=2)
    for _ in range(3):
        peer.link()
    assert peer.node.limits_hit == {"enough neighbours": 1}


def test_a_neighbour_of_no_use_gives_its_place_to_a_newcomer_and_one_of_use_does_not():
    peer = SinglePeer(grants=1, limits=Limits(idle_seconds=60.0))
    for _ in range(19):
        peer.join(pieces=peer.space.all)
    leecher = peer.join(interested=True)
    assert refused_newcomer(peer) == ["enough neighbours"]
    for _ in range(4):
        peer.wait(20.0)
    endings = [refused_newcomer(peer) for _ in range(20)]
    assert endings == [["idle"]] * 19 + [["enough neighbours"]]
    assert sent(peer.say(leecher, *peer.requests(0)), leecher, m.Block)


def refused_newcomer(peer: SinglePeer) -> list[str]:
    """Which links end when somebody more comes."""
    peer.links += 1
    up = LinkUp(LinkId(peer.links), (f"10.0.2.{peer.links}", 6881), False, PEER_WIRE)
    return [end.reason for end in hung_up(peer.feed(up))]


def test_every_limit_can_be_read_from_its_own_default():
    for field in dataclasses.fields(Limits):
        value = getattr(Limits(), field.name)
        assert read_limit(field.name, str(value)) == value
        assert read_limit(field.name, value) == value
    assert set(IN_SCENARIOS) < set(NAMES)


def test_the_docs_name_every_limit_with_its_default():
    text = (Path(__file__).parents[3] / "docs" / "bittorrent.md").read_text()
    for name in NAMES:
        default = getattr(Limits(), name)
        told = str(default).lower() if isinstance(default, bool) else f"{default:g}"
        assert f"| `{name}`{' *' if name in IN_SCENARIOS else ''} | {told} |" in text


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ban", "maybe", "ban: expected true or false, not 'maybe'"),
        ("ban", 1, "ban: expected true or false, not 1"),
        ("half_open", "2.5", "half_open: expected a whole number of at least 1, not 2.5"),
        ("half_open", "0", "half_open: expected a whole number of at least 1, not 0"),
        ("half_open", True, "half_open: expected a number, not True"),
        ("stall_seconds", "nan", "stall_seconds: expected more than 0 and at most 1000000, not nan"),
        ("stall_seconds", "-1", "stall_seconds: expected more than 0 and at most 1000000, not -1"),
        ("neighbors", "1", "no limit is called 'neighbors'; expected one of connections, "),
    ],
)
def test_what_is_no_limit_is_refused_in_words(name, value, said):
    with pytest.raises(LimitError) as error:
        read_limit(name, value)
    assert str(error.value).startswith(said)
