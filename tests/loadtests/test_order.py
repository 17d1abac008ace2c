"""In which order trials are made."""

from __future__ import annotations

from collections import Counter

from loadtests.order import trial_order
from testbed.scenario import Scenario


def scenario(seed: int = 7, clients: tuple[int, ...] = (1, 2, 4, 8), repeats: int = 5) -> Scenario:
    return Scenario(name="any", clients=clients, repeats=repeats, seed=seed, file_bytes=1)


def test_every_trial_is_made_once():
    slots = trial_order(scenario())
    assert len(slots) == 2 * 4 * 5
    assert len({slot.key for slot in slots}) == len(slots)


def test_slots_are_numbered_in_the_order_they_are_made():
    assert [slot.order for slot in trial_order(scenario())] == list(range(40))


def test_a_repeat_visits_every_n_before_the_next_begins():
    slots = trial_order(scenario())
    assert [slot.repeat for slot in slots] == sorted(slot.repeat for slot in slots)


def test_both_architectures_meet_at_each_n():
    slots = trial_order(scenario())
    for first, second in zip(slots[::2], slots[1::2], strict=True):
        assert (first.clients, first.repeat) == (second.clients, second.repeat)
        assert {first.architecture, second.architecture} == {"server", "swarm"}


def test_neither_architecture_always_goes_first():
    firsts = Counter(slot.architecture for slot in trial_order(scenario())[::2])
    assert set(firsts) == {"server", "swarm"}


def test_the_seed_alone_decides_the_order():
    assert trial_order(scenario(seed=1)) == trial_order(scenario(seed=1))
    assert trial_order(scenario(seed=1)) != trial_order(scenario(seed=2))
