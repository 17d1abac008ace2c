"""What dealing clients out to several origins costs: exact, and the same as counting every case."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

from analysis.theory import server_seconds
from analysis.theory.balancing import fullest_origin_seconds, random_fullest_share


def test_thirty_two_clients_drawing_one_of_eight_take_1_76_times_as_long_on_average():
    assert random_fullest_share(32, 8) == pytest.approx(1.76, abs=0.005)


@pytest.mark.parametrize(("clients", "origins"), [(1, 3), (2, 2), (4, 3), (6, 2), (5, 4)])
def test_the_expected_share_is_the_mean_over_all_ways_to_draw(clients, origins):
    fullest = [max(Counter(draw).values()) for draw in product(range(origins), repeat=clients)]
    expected = np.mean(fullest) / (clients / origins)
    assert random_fullest_share(clients, origins) == pytest.approx(expected)


def test_one_origin_has_everybody_and_many_clients_even_out():
    assert random_fullest_share(7, 1) == 1.0
    shares = [random_fullest_share(clients, 8) for clients in (8, 32, 128, 512, 2048)]
    assert shares == sorted(shares, reverse=True)
    assert 1 < shares[-1] < 1.1


def test_the_fullest_origin_has_what_does_not_divide_evenly():
    seconds = fullest_origin_seconds(2.0, 1.0, np.array([1, 8, 9, 20, 32]), 8)
    assert list(seconds) == [2, 2, 4, 6, 8]
    assert fullest_origin_seconds(2.0, np.inf, 9, 8) == 0
    with pytest.raises(ValueError, match="origins must be at least 1"):
        fullest_origin_seconds(2.0, 1.0, 9, 0)


def test_several_servers_have_several_uplinks_and_clients_no_wider_downlinks():
    assert server_seconds(1.0, 2.0, 4.0, 32, origins=8) == 2.0
    assert server_seconds(1.0, 2.0, 4.0, 32, 0.5, 8) == 1.5
    assert server_seconds(1.0, 2.0, 0.1, 32, origins=8) == 10.0
