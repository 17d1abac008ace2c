"""Throughput and knee of a closed load."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.closed_load import ClosedLoad, describe, find_knee, throughput


def downloads(*clients: list[float]):
    """Rows of clients, each a list of when its downloads of 100 bytes ended."""
    rows = [(node, end, 100) for node, ends in enumerate(clients, start=1) for end in ends]
    return pd.DataFrame(rows, columns=["node_id", "finished_seconds", "payload_bytes"])


def test_the_throughput_is_the_sum_of_the_clients_own_rates():
    rows = downloads([1, 2, 3, 4], [0.5, 1.0, 1.5, 2.0])
    assert throughput(rows, 2, 10) == pytest.approx(100 / 1 + 100 / 0.5)


def test_a_clients_first_download_and_those_after_the_end_do_not_count():
    rows = downloads([5, 6, 7, 7.1, 7.2])
    assert throughput(rows, 1, 7) == pytest.approx(100)


@pytest.mark.parametrize("rows", [downloads([1, 2], [1]), downloads([1, 2]), downloads([8, 9], [1, 2])])
def test_a_client_without_two_completions_in_time_leaves_it_unknown(rows):
    assert math.isnan(throughput(rows, 2, 7))


@settings(max_examples=20)
@given(st.lists(st.floats(0.1, 5), min_size=1, max_size=8), st.integers(2, 20), st.floats(0, 3))
def test_where_the_clients_cycles_begin_does_not_matter(cycles, count, shift):
    rows = downloads(*([shift * cycle + k * cycle for k in range(count)] for cycle in cycles))
    assert throughput(rows, len(cycles), 1e9) == pytest.approx(sum(100 / cycle for cycle in cycles))


def test_the_knee_is_the_plateau_over_what_one_client_has():
    knee = find_knee({1: 1.0, 2: 2.0, 8: 7.9, 16: 15.5, 32: 16.0, 64: 16.1})
    assert knee is not None
    assert knee.users == pytest.approx((15.5 + 16.0 + 16.1) / 3)


@pytest.mark.parametrize("rates", [{}, {2: 2.0, 4: 2.0}, {1: 1.0, 2: 2.0, 4: 4.0}, {1: None, 2: 1.0}])
def test_without_a_single_client_or_a_plateau_there_is_no_knee(rates):
    assert find_knee(rates) is None


def test_a_sweep_that_ends_before_saturation_says_so():
    one = ClosedLoad(
        downloads=9, bytes_per_second=4.0 * 2**20, mean_seconds=1, p50=1, p90=None, p99=None
    )
    assert describe({4: one}, None) == (
        "No saturation was seen: at 4 clients all together have 4.00 MiB/s."
    )
    assert describe({}, None) == ""
