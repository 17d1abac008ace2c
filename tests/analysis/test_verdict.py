import pytest

from analysis.statistics import Comparison, Outcome, spread
from analysis.verdict import answer, answer_for_one_arm, overhead_note


def at(clients, *ratios: float):
    found = spread(list(ratios))
    outcome = Outcome.NO_DIFFERENCE
    if min(ratios) > 1.05:
        outcome = Outcome.FASTER
    elif max(ratios) < 1 / 1.05:
        outcome = Outcome.SLOWER
    return Comparison(clients, found, outcome)


def test_crossover_is_said_with_its_interval_and_the_largest_n():
    said = answer([at(1, 0.8), at(4, 0.97, 1.01, 1.0), at(6, 1.2, 1.22, 1.3), at(32, 4.5, 4.6, 4.7)])
    assert said == (
        "The swarm beats the server from somewhere above 4 and at most 6 clients; at 32 clients "
        "the swarm is 4.6 times as fast (range of 3 repeats 4.5-4.7)."
    )


def test_swarm_that_always_wins():
    said = answer([at(2, 1.3, 1.4), at(8, 2.0, 2.1)])
    assert said.startswith("The swarm beats the server at every tested number of clients, from 2 to 8")


def test_swarm_that_never_wins():
    said = answer([at(1, 0.9, 1.0), at(2, 1.0, 1.01)])
    assert said.startswith("The swarm is not shown to beat the server at any tested number")
    assert "range of 2 repeats" in said


def test_server_that_always_wins():
    said = answer([at(1, 0.5, 0.51), at(2, 0.7, 0.72)])
    assert said.startswith("The server beats the swarm at every tested number of clients, from 1 to 2")
    assert "the server is 1.41 times as fast" in said


def test_swarm_that_wins_only_in_between_has_no_crossover():
    said = answer([at(4, 1.4, 1.5), at(8, 0.98, 1.02)])
    assert said.startswith("No crossover is shown: the swarm beats the server at N = 4, but not at 8")


def test_single_n_says_nothing_of_others():
    said = answer([at(8, 1.6, 1.7)])
    assert said.startswith("At 8 clients the swarm is 1.65 times as fast (range of 2 repeats 1.6-1.7)")
    assert "No other number of clients was tested" in said


def test_single_n_without_a_difference():
    said = answer([at(1, 0.99, 1.01, 1.0)])
    assert said.startswith("At 1 client no difference is shown")


def test_one_repeat_is_not_dressed_up():
    said = answer([at(2, 0.9), at(8, 1.7)])
    assert "(one repeat)" in said
    assert "range" not in said


def test_six_repeats_are_called_an_interval():
    assert "95% interval of 6 repeats" in answer([at(8, 1.6, 1.7, 1.65, 1.6, 1.7, 1.62)])


def test_without_comparison_there_is_no_answer():
    with pytest.raises(ValueError, match="at least one"):
        answer([])


def test_one_arm_is_not_compared_with_anything():
    said = answer_for_one_arm("server", 32, spread([10.2, 10.3, 10.4]), 0.97)
    assert said == (
        "Only the server was measured, so there is nothing to compare: at 32 clients it took "
        "10.3 s (range of 3 repeats 10.2-10.4 s), 97% of the rate that theory allows."
    )


def test_overhead_is_named_up_to_where_the_bounds_part():
    said = overhead_note(4.0, [2, 8])
    assert "N = us/d = 4 clients" in said
    assert "overhead" in said


def test_overhead_is_not_named_where_it_was_not_measured():
    assert "lies above" in overhead_note(4.0, [5, 10])
    assert "us/d" not in overhead_note(None, [1, 2])
