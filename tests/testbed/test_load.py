"""How often clients ask, and for how much."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.arrivals import poisson_rate
from testbed.errors import ScenarioError
from testbed.load import (
    ONCE,
    WHOLE_FILE,
    expected_bytes,
    mean_bytes,
    parse_load,
    wanted_bytes,
)
from testbed.scenario import from_dict, parse

KIB = 1024
EXPONENTIAL = "exponential with mean 64 KiB"


def scenario(**values: Any):
    main = {"name": "small", "clients": [1], "file_size": "1 MiB", "architectures": ["server"]}
    return parse({"scenario": main | values}, "small.toml")


def test_a_load_is_once_or_again_for_a_time():
    assert not parse_load(ONCE).is_closed
    assert parse_load("again for 1.5 s").again_seconds == 1.5


@pytest.mark.parametrize("sentence", ["", "again", "again for 0 s", "again for 3", "twice"])
def test_another_load_is_refused_in_one_line(sentence):
    with pytest.raises(ScenarioError) as refused:
        parse_load(sentence)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("sentence", ["", "64 KiB", "exponential with mean 0 B", "exponential"])
def test_other_sizes_are_refused(sentence):
    with pytest.raises(ScenarioError):
        mean_bytes(sentence)


def test_whole_files_are_the_same_for_everybody():
    assert wanted_bytes(WHOLE_FILE, 100, 3, seed=1) == (100, 100, 100)
    assert expected_bytes(WHOLE_FILE, 100) == 100


@given(st.integers(1, 2**20), st.integers(0, 200), st.integers(0, 2**48))
def test_nobody_asks_for_nothing_or_for_more_than_there_is(file_bytes, clients, seed):
    sizes = wanted_bytes(EXPONENTIAL, file_bytes, clients, seed)
    assert len(sizes) == clients
    assert all(1 <= size <= file_bytes for size in sizes)
    assert sizes == wanted_bytes(EXPONENTIAL, file_bytes, clients, seed)


def test_drawn_sizes_have_the_mean_that_is_expected_of_them():
    for file_bytes in (32 * KIB, 1024 * KIB):
        sizes = wanted_bytes(EXPONENTIAL, file_bytes, 20_000, seed=3)
        assert sum(sizes) / len(sizes) == pytest.approx(
            expected_bytes(EXPONENTIAL, file_bytes), rel=0.03
        )


def test_a_scenario_keeps_load_and_sizes_in_what_a_run_records():
    kept = from_dict(scenario(load="again for 2 s", sizes=EXPONENTIAL).to_dict())
    assert kept.repetition.again_seconds == 2
    assert kept.sizes == EXPONENTIAL


def test_a_run_of_before_there_were_loads_is_one_that_downloads_once():
    recorded = scenario().to_dict()
    del recorded["load"], recorded["sizes"]
    assert (from_dict(recorded).load, from_dict(recorded).sizes) == (ONCE, WHOLE_FILE)


@pytest.mark.parametrize("key", ["load", "sizes"])
def test_a_swarm_is_asked_for_one_whole_file(key):
    values = {"load": "again for 2 s", "sizes": EXPONENTIAL}
    with pytest.raises(ScenarioError, match=key):
        scenario(**{key: values[key], "architectures": ["server", "swarm"]})


def test_who_leaves_when_it_is_done_cannot_begin_anew():
    with pytest.raises(ScenarioError, match="departures"):
        scenario(load="again for 2 s", departures="at completion")


def test_only_poisson_arrivals_have_a_rate_of_their_own():
    assert poisson_rate("poisson at 2.5 /s") == 2.5
    assert poisson_rate("flash crowd") is None
    assert poisson_rate("every 1 s") is None
