"""Rarest first agrees with counting copies one by one."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from peers.core.bitfield import PieceSpace
from peers.core.picker import InOrder, RandomUseful, RarestFirst

COUNT = 20
SPACE = PieceSpace(COUNT)
some_pieces = st.sets(st.integers(0, COUNT - 1))


def as_set(pieces: set[int]) -> int:
    return sum(SPACE.bits[index] for index in pieces)


@given(st.lists(some_pieces), some_pieces.filter(bool), st.integers())
def test_picks_a_candidate_that_fewest_leechers_hold(peers, candidates, seed):
    picker = RarestFirst(SPACE, Random(seed))
    for pieces in peers:
        picker.peer_joined(as_set(pieces))
    copies = Counter(piece for pieces in peers if len(pieces) < COUNT for piece in pieces)
    picked = picker.pick(as_set(candidates))
    assert picked in candidates
    assert copies[picked] == min(copies[candidate] for candidate in candidates)


@given(st.lists(some_pieces), some_pieces, st.lists(st.integers(0, COUNT - 1), unique=True))
def test_peer_that_left_was_never_there(others, joined, later):
    picker = RarestFirst(SPACE, Random(0))
    for pieces in others:
        picker.peer_joined(as_set(pieces))
    before = [picker.copies(piece) for piece in range(COUNT)]
    counted = joined if len(joined) < COUNT else set()
    picker.peer_joined(as_set(joined))
    for piece in later:
        if piece not in counted:
            picker.peer_has(piece)
    picker.peer_left(as_set(counted | set(later)))
    assert [picker.copies(piece) for piece in range(COUNT)] == before
    rarest = picker.pick(SPACE.all)
    assert before[rarest] == min(before)


def test_seeds_change_no_order():
    picker = RarestFirst(SPACE, Random(0))
    picker.peer_joined(SPACE.all)
    assert not any(picker.copies(piece) for piece in range(COUNT))


def test_equally_rare_pieces_are_picked_at_random():
    picker = RarestFirst(SPACE, Random(0))
    assert len({picker.pick(SPACE.all) for _ in range(400)}) == COUNT


@given(some_pieces.filter(bool), st.integers(0, COUNT - 1))
def test_suggested_piece_comes_before_rarer_ones_if_it_is_a_candidate(candidates, suggested):
    picker = RarestFirst(SPACE, Random(0))
    picker.peer_joined(as_set({suggested}))
    picked = picker.pick(as_set(candidates), SPACE.bits[suggested])
    assert picked in candidates
    assert (picked == suggested) == (suggested in candidates)


@given(some_pieces.filter(bool))
def test_in_order_picks_the_first_of_the_file(candidates):
    assert InOrder(SPACE, Random(0)).pick(as_set(candidates)) == min(candidates)


@given(some_pieces.filter(bool), st.integers())
def test_random_useful_picks_any_candidate(candidates, seed):
    assert RandomUseful(SPACE, Random(seed)).pick(as_set(candidates)) in candidates


def test_random_useful_cares_neither_for_copies_nor_for_suggestions():
    picker = RandomUseful(SPACE, Random(0))
    picker.peer_joined(as_set({0, 1, 2}))
    picker.peer_has(3)
    picker.peer_left(as_set({0}))
    assert {picker.pick(SPACE.all, SPACE.bits[5]) for _ in range(400)} == set(range(COUNT))
