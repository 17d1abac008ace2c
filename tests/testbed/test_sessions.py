"""How long clients stay, read from sentences and drawn; the addresses they have in turn."""

from __future__ import annotations

import math
from itertools import islice
from random import Random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import ScenarioError
from testbed.sessions import ADDRESSES_A_NODE, Sessions, address_number, parse_sessions


def test_sessions_are_written_in_sentences():
    assert parse_sessions("uninterrupted") is None
    assert parse_sessions("of 4 s, away 1 s") == Sessions(4.0, 1.0)
    assert parse_sessions("weibull 0.5, mean 4 s, away 500 ms") == Sessions(4.0, 0.5, 0.5)


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("", "expected"),
        ("weibull 0.5", "expected"),
        ("weibull 0.1, mean 4 s, away 1 s", "a shape of at least 0.2"),
        ("of 0 s, away 1 s", "more than 0 s"),
        ("of 4 s, away 10 ms", "at least 0.05 s away"),
        ("of 4, away 1 s", "unit"),
    ],
)
def test_a_sentence_that_says_no_time_is_refused_in_one_line(sentence, said):
    with pytest.raises(ScenarioError) as refused:
        parse_sessions(sentence)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_sessions_without_a_shape_are_all_alike():
    assert list(islice(Sessions(4.0, 1.0).online_seconds(Random(1)), 3)) == [4.0, 4.0, 4.0]


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.0])
def test_drawn_sessions_have_the_mean_and_the_median_of_their_distribution(shape):
    drawn = sorted(islice(Sessions(4.0, 1.0, shape).online_seconds(Random(3)), 20_000))
    assert fmean(drawn) == pytest.approx(4.0, rel=0.05)
    median = 4.0 / math.gamma(1 + 1 / shape) * math.log(2) ** (1 / shape)
    assert drawn[10_000] == pytest.approx(median, rel=0.05)


@settings(max_examples=30)
@given(
    places=st.lists(
        st.tuples(st.integers(0, 32), st.integers(0, ADDRESSES_A_NODE - 1)), unique=True, max_size=50
    )
)
def test_no_two_sessions_have_the_same_address(places):
    numbers = {address_number(node, session, 33) for node, session in places}
    assert len(numbers) == len(places)


def test_a_node_begins_at_the_address_of_its_number():
    assert [address_number(node, 0, 33) for node in range(33)] == list(range(33))
