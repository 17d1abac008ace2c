"""The optimal schedule is legal, complete, and as short as the closed form says."""

import numpy as np
import pytest

from analysis.theory import store_and_forward_seconds, swarm_seconds
from analysis.theory.schedule import (
    Schedule,
    Transfer,
    faults,
    optimal_rounds,
    optimal_schedule,
    optimal_seconds,
)


def check(clients, pieces):
    schedule = optimal_schedule(clients, pieces)
    assert faults(schedule) == []
    assert schedule.rounds == optimal_rounds(clients, pieces) == pieces + clients.bit_length() - 1
    assert len(schedule.transfers) == clients * pieces


def test_schedule_is_legal_and_optimal_on_the_whole_grid_to_64_clients_and_30_pieces():
    for clients in range(1, 65):
        for pieces in range(1, 31):
            check(clients, pieces)


@pytest.mark.slow
@pytest.mark.parametrize("clients", [127, 128, 200, 255, 511, 777, 1023, 1024])
def test_schedule_is_legal_and_optimal_for_large_swarms(clients):
    for pieces in (1, 7, 100):
        check(clients, pieces)


@pytest.mark.parametrize("clients", [1, 2, 3, 7, 8, 37, 1000])
@pytest.mark.parametrize("pieces", [1, 2, 10])
def test_seconds_of_the_schedule_equal_the_closed_form(clients, pieces):
    schedule = optimal_schedule(clients, pieces)
    expected = (6000 / 4) * (1 + np.floor(np.log2(clients)) / pieces)
    assert schedule.seconds(6000, 4) == pytest.approx(expected)
    assert optimal_seconds(6000, 4, clients, pieces) == pytest.approx(expected)


def test_closed_form_is_exact_at_powers_of_two():
    exponents = np.arange(1, 50)
    assert np.array_equal(optimal_rounds(2.0**exponents, 1), 1 + exponents)
    assert np.array_equal(optimal_rounds(2.0**exponents - 1, 1), exponents)


def test_the_optimum_respects_every_bound_that_applies_to_it():
    clients, pieces = np.arange(1, 2000), np.array([[1], [2], [10], [100], [1000]])
    optimum = optimal_seconds(1.0, 1.0, clients, pieces)
    assert np.all(optimum >= store_and_forward_seconds(1.0, 1.0, 1.0, clients, pieces) - 1e-12)
    assert np.all(optimum >= swarm_seconds(1.0, 1.0, 1.0, np.inf, clients))


def test_no_schedule_of_two_rounds_serves_two_clients_two_pieces():
    """The bound is not slack: exhaustive search finds nothing shorter than T*."""
    assert optimal_rounds(2, 2) == 3
    reached = {(0b11, 0, 0)}
    for _ in range(2):
        reached = {after for state in reached for after in successors(state)}
    assert (0b11, 0b11, 0b11) not in reached
    assert (0b11, 0b11, 0b11) in {after for state in reached for after in successors(state)}


def successors(state):
    """Every state that one round can lead to, each node sending one piece or none."""
    results = {state}
    for held in state:
        results |= {
            tuple(has | 1 << piece if node == target else has for node, has in enumerate(base))
            for base in results
            for target in range(3)
            for piece in range(2)
            if held >> piece & 1
        }
    return results


@pytest.mark.parametrize(
    ("transfers", "fault"),
    [
        ([(0, 0, 1, 0), (0, 0, 2, 0)], "second upload"),
        ([(0, 0, 1, 0), (0, 1, 2, 0)], "does not have"),
        ([(0, 0, 1, 0), (1, 0, 1, 0)], "already"),
        ([(0, 0, 1, 0)], "node 2 ends incomplete"),
        ([(0, 0, 3, 0)], "does not exist"),
        ([(0, 0, 1, 1)], "does not exist"),
        ([(0, 1, 1, 0)], "does not exist"),
    ],
)
def test_the_checker_finds_each_kind_of_fault(transfers, fault):
    schedule = Schedule(2, 1, tuple(Transfer(*transfer) for transfer in transfers))
    assert any(fault in found for found in faults(schedule))


def test_an_empty_swarm_or_file_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        optimal_schedule(0, 1)
    with pytest.raises(ValueError, match="clients"):
        optimal_rounds(0, 1)
