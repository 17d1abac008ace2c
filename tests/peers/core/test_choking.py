"""Who is unchoked, by slots and tit for tat, or because everybody is."""

from collections import Counter
from random import Random

import pytest

from peers import messages as m
from peers.core.bitfield import PieceSpace
from peers.core.choking import REVIEW_SECONDS, Everybody, UnchokeSlots
from peers.core.session import Phase, Session
from testbed.node import LinkId
from tests.peers.core.single import SinglePeer, sent

SPACE = PieceSpace(20)
KIB = 1024


def session(policy: Everybody, number: int, *, interested: bool = True) -> Session:
    made = Session(LinkId(number), (f"10.0.0.{number}", 6881), dialled=False, now=0.0)
    made.phase = Phase.OPEN
    made.peer_interested = interested
    policy.newcomer(made)
    return made


class Table:
    """Slots and the peers they are for, with the part of `upload` that does what is decided."""

    def __init__(self, slots: int, peers: int, seed: int = 0) -> None:
        self.policy = UnchokeSlots(slots, Random(seed))
        self.peers = [session(self.policy, number) for number in range(1, peers + 1)]
        self.now = 0.0

    def review(self, *, seeding: bool = False) -> set[int]:
        """Let the policy choke and unchoke; gives who is unchoked."""
        for chosen in self.policy.surplus(self.peers, self.now, seeding=seeding):
            chosen.am_choking = True
            self.policy.end(chosen)
        while self.policy.room(self.now) and (waiting := self.policy.waiting(self.peers, SPACE.all)):
            self.policy.grant(waiting, self.now)
            waiting.am_choking = False
        return self.unchoked()

    def unchoked(self) -> set[int]:
        return {int(peer.link) for peer in self.peers if not peer.am_choking}

    def pass_reviews(self, count: int, *, seeding: bool = False, **rates: int) -> list[set[int]]:
        """Let time pass; `rates`: bytes a second from (`p3`) each peer, or to it if seeding."""
        seen = []
        for _ in range(count):
            self.now += REVIEW_SECONDS
            for name, rate in rates.items():
                peer = self.peers[int(name[1:]) - 1]
                amount = round(rate * REVIEW_SECONDS)
                if seeding:
                    peer.sent_payload_bytes += amount
                else:
                    peer.received_payload_bytes += amount
            seen.append(self.review(seeding=seeding))
        return seen


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_so_many_are_unchoked_as_there_are_slots(slots):
    assert len(Table(slots, 9).review()) == slots


def test_fewer_peers_than_slots_are_all_unchoked():
    assert Table(4, 3).review() == {1, 2, 3}


def test_those_that_send_most_have_all_slots_but_one():
    table = Table(4, 12)
    table.review()
    for unchoked in table.pass_reviews(9, p3=30_000, p7=20_000, p11=10_000, p1=100):
        assert {3, 7, 11} <= unchoked
        assert len(unchoked) == 4


def test_seed_serves_those_it_sends_most_to():
    table = Table(4, 12)
    table.review(seeding=True)
    table.peers[0].received_payload_bytes = 10**9
    for unchoked in table.pass_reviews(9, seeding=True, p3=30_000, p7=20_000, p11=10_000):
        assert {3, 7, 11} <= unchoked


def test_optimistic_unchoke_changes_every_third_review_and_comes_round():
    table = Table(2, 8)
    table.review()
    optimistic = [unchoked - {5} for unchoked in table.pass_reviews(300, p5=10_000)]
    changes = [n for n in range(1, 300) if optimistic[n] != optimistic[n - 1]]
    assert {change % 3 for change in changes} == {changes[0] % 3}
    counts = Counter(link for unchoked in optimistic for link in unchoked)
    assert set(counts) == {1, 2, 3, 4, 6, 7, 8}


def test_newcomer_is_three_times_as_likely_to_be_the_optimistic_unchoke():
    chosen = Counter()
    for seed in range(2000):
        table = Table(1, 6, seed)
        table.review()
        newcomer = session(table.policy, 7)
        table.peers.append(newcomer)
        [unchoked] = table.pass_reviews(3)[-1:]
        chosen[7 in unchoked] += 1
    # Three of nine parts; five standard deviations either way.
    assert abs(chosen[True] / 2000 - 1 / 3) < 5 * (2 / 9 / 2000) ** 0.5


def test_rate_of_long_ago_counts_for_nothing():
    table = Table(2, 6)
    table.review()
    assert 2 in table.pass_reviews(3, p2=50_000)[-1]
    table.pass_reviews(2, p4=100)
    assert 4 in table.pass_reviews(1, p4=100)[-1]
    assert all(4 in unchoked for unchoked in table.pass_reviews(6, p4=100))


def test_better_peer_that_becomes_interested_takes_the_worst_place_at_once():
    table = Table(3, 6)
    table.peers[0].peer_interested = False
    table.review()
    table.pass_reviews(2, p1=50_000, p2=20_000, p3=10_000)
    assert 1 not in table.unchoked()
    table.peers[0].peer_interested = True
    unchoked = table.review()
    assert {1, 2} <= unchoked
    assert len(unchoked) == 3


def test_between_reviews_nobody_is_choked_for_another_of_the_same_rate():
    table = Table(3, 3)
    first = table.review()
    for number in range(4, 30):
        table.peers.append(session(table.policy, number))
        assert table.review() == first


def test_everybody_unchokes_all_who_are_interested():
    policy = Everybody()
    peers = [session(policy, number, interested=number != 2) for number in range(1, 5)]
    while (waiting := policy.waiting(peers, SPACE.all)) is not None:
        policy.grant(waiting, 0.0)
        waiting.am_choking = False
    assert [int(peer.link) for peer in policy.granted] == [1, 3, 4]
    assert policy.surplus(peers, 1e9, seeding=False) == ()


# --- With the rest of a peer ----------------------------------------------------------------


def test_unchoked_peers_share_the_uplink_block_by_block():
    peer = SinglePeer(serving="everybody")
    first, second = peer.join(interested=True), peer.join(interested=True)
    effects = peer.say(first, *peer.requests(0), *peer.requests(1))
    effects += peer.say(second, *peer.requests(2))
    order = []
    for _ in range(6):
        blocks = [link for link in (first, second) if sent(effects, link, m.Block)]
        order += blocks
        effects = peer.departs(blocks[0])
    assert order == [first, second, first, second, first, first]


def test_slots_stay_with_those_who_have_them_and_others_wait():
    peer = SinglePeer(serving="unchoke slots", unchoke_slots=1)
    served = peer.join(interested=True)
    waiting = peer.join(interested=True)
    effects = peer.say(served, *peer.requests(0), *peer.requests(1))
    for _ in range(4):
        effects += peer.departs(served)
    assert len(sent(effects, served, m.Block)) == 4
    assert not sent(effects, served, m.Choke)
    assert not sent(effects, waiting, m.Unchoke)


@pytest.mark.parametrize("fast", [True, False])
def test_slot_that_changes_hands_leaves_promised_blocks_only_with_bep_6(fast):
    peer = SinglePeer(serving="unchoke slots", unchoke_slots=1)
    links = [peer.join(fast=fast, interested=True) for _ in range(2)]
    served = links[0]
    peer.say(served, *peer.requests(0), *peer.requests(1))
    effects = []
    while not sent(effects, served, m.Choke):  # The optimistic unchoke goes to the other some time.
        effects += peer.wait(REVIEW_SECONDS)
    assert sent(effects, links[1], m.Unchoke)
    more = peer.departs(served)
    assert len(sent(more, served, m.Block)) == (1 if fast else 0)


def test_leecher_that_keeps_unchokes_stays_interested_while_all_it_lacks_is_on_its_way():
    peer = SinglePeer(0, returns_grants=False)
    first, second = peer.join(peer.space.bits[2]), peer.join(peer.space.bits[2])
    peer.say(first, m.UNCHOKE)
    effects = peer.say(second, m.UNCHOKE)
    assert not sent(effects, second, m.NotInterested)
    effects = peer.say(first, *peer.blocks(2))
    assert sent(effects, second, m.NotInterested)
