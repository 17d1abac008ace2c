"""Departure of the origin, and availability, against counting and drawing."""

from itertools import product
from math import comb

import numpy as np
import pytest

from analysis.theory.churn import (
    all_injected_probabilities,
    coupon_factor,
    injection_seconds,
    random_injection_seconds,
    replicated_availability,
    scattered_availability,
    server_availability,
    survives_departure,
)


def test_everybody_finishes_if_the_origin_stays_one_upload_time():
    assert injection_seconds(100.0, 20.0) == 5.0
    fractions = np.array([0.5, 0.9, 1.1, 2, 5])
    survived = survives_departure(100.0, 20.0, 5.0 * fractions)
    assert survived.tolist() == [False, False, True, True, True]


def test_random_pieces_take_the_harmonic_factor_longer():
    assert coupon_factor(np.array([1, 2, 3])) == pytest.approx([1, 1.5, 11 / 6])
    assert random_injection_seconds(100.0, 20.0, 3) == pytest.approx(5 * 11 / 6)


def test_chance_of_complete_injection_equals_inclusion_and_exclusion():
    sent = np.arange(13)
    expected = sum((-1) ** j * comb(4, j) * (1 - j / 4) ** sent for j in range(5))
    assert all_injected_probabilities(4, 12) == pytest.approx(expected, abs=1e-12)


def test_mean_number_sent_until_complete_is_the_coupon_collectors():
    chances = all_injected_probabilities(20, 2000)
    assert np.sum(1 - chances) == pytest.approx(20 * coupon_factor(20))


def test_one_copy_is_as_available_as_the_server():
    assert replicated_availability(0.7, 1) == pytest.approx(server_availability(0.7))
    assert replicated_availability(0.7, 2) == pytest.approx(0.91)


def test_scattered_pieces_are_at_least_as_available_as_the_bound():
    """Exact by counting: pieces 0 and 1 on holders {0,1} and {1,2}."""
    up = 0.6
    exact = sum(
        np.prod([up if is_up else 1 - up for is_up in state])
        for state in product([False, True], repeat=3)
        if (state[0] or state[1]) and (state[1] or state[2])
    )
    assert exact >= scattered_availability(up, 2, 2) == pytest.approx(0.84**2)


def test_probabilities_above_one_are_refused():
    with pytest.raises(ValueError, match="up_probability"):
        replicated_availability(1.2, 2)
