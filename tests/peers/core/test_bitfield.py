"""Sets of pieces as integers agree with plain sets."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.core.bitfield import PieceSpace
from testbed.errors import ProtocolViolation


@st.composite
def sets_of_pieces(draw: st.DrawFn) -> tuple[int, set[int]]:
    count = draw(st.integers(1, 130))
    return count, draw(st.sets(st.integers(0, count - 1)))


def naive_wire(count: int, members: set[int]) -> bytes:
    """BEP 3 by the letter: the high bit of the first byte is piece 0."""
    field = bytearray(-(-count // 8))
    for index in members:
        field[index // 8] |= 0x80 >> index % 8
    return bytes(field)


@given(sets_of_pieces())
def test_wire_form_is_that_of_bep_3_and_comes_back(case):
    count, members = case
    space = PieceSpace(count)
    pieces = space.from_wire(naive_wire(count, members))
    assert space.indices(pieces) == sorted(members)
    assert space.to_wire(pieces) == naive_wire(count, members)
    assert pieces == sum(space.bits[index] for index in members)


@given(st.integers(1, 130), st.data())
def test_spare_bits_are_refused(count, data):
    space = PieceSpace(count)
    spare = space.width - count
    if spare:
        field = data.draw(st.integers(1, 2**spare - 1)).to_bytes(space.width // 8, "big")
        with pytest.raises(ProtocolViolation, match="spare"):
            space.from_wire(field)


@given(st.integers(1, 130), st.binary(max_size=20))
def test_bitfield_of_another_length_is_refused(count, field):
    space = PieceSpace(count)
    if len(field) != space.width // 8:
        with pytest.raises(ProtocolViolation, match="length"):
            space.from_wire(field)


@given(sets_of_pieces(), st.integers())
def test_choice_is_a_member(case, seed):
    count, members = case
    space = PieceSpace(count)
    if members:
        pieces = sum(space.bits[index] for index in members)
        assert space.choose(pieces, Random(seed)) in members


@pytest.mark.parametrize("size", [1, 2, 48, 49, 300])
def test_every_member_is_chosen_at_some_time(size):
    space, rng = PieceSpace(size), Random(0)
    assert {space.choose(space.all, rng) for _ in range(size * 30)} == set(range(size))
