"""What a peer does, message by message."""

from itertools import product
from random import Random

import pytest

from peers import messages as m
from peers.core.introduction import ANNOUNCE_SECONDS, LONGEST_RETRY_SECONDS, PEER_WIRE, TRACKER_WIRE
from peers.core.peer import SEED_LINKS_A_GRANT
from peers.core.session import FAST_ONLY, TRANSITIONS, Phase
from peers.core.state import REQUEST_SECONDS
from testbed.node import (
    Dial,
    DialFailed,
    Finished,
    LinkDown,
    LinkId,
    LinkUp,
    Observe,
    Received,
    Writable,
)
from tests.peers.core.harness import TRACKER
from tests.peers.core.single import SinglePeer, hung_up, sent

EXAMPLES = [
    m.Handshake(b"h" * 20, b"-XX0001-000000000009"),
    m.KEEP_ALIVE,
    m.CHOKE,
    m.UNCHOKE,
    m.INTERESTED,
    m.NOT_INTERESTED,
    m.Have(1),
    m.Bitfield(bytes([0x40])),
    m.Request(0, 0, 16384),
    m.Block(0, 0, 3, b"abc"),
    m.HaveMany(0xA0, 8),
    m.RequestRun(0, 0, 32768),
    m.BlockRun(0, 0, 16387, bytes(16387)),
    m.Cancel(0, 0, 16384),
    m.Port(6881),
    m.SuggestPiece(0),
    m.HAVE_ALL,
    m.HAVE_NONE,
    m.RejectRequest(0, 0, 16384),
    m.AllowedFast(0),
    m.Extended(0, b"de"),
]


def in_phase(phase: Phase, *, fast: bool) -> tuple[SinglePeer, LinkId]:
    peer = SinglePeer()
    link = peer.link()
    if phase is not Phase.AWAITING_HANDSHAKE:
        peer.say(link, peer.hello(fast=fast))
    if phase is Phase.OPEN:
        peer.say(link, m.Bitfield(bytes([0x80])))
    return peer, link


def test_examples_are_every_message_there_is():
    assert {type(example) for example in EXAMPLES} == set(m.PeerMessage.__args__)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(("phase", "message"), list(product(Phase, EXAMPLES)))
def test_message_is_in_the_table_or_ends_the_link_as_a_violation(phase, message, fast):
    peer, link = in_phase(phase, fast=fast)
    if isinstance(message, m.Handshake):
        message = peer.hello()
    endings = hung_up(peer.say(link, message))
    allowed = type(message) in TRANSITIONS[phase] and (fast or type(message) not in FAST_ONLY)
    if allowed:
        assert not endings
    else:
        [ending] = endings
        assert ending.link == link
        assert ending.violation
        assert ending.reason == f"{type(message).__name__} while {phase.value}"


# --- Introductions --------------------------------------------------------------------------


def test_a_leecher_that_says_all_at_once_does_not_wait_for_the_handshake_to_ask_for_a_grant():
    peer = SinglePeer(0b1000, says_all_at_once=True)
    link = LinkId(1)
    effects = peer.feed(LinkUp(link, ("10.0.1.1", 6881), True, PEER_WIRE))
    messages = [effect.message for effect in effects]
    assert [type(message) for message in messages] == [m.Handshake, m.Bitfield, m.Interested]
    assert not sent(peer.say(link, peer.hello(b"-XX0001-000000000007")), link, m.Bitfield)


def test_what_came_between_two_handshakes_is_told_piece_by_piece():
    peer = SinglePeer(0, says_all_at_once=True)
    dialled = LinkId(77)
    peer.feed(LinkUp(dialled, ("10.0.2.1", 6881), True, PEER_WIRE))
    seed = peer.join(peer.space.all)
    [request, *_] = sent(peer.say(seed, m.UNCHOKE), seed, m.Request)
    peer.say(seed, *peer.blocks(request.piece))
    told = peer.say(dialled, peer.hello(b"-XX0001-000000000008"))
    assert sent(told, dialled, m.Have) == [m.Have(request.piece)]


def test_a_seed_says_what_it_has_after_the_handshake():
    peer = SinglePeer(says_all_at_once=True)
    link = LinkId(1)
    effects = peer.feed(LinkUp(link, ("10.0.1.1", 6881), True, PEER_WIRE))
    assert [type(effect.message) for effect in effects] == [m.Handshake]
    assert sent(peer.say(link, peer.hello(b"-XX0001-000000000007")), link, m.HaveAll)


# --- Uploading ------------------------------------------------------------------------------


def test_choked_peer_gets_no_block():
    peer = SinglePeer()
    link = peer.join()
    assert not sent(peer.say(link, *peer.requests(0)), link, m.Block)


def test_refused_request_is_rejected_with_bep_6_and_silently_without():
    peer = SinglePeer()
    fast, slow = peer.join(), peer.join(fast=False)
    request = m.Request(1, 0, 16384)
    assert sent(peer.say(fast, request), fast, m.RejectRequest) == [m.RejectRequest(1, 0, 16384)]
    assert peer.say(slow, request) == []


def test_granted_peer_gets_exactly_one_piece_while_others_wait():
    peer = SinglePeer(grants=1)
    served = peer.join(interested=True)
    waiting = peer.join(interested=True)
    effects = peer.say(served, *peer.requests(0), *peer.requests(1))
    assert len(sent(effects, served, m.RejectRequest)) == 2
    while sent(effects, served, m.Block)[-1:] and not sent(effects, waiting, m.Unchoke):
        effects += peer.departs(served)
    assert [(block.piece, block.begin) for block in sent(effects, served, m.Block)] == [
        (0, 0),
        (0, 16384),
    ]
    assert sent(effects, served, m.Choke)
    assert sent(effects, waiting, m.Unchoke)


def test_granted_peer_goes_on_while_nobody_else_waits():
    peer = SinglePeer()
    link = peer.join(interested=True)
    effects = peer.say(link, *peer.requests(0), *peer.requests(1))
    for _ in range(3):
        effects += peer.departs(link)
    assert len(sent(effects, link, m.Block)) == 4
    assert not sent(effects, link, m.Choke)


def test_one_link_that_takes_nothing_does_not_hold_up_the_others():
    peer = SinglePeer(grants=2)
    stuck, other = peer.join(interested=True), peer.join(interested=True)
    peer.say(stuck, *peer.requests(0))
    peer.say(other, *peer.requests(1))
    effects = peer.departs(stuck, writable=False)
    assert len(sent(effects, other, m.Block)) == 1
    effects = peer.departs(other)
    assert len(sent(effects, other, m.Block)) == 1
    assert not sent(effects, stuck, m.Block)
    peer.departs(other)
    assert sent(peer.feed(Writable(stuck)), stuck, m.Block)


@pytest.mark.parametrize(
    "request_",
    [
        m.Request(4, 0, 16384),
        m.Request(0, 0, 0),
        m.Request(0, 16384, 16385),
        m.Request(3, 0, 16384 * 2),
        m.Request(0, 0, 2**32 - 1),
        m.Request(0, 2**32 - 1, 1),
    ],
)
def test_request_out_of_range_is_a_violation(request_):
    peer = SinglePeer()
    link = peer.join(interested=True)
    [ending] = hung_up(peer.say(link, request_))
    assert ending.violation
    assert ending.reason == "request out of range"


def test_cancelled_block_is_not_sent():
    peer = SinglePeer()
    link = peer.join(interested=True)
    peer.say(link, *peer.requests(0))
    effects = peer.say(link, m.Cancel(0, 16384, 16384)) + peer.departs(link)
    assert sent(effects, link, m.RejectRequest) == [m.RejectRequest(0, 16384, 16384)]
    assert not sent(effects, link, m.Block)


# --- Downloading ----------------------------------------------------------------------------


def test_unchoked_peer_asks_for_one_whole_piece_at_a_time():
    peer = SinglePeer(0)
    link = peer.join(peer.space.bits[2])
    assert sent(peer.say(link, m.UNCHOKE), link, m.Request) == peer.requests(2)


def test_unchoked_peer_with_nothing_to_ask_for_says_not_interested():
    peer = SinglePeer(0)
    first, second = peer.join(peer.space.bits[2]), peer.join(peer.space.bits[2])
    peer.say(first, m.UNCHOKE)
    effects = peer.say(second, m.UNCHOKE)
    assert sent(effects, second, m.NotInterested)
    assert not sent(effects, second, m.Request)


def test_have_goes_only_to_those_that_lack_the_piece():
    peer = SinglePeer(0)
    source, has, lacks = peer.join(peer.space.all), peer.join(peer.space.bits[1]), peer.join()
    peer.join(peer.space.bits[1])
    [first, *_] = sent(peer.say(source, m.UNCHOKE), source, m.Request)
    peer.say(has, m.Have(first.piece))
    effects = peer.say(source, *peer.blocks(first.piece))
    assert sent(effects, lacks, m.Have) == [m.Have(first.piece)]
    assert not sent(effects, has, m.Have)
    assert not sent(effects, source, m.Have)
    assert peer.store.written == {first.piece}
    assert [effect.transfer.index for effect in effects if isinstance(effect, Observe)] == [first.piece]


def test_corrupt_piece_is_waste_and_ends_the_link_of_its_sender_and_is_asked_of_others():
    peer = SinglePeer(0)
    bit = peer.space.bits[1]
    liar, honest = peer.join(bit), peer.join(bit)
    peer.say(liar, m.UNCHOKE)
    peer.say(honest, m.UNCHOKE, m.CHOKE)
    effects = peer.say(liar, *peer.blocks(1, corrupt=True))
    [ending] = hung_up(effects)
    assert (ending.link, ending.reason, ending.violation) == (liar, "corrupt piece", True)
    assert peer.store.written == set()
    assert peer.node.tally.wasted_payload_bytes == 2 * 16384
    assert sent(effects, honest, m.Interested)
    assert sent(peer.say(honest, m.UNCHOKE), honest, m.Request) == peer.requests(1)


def test_block_never_asked_for_is_waste_and_nothing_else():
    peer = SinglePeer(0)
    link = peer.join(peer.space.all)
    assert peer.say(link, peer.blocks(0)[0]) == []
    assert peer.node.tally.wasted_payload_bytes == 16384


def test_link_that_goes_down_leaves_its_pieces_to_others():
    peer = SinglePeer(0)
    bit = peer.space.bits[1]
    first, second = peer.join(bit), peer.join(bit)
    peer.say(first, m.UNCHOKE, peer.blocks(1)[0])
    peer.say(second, m.UNCHOKE, m.CHOKE)
    effects = peer.feed(LinkDown(first, "closed"))
    assert sent(effects, second, m.Interested)
    rest = sent(peer.say(second, m.UNCHOKE), second, m.Request)
    assert rest == peer.requests(1)[1:]


def test_place_in_flight_that_becomes_free_is_offered_to_those_with_other_pieces():
    peer = SinglePeer(0, pieces_in_flight=1)
    first, second = peer.join(peer.space.bits[0]), peer.join(peer.space.bits[1])
    peer.say(first, m.UNCHOKE)
    assert sent(peer.say(second, m.UNCHOKE, m.CHOKE), second, m.NotInterested)
    assert sent(peer.feed(LinkDown(first, "closed")), second, m.Interested)


def test_rest_of_a_piece_that_was_refused_is_asked_for_again():
    peer = SinglePeer(0)
    link = peer.join(peer.space.bits[1])
    first, second = sent(peer.say(link, m.UNCHOKE), link, m.Request)
    peer.say(link, m.RejectRequest(second.piece, second.begin, second.length))
    peer.say(link, peer.blocks(1)[0], m.CHOKE)
    assert first.begin == 0
    assert sent(peer.say(link, m.UNCHOKE), link, m.Request) == [second]


def test_peers_that_refuse_are_not_asked_in_turn_for_ever():
    peer = SinglePeer(0)
    first, second = peer.join(peer.space.all), peer.join(peer.space.all)
    asked = sent(peer.say(first, m.UNCHOKE), first, m.Request)
    peer.say(second, m.UNCHOKE)
    for _ in range(10):
        for link in (first, second):
            rejects = [m.RejectRequest(r.piece, r.begin, r.length) for r in asked]
            asked = [
                r
                for e in [peer.say(link, *rejects)]
                for x in (first, second)
                for r in sent(e, x, m.Request)
            ]
    assert not asked


def test_request_without_answer_is_taken_elsewhere():
    peer = SinglePeer(0)
    bit = peer.space.bits[1]
    silent, other = peer.join(bit), peer.join(bit)
    peer.say(silent, m.UNCHOKE)
    effects = peer.wait(REQUEST_SECONDS + 1)
    assert len(sent(effects, silent, m.Cancel)) == 2
    assert sent(peer.say(other, m.UNCHOKE), other, m.Request) == peer.requests(1)


def test_last_piece_finishes_the_download():
    peer = SinglePeer(0)
    peer.node.handle(LinkDown(LinkId(99), "never was"), 0.0)
    link = peer.join(peer.space.all)
    effects = peer.say(link, m.UNCHOKE)
    finished: list[Finished] = []
    while requests := sent(effects, link, m.Request):
        effects = peer.say(link, *(peer.blocks(r.piece)[r.begin // 16384] for r in requests))
        finished += [effect for effect in effects if isinstance(effect, Finished)]
    assert finished == [Finished(True)]
    assert peer.store.written == {0, 1, 2, 3}


# --- Whom it knows --------------------------------------------------------------------------


@pytest.mark.parametrize("smaller", [True, False])
def test_twins_resolve_to_one_link_that_the_smaller_id_dialled(smaller):
    theirs = b"-SO0001-900000000000" if smaller else b"-SO0001-100000000000"
    for dialled_first in (True, False):
        peer = SinglePeer()
        first, second = peer.link(dialled=dialled_first), peer.link(dialled=not dialled_first)
        effects = peer.say(first, peer.hello(theirs)) + peer.say(second, peer.hello(theirs))
        [ending] = hung_up(effects)
        kept = first if dialled_first == smaller else second
        assert ending.link != kept
        assert (ending.reason, ending.violation) == ("twin", False)


def test_peer_that_is_itself_is_left_alone():
    peer = SinglePeer()
    link = peer.link(dialled=True)
    [ending] = hung_up(peer.say(link, peer.hello(b"-SO0001-500000000000")))
    assert (ending.reason, ending.violation) == ("myself", False)


def test_another_torrent_is_a_violation():
    peer = SinglePeer()
    link = peer.link()
    [ending] = hung_up(peer.say(link, m.Handshake(b"x" * 20, b"y" * 20)))
    assert (ending.reason, ending.violation) == ("another torrent", True)


def links_taken(peer: SinglePeer) -> int:
    for number in range(100):
        event = LinkUp(LinkId(1000 + number), ("10.0.2.1", 1000 + number), False, PEER_WIRE)
        if hung_up(peer.feed(event)):
            return number
    raise AssertionError("no limit")


def test_leecher_keeps_to_its_neighbours_and_seed_takes_more():
    assert links_taken(SinglePeer(0, neighbours=5, grants=2)) == 5
    assert links_taken(SinglePeer(neighbours=5, grants=2)) == 2 * SEED_LINKS_A_GRANT


def test_tracker_that_does_not_answer_is_asked_again_ever_more_rarely():
    peer = SinglePeer(0, tracker=TRACKER)
    pauses = []
    for _ in range(12):
        peer.feed(DialFailed(TRACKER, TRACKER_WIRE, "refused"))
        failed_at = peer.now
        while not any(isinstance(effect, Dial) for effect in peer.wait(0.5)):
            pass
        pauses.append(peer.now - failed_at)
    assert pauses == sorted(pauses)
    assert pauses[0] == pytest.approx(1, abs=0.5)
    assert pauses[1] == pytest.approx(2, abs=0.5)
    assert pauses[-1] == pytest.approx(LONGEST_RETRY_SECONDS, abs=0.5)


def test_without_a_tracker_half_of_the_links_are_dialled_at_once():
    known = tuple((f"10.0.3.{number}", 6881) for number in range(20))
    peer = SinglePeer(held=0, neighbours=12, known_peers=known)
    assert len([effect for effect in peer.first_effects if isinstance(effect, Dial)]) == 6


def test_tracker_that_takes_the_link_and_says_nothing_is_given_up_and_asked_again():
    peer = SinglePeer(0, tracker=TRACKER)
    link = LinkId(77)
    peer.feed(LinkUp(link, TRACKER, True, TRACKER_WIRE))
    effects = peer.wait(ANNOUNCE_SECONDS + 3)
    assert [ending.link for ending in hung_up(effects)] == [link]
    assert any(isinstance(effect, Dial) and effect.remote == TRACKER for effect in effects)


def test_peer_survives_any_order_of_messages():
    """No message in whatever order makes a peer raise: what it cannot take ends the link."""
    for seed in range(300):
        rng = Random(seed)
        peer = SinglePeer(rng.randrange(16) << 4)
        links = [peer.join(rng.randrange(16) << 4, fast=rng.random() < 0.5) for _ in range(3)]
        for _ in range(60):
            peer.feed(Received(rng.choice(links), rng.choice(EXAMPLES)))
            if rng.random() < 0.1:
                peer.wait(rng.random() * 30)
