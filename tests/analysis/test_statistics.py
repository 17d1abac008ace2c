import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics import (
    Comparison,
    Crossover,
    Outcome,
    compare,
    crossover,
    local_slopes,
    quantile,
    spread,
)


def shown(clients, outcome):
    return Comparison(clients, spread([1.0]), outcome)


FASTER, SLOWER, SAME = Outcome.FASTER, Outcome.SLOWER, Outcome.NO_DIFFERENCE


def test_three_repeats_give_a_range_and_never_a_percentage():
    found = spread([1.79, 1.72, 1.75])
    assert (found.low, found.median, found.high) == (1.72, 1.75, 1.79)
    assert found.interval == "range of 3 repeats"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_fewer_than_six_repeats_never_claim_95_percent(count):
    assert "95" not in spread([1.0 + place for place in range(count)]).interval


def test_one_repeat_is_called_one_repeat():
    assert spread([2.0]).interval == "1 repeat"


def test_six_repeats_have_students_interval_on_logarithms():
    values = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0]
    found = spread(values)
    logs = np.log(values)
    half = 2.570581836 * logs.std(ddof=1) / math.sqrt(6)
    assert found.low == pytest.approx(math.exp(logs.mean() - half))
    assert found.high == pytest.approx(math.exp(logs.mean() + half))
    assert found.interval.startswith("95% interval of 6 repeats")


def test_fifteen_repeats_are_bootstrapped_and_the_same_each_time():
    values = list(np.random.default_rng(1).lognormal(0, 0.1, 15))
    found = spread(values)
    assert "bootstrap" in found.interval
    assert found.low < found.median < found.high
    assert spread(values) == found


def test_trials_without_a_value_are_left_out():
    assert spread([1.0, float("nan"), 3.0]).repeats == 2
    assert spread([float("nan")]) is None


def test_zero_has_no_logarithm_and_is_refused():
    with pytest.raises(ValueError, match="positive"):
        spread([1.0, 0.0])


def test_faster_needs_all_pairs_to_agree():
    server, swarm = {0: 2.0, 1: 2.0, 2: 0.99}, {0: 1.0, 1: 1.0, 2: 1.0}
    assert compare(8, server, swarm).outcome is SAME
    assert compare(8, server | {2: 1.9}, swarm).outcome is FASTER


def test_faster_needs_the_range_beyond_five_per_cent():
    swarm = {0: 1.0, 1: 1.0, 2: 1.0}
    assert compare(8, {0: 1.2, 1: 1.2, 2: 1.05}, swarm).outcome is SAME
    assert compare(8, {0: 1.2, 1: 1.2, 2: 1.06}, swarm).outcome is FASTER


def test_slower_mirrors_faster():
    server = {0: 1.0, 1: 1.0, 2: 1.0}
    assert compare(2, server, {0: 1.2, 1: 1.3, 2: 1.06}).outcome is SLOWER
    assert compare(2, server, {0: 1.2, 1: 1.3, 2: 1.04}).outcome is SAME


def test_only_repeats_that_both_have_are_compared():
    found = compare(4, {0: 2.0, 1: 3.0}, {1: 1.0, 2: 9.0})
    assert (found.ratio.median, found.ratio.repeats) == (3.0, 1)
    assert compare(4, {0: 2.0}, {1: 1.0}) is None


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=1, max_size=20))
def test_exchanging_the_arms_exchanges_the_outcome(pairs):
    server = {place: pair[0] for place, pair in enumerate(pairs)}
    swarm = {place: pair[1] for place, pair in enumerate(pairs)}
    mirrored = {FASTER: SLOWER, SLOWER: FASTER, SAME: SAME}
    there, back = compare(1, server, swarm), compare(1, swarm, server)
    if not any(math.isclose(a / b, edge) for a, b in pairs for edge in (1, 1.05, 1 / 1.05)):
        assert back.outcome is mirrored[there.outcome]


def test_crossover_is_an_interval_of_tested_numbers():
    found = crossover([shown(2, SAME), shown(4, SLOWER), shown(6, FASTER), shown(8, FASTER)])
    assert found == Crossover(above=4, at_most=6)


def test_a_lost_win_moves_the_crossover_up():
    found = crossover([shown(4, FASTER), shown(6, SAME), shown(8, FASTER)])
    assert found == Crossover(above=6, at_most=8)


def test_no_win_at_the_largest_n_is_no_crossover():
    assert crossover([shown(4, FASTER), shown(8, SAME)]) is None
    assert crossover([]) is None


def test_winning_everywhere_leaves_nothing_below():
    assert crossover([shown(2, FASTER), shown(4, FASTER)]) == Crossover(None, 2)


@pytest.mark.parametrize(("share", "least"), [(0.5, 5), (0.9, 29), (0.99, 299)])
def test_quantile_needs_its_least_sample(share, least):
    values = list(range(least))
    assert quantile(values, share) == pytest.approx(share * (least - 1))
    assert quantile(values[1:], share) is None


def test_slope_of_a_bottleneck_is_one_and_of_a_flat_curve_zero():
    assert local_slopes([4, 8, 16], [1.25, 2.5, 2.5]) == [None, pytest.approx(1), pytest.approx(0)]


def test_slope_next_to_a_missing_point_is_unknown():
    assert local_slopes([1, 2, 4], [1.0, float("nan"), 2.0]) == [None, None, None]
