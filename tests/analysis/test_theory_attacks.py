"""Free riders and polluters cost what the formulas say."""

import numpy as np
import pytest

from analysis.theory.attacks import downloads_per_good_piece, free_rider_slowdown
from analysis.theory.bounds import swarm_seconds


def test_free_riders_lengthen_the_fluid_bound_by_the_factor():
    without = swarm_seconds(1.0, 10.0, 1.0, np.inf, 30)
    with_them = 30 / (10.0 + 15 * 1.0)
    assert free_rider_slowdown(10.0, 1.0, 30, 0.5) == pytest.approx(with_them / without)
    assert free_rider_slowdown(10.0, 1.0, 30, 0.0) == 1.0


def test_a_swarm_of_free_riders_is_a_server():
    assert free_rider_slowdown(10.0, 1.0, 30, 1.0) == 4.0


def test_blocks_hashed_together_multiply_the_waste():
    assert downloads_per_good_piece(0.1) == pytest.approx(1 / 0.9)
    assert downloads_per_good_piece(0.1, 16) == pytest.approx(1 / 0.9**16)
    assert downloads_per_good_piece(1.0) == np.inf


def test_the_mean_of_repeated_draws_is_the_formula():
    rng = np.random.default_rng(8)
    good = (rng.random((200_000, 4)) >= 0.2).all(axis=1)
    assert 1 / good.mean() == pytest.approx(downloads_per_good_piece(0.2, 4), rel=0.02)


def test_shares_outside_zero_to_one_are_refused():
    with pytest.raises(ValueError, match="free_riding_share"):
        free_rider_slowdown(1.0, 1.0, 1, 1.1)
    with pytest.raises(ValueError, match="bad_block_share"):
        downloads_per_good_piece(-0.1)
