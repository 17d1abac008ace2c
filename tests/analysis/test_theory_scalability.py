"""The scalability law and its fit."""

import numpy as np
import pytest

from analysis.theory.scalability import fit, peak_users, throughput

USERS = np.array([1, 2, 4, 8, 16, 32, 64])


def test_one_user_gets_the_gain():
    assert throughput(1, 7.0, 0.3, 0.01) == 7.0


def test_without_contention_throughput_is_linear():
    assert np.array_equal(throughput(USERS, 2.0, 0, 0), 2.0 * USERS)


def test_throughput_is_highest_at_the_peak():
    users = np.linspace(1, 100, 99_001)
    best = users[np.argmax(throughput(users, 1.0, 0.05, 0.001))]
    assert peak_users(0.05, 0.001) == pytest.approx(best, abs=0.002)
    assert peak_users(0.05, 0) == np.inf


def test_exact_data_give_the_parameters_back():
    found = fit(USERS, throughput(USERS, 1234.0, 0.03, 0.0005))
    assert found.gain.value == pytest.approx(1234.0, rel=1e-4)
    assert found.contention.value == pytest.approx(0.03, rel=1e-3)
    assert found.coherency.value == pytest.approx(0.0005, rel=1e-3)
    assert found.peak_users == pytest.approx(peak_users(0.03, 0.0005), rel=1e-3)
    assert found.worst_relative_residual < 1e-4


def test_intervals_contain_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(3)
    truth = {"gain": 50.0, "contention": 0.05, "coherency": 0.001}
    hits = dict.fromkeys(truth, 0)
    for _ in range(200):
        noisy = throughput(USERS, *truth.values()) * rng.normal(1, 0.02, len(USERS))
        found = fit(USERS, noisy)
        for name, value in truth.items():
            estimate = getattr(found, name)
            hits[name] += estimate.low <= value <= estimate.high
    assert all(180 <= count <= 199 for count in hits.values()), hits


def test_parameters_and_their_intervals_never_fall_below_zero():
    rng = np.random.default_rng(4)
    found = fit(USERS, 3.0 * USERS * rng.normal(1, 0.02, len(USERS)))
    for estimate in (found.contention, found.coherency):
        assert estimate.value >= 0
        assert estimate.low >= 0


def test_repeats_at_few_loads_are_no_substitute_for_loads():
    with pytest.raises(ValueError, match="at least 6 load levels, not 5"):
        fit([1, 2, 3, 4, 5, 5, 5, 5], [1.0] * 8)


def test_unusable_measurements_are_refused():
    with pytest.raises(ValueError, match="throughputs"):
        fit(USERS, np.zeros(7))
    with pytest.raises(ValueError, match="one throughput per load"):
        fit(USERS, [1.0])
    with pytest.raises(ValueError, match="confidence"):
        fit(USERS, np.ones(7), confidence=95)
