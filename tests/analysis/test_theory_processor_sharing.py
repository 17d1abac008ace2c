"""Processor sharing: small cases by hand, long ones against the mean of the textbook."""

import numpy as np
import pytest

from analysis.theory.processor_sharing import (
    exact_completions,
    load,
    mean_exact_response_seconds,
    mean_response_seconds,
)


def test_mean_response_at_the_loads_of_the_experiment():
    milliseconds = 1000 * mean_response_seconds(0.03125, np.array([0.3, 0.5, 0.7, 0.8, 0.9]))
    assert milliseconds == pytest.approx([44.6, 62.5, 104.2, 156.3, 312.5], abs=0.06)


def test_load_is_offered_bytes_over_the_uplink():
    assert load(10.0, 50.0, 1000.0) == 0.5


def test_a_request_alone_takes_its_service_time():
    assert exact_completions([3.0], [10.0], 5.0).tolist() == [5.0]


def test_two_requests_share_the_uplink_while_both_are_there():
    # Alone 0-2 s (20 of 40 bytes), shared until the small one has its 10 bytes at 4 s.
    assert exact_completions([0.0, 2.0], [40.0, 10.0], 10.0).tolist() == [5.0, 4.0]


def test_requests_at_one_moment_end_in_the_order_of_their_sizes():
    assert exact_completions([0.0] * 3, [30.0, 10.0, 20.0], 10.0).tolist() == [6.0, 3.0, 5.0]


def test_order_of_the_arguments_does_not_matter():
    assert exact_completions([2.0, 0.0], [10.0, 40.0], 10.0).tolist() == [4.0, 5.0]


def test_an_idle_server_starts_afresh():
    assert exact_completions([0.0, 9.0], [10.0, 10.0], 10.0).tolist() == [1.0, 10.0]


def test_downlink_caps_a_request_that_could_have_more():
    completions = exact_completions([0.0, 0.0, 0.0], [10.0, 10.0, 20.0], 9.0, client_downlink=4.0)
    # 3 each until 10/3 s; then 4, not 9, for the last.
    assert completions == pytest.approx([10 / 3, 10 / 3, 10 / 3 + 10 / 4])


def test_no_byte_is_lost_in_a_busy_period():
    rng = np.random.default_rng(5)
    sizes = rng.exponential(1.0, 500)
    arrivals = np.sort(rng.uniform(0, 1.0, 500))
    arrivals[0] = 0.0
    # The server never idles (500 bytes in a second, at 50/s), so all ends when the work is done.
    sizes[0] = 100.0
    completions = exact_completions(arrivals, sizes, 50.0)
    assert completions.max() == pytest.approx(sizes.sum() / 50.0)
    assert np.all(completions > arrivals)


@pytest.mark.parametrize("sizes", ["exponential", "constant", "two-valued"])
def test_long_runs_meet_the_mean_whatever_the_sizes(sizes):
    rng = np.random.default_rng(11)
    count = 100_000
    arrivals = np.cumsum(rng.exponential(1 / 0.6, count))
    bytes_each = {
        "exponential": rng.exponential(1.0, count),
        "constant": np.ones(count),
        "two-valued": np.where(rng.random(count) < 0.1, 5.5, 0.5),
    }[sizes]
    mean = mean_exact_response_seconds(arrivals, bytes_each, 1.0)
    assert mean == pytest.approx(mean_response_seconds(1.0, 0.6), rel=0.04)


def test_unusable_arguments_are_refused():
    with pytest.raises(ValueError, match="below 1"):
        mean_response_seconds(1.0, 1.0)
    with pytest.raises(ValueError, match="one size per arrival"):
        exact_completions([0.0], [], 1.0)
    with pytest.raises(ValueError, match="finite"):
        exact_completions([np.inf], [1.0], 1.0)
    with pytest.raises(ValueError, match="at least one request"):
        mean_exact_response_seconds([], [], 1.0)
