import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.changes import LEAST_CHANGE, Sample, Verdict, find_changes, holm

#: Standard deviation of log times over the repeats, in the published live runs.
FLASH_CROWD = {
    "server": (0.0003, 0.0003, 0.0002, 0.0001, 0.0003, 0.0001, 0.0005),
    "swarm": (0.0002, 0.005, 0.0084, 0.0163, 0.0073, 0.0073, 0.0083),
}
TEXTBOOK = {
    "server": (0.0011, 0.0004, 0.0004, 0.0002, 0.0001, 0.0001, 0.0001),
    "swarm": (0.0313, 0.0091, 0.0026, 0.0075, 0.0033, 0.0065, 0.0046),
}
SEEDS = range(200)


def pair_of_runs(seed, scatter, repeats=3, slowdown=1.0):
    """Draw two runs of one thing, with outliers: t with 4 degrees of freedom, not a normal."""
    rng = np.random.default_rng(seed)

    def times(width):
        return np.exp(width * rng.standard_t(4, repeats) / math.sqrt(2))

    return [
        Sample(pool, times(width), slowdown * times(width))
        for pool, widths in scatter.items()
        for width in widths
    ]


def verdicts(samples):
    return [one.verdict for one in find_changes(samples)]


@pytest.mark.parametrize("scatter", [FLASH_CROWD, TEXTBOOK], ids=["flash crowd", "textbook"])
def test_at_most_16_of_200_pairs_of_equal_runs_raise_an_alarm(scatter):
    alarms = sum(set(verdicts(pair_of_runs(seed, scatter))) != {Verdict.NO_CHANGE} for seed in SEEDS)
    assert alarms <= 16


def test_ten_per_cent_is_seen_at_nearly_every_point_with_three_repeats():
    found = [one for seed in range(50) for one in verdicts(pair_of_runs(seed, FLASH_CROWD, 3, 1.10))]
    assert found.count(Verdict.SLOWER) / len(found) > 0.95
    assert Verdict.FASTER not in found


def test_a_change_below_the_least_is_not_one_however_sure():
    samples = [Sample("server", np.ones(5), np.full(5, 1.02)) for _ in range(4)]
    changes = find_changes(samples)
    assert {one.verdict for one in changes} == {Verdict.NO_CHANGE}
    assert all(one.low == pytest.approx(1.02) for one in changes)


def test_what_repeats_exactly_is_changed_by_whatever_differs():
    """As in a simulated world, where a server has no scatter at all."""
    assert verdicts([Sample("server", np.ones(3), np.full(3, 0.9))]) == [Verdict.FASTER]


def test_one_repeat_shows_nothing():
    (change,) = find_changes([Sample("server", np.ones(1), np.full(1, 2.0))])
    assert change.verdict is Verdict.NO_CHANGE
    assert change.ratio == pytest.approx(2.0)
    assert math.isnan(change.low)
    assert math.isnan(change.detectable)


def test_the_quiet_points_of_one_architecture_do_not_speak_for_the_other():
    rng = np.random.default_rng(5)
    quiet = [Sample("server", np.ones(3), np.ones(3)) for _ in range(20)]
    noisy = [Sample("swarm", rng.lognormal(0, 0.2, 3), rng.lognormal(0, 0.2, 3)) for _ in range(3)]
    assert set(verdicts([*quiet, *noisy])) == {Verdict.NO_CHANGE}


def test_a_point_that_scatters_more_than_its_pool_stands_for_itself():
    quiet = [Sample("swarm", np.array([1.0, 1.001, 0.999]), np.array([1.0, 1.001, 0.999]))] * 6
    loud = Sample("swarm", np.array([0.8, 1.0, 1.2]), np.array([1.0, 1.2, 1.4]))
    changes = find_changes([*quiet, loud])
    assert [one.own_scatter for one in changes] == [False] * 6 + [True]
    assert changes[-1].verdict is Verdict.NO_CHANGE
    assert changes[-1].detectable > 0.5


def test_one_pool_of_one_point_is_welchs_test():
    rng = np.random.default_rng(11)
    base, new = rng.lognormal(0.0, 0.05, 8), rng.lognormal(0.1, 0.15, 5)
    (change,) = find_changes([Sample("swarm", base, new)])
    known = stats.ttest_ind(np.log(new), np.log(base), equal_var=False)
    interval = known.confidence_interval(0.95)
    assert change.probability == pytest.approx(known.pvalue)
    assert (change.low, change.high) == pytest.approx((math.exp(interval.low), math.exp(interval.high)))


def test_holm_steps_down():
    """Worked by hand: 4 x .005, 3 x .01, then 2 x .03 and 1 x .04, of which the larger holds."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_lies_between_no_correction_and_bonferronis(probabilities):
    corrected = holm(probabilities)
    for plain, one in zip(probabilities, corrected, strict=True):
        assert plain <= one <= min(1.0, len(probabilities) * plain) + 1e-12
    order = np.argsort(probabilities, kind="stable")
    assert list(np.array(corrected)[order]) == sorted(corrected)


@given(seed=st.integers(0, 10_000), factor=st.floats(0.5, 2.0))
def test_exchanging_the_runs_turns_every_change_round(seed, factor):
    there = find_changes(pair_of_runs(seed, TEXTBOOK, 3, factor))
    back = find_changes(
        [Sample(one.pool, one.new, one.base) for one in pair_of_runs(seed, TEXTBOOK, 3, factor)]
    )
    opposite = {Verdict.FASTER: Verdict.SLOWER, Verdict.SLOWER: Verdict.FASTER}
    for one, other in zip(there, back, strict=True):
        assert other.ratio == pytest.approx(1 / one.ratio)
        assert (other.low, other.high) == pytest.approx((1 / one.high, 1 / one.low))
        assert other.verdict is opposite.get(one.verdict, one.verdict)


def test_detectable_is_never_below_the_least_change():
    for one in find_changes(pair_of_runs(1, FLASH_CROWD, 5)):
        assert one.detectable >= LEAST_CHANGE


@pytest.mark.parametrize("times", [[], [1.0, 0.0], [1.0, math.nan]])
def test_times_must_be_positive(times):
    with pytest.raises(ValueError, match="positive"):
        find_changes([Sample("server", np.array(times), np.ones(2))])
