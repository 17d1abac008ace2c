"""Arrivals and departures: sentences become times, from a seed and nothing else."""

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.arrivals import Departures, due_times, mean_due_seconds, parse_departures
from testbed.errors import ScenarioError

SENTENCES = ("flash crowd", "every 0.5 s", "poisson at 2 /s", "decaying over 30 s")


def test_a_flash_crowd_comes_at_once():
    assert due_times("flash crowd", 3, Random(1)) == (0.0, 0.0, 0.0)


def test_constant_spacing_takes_any_unit_of_time():
    assert due_times("every 500 ms", 4, Random(1)) == (0.0, 0.5, 1.0, 1.5)


@given(st.sampled_from(SENTENCES), st.integers(0, 50), st.integers(0, 2**32))
def test_everybody_comes_in_order_from_zero_on(sentence, count, seed):
    times = due_times(sentence, count, Random(seed))
    assert len(times) == count
    assert list(times) == sorted(times)
    assert all(math.isfinite(time) for time in times)
    assert not times or times[0] == 0


@pytest.mark.parametrize("sentence", SENTENCES)
def test_one_seed_gives_the_same_times_again(sentence):
    assert due_times(sentence, 20, Random(7)) == due_times(sentence, 20, Random(7))


def test_poisson_arrivals_have_the_mean_and_the_spread_of_their_rate():
    times = due_times("poisson at 2 /s", 20_001, Random(3))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    # Standard errors at n = 20,000: 0.7 % of the mean, 2 % of the variance.
    assert mean == pytest.approx(0.5, rel=0.03)
    assert variance == pytest.approx(0.25, rel=0.08)


def test_decaying_arrivals_fall_by_e_in_each_span():
    times = due_times("decaying over 30 s", 20_000, Random(3))
    first = sum(time < 30 for time in times)
    second = sum(30 <= time < 60 for time in times)
    assert first / len(times) == pytest.approx(1 - 1 / math.e, rel=0.02)
    assert first / second == pytest.approx(math.e, rel=0.05)


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "Flash crowd",
        "flash crowd ",
        "every 0.5",
        "every 0 s",
        "every -1 s",
        "poisson at 0 /s",
        "poisson at nan /s",
        "poisson at 2 per second",
        "decaying over 0 s",
        "decaying",
    ],
)
def test_arrivals_that_cannot_be_meant_are_refused(sentence):
    with pytest.raises(ScenarioError, match=r"^expected "):
        due_times(sentence, 1, Random(0))


@pytest.mark.parametrize(
    "arrivals", ["flash crowd", "every 0.5 s", "poisson at 2 /s", "decaying over 30 s"]
)
def test_mean_arrivals_are_the_mean_of_many_draws(arrivals):
    draws = [due_times(arrivals, 9, Random(seed)) for seed in range(3000)]
    for number in (0, 4, 8):
        drawn = sum(one[number] for one in draws) / len(draws)
        begun = mean_due_seconds(arrivals, 9, 0)
        # The last of a decaying crowd is far off: half of its mean is one client's tail.
        tolerance = 0.2 if arrivals.startswith("decaying") else 0.05
        expected = mean_due_seconds(arrivals, 9, number) - begun
        assert expected == pytest.approx(drawn, rel=tolerance, abs=1e-9)


def test_mean_arrivals_are_of_a_known_sentence():
    with pytest.raises(ScenarioError, match=r"^expected "):
        mean_due_seconds("whenever", 9, 0)


@pytest.mark.parametrize(
    ("sentence", "departures"),
    [
        ("after the last", Departures(seeding_seconds=math.inf, aborts_per_second=0.0)),
        ("at completion", Departures(seeding_seconds=0.0)),
        ("after 10 s of seeding", Departures(seeding_seconds=10.0)),
        ("after 500 ms of seeding", Departures(seeding_seconds=0.5)),
        ("gives up at 0.001 /s", Departures(aborts_per_second=0.001)),
        (
            "gives up at 0.001 /s, else after 10 s of seeding",
            Departures(aborts_per_second=0.001, seeding_seconds=10.0),
        ),
    ],
)
def test_departures_are_read(sentence, departures):
    assert parse_departures(sentence) == departures


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "never",
        "after 10 of seeding",
        "gives up at 0 /s",
        "gives up at -1 /s",
        "gives up at 1 /s, else",
        "gives up at 1 /s, else never",
        "gives up at 1 /s, else gives up at 2 /s",
    ],
)
def test_departures_that_cannot_be_meant_are_refused(sentence):
    with pytest.raises(ScenarioError, match=r"^expected "):
        parse_departures(sentence)
