import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import checks
from analysis.findings import State, warnings_by_point
from analysis.load import TRIAL_KEYS

NAN = float("nan")
TRIAL = {"placement": "", "architecture": "swarm", "clients": 2, "repeat": 1}


def trials(**columns: object):
    return pd.DataFrame([TRIAL | columns])


def by_trial(**columns: object):
    return trials(**columns).set_index(list(TRIAL_KEYS))


def clients(*done: float, verified=True):
    rows = [
        TRIAL
        | {
            "role": "client",
            "node_id": place,
            "finished_seconds": finished,
            "nodes": 1,
            "completion_seconds": finished,
            "verified": verified,
        }
        for place, finished in enumerate(done, start=1)
    ]
    return pd.DataFrame(rows)


def population(times, counts):
    return pd.DataFrame(
        [
            TRIAL | {"process": 1, "at_seconds": at, "downloading": n}
            for at, n in zip(times, counts, strict=True)
        ]
    )


SPAN = {"first_join_seconds": 0.0, "last_completion_seconds": 2.0}


def test_one_lost_byte_breaks_conservation():
    kept = checks.bytes_conserved(trials(payload_sent_bytes=100, payload_received_bytes=100))
    assert kept.state is State.OK
    lost = checks.bytes_conserved(trials(payload_sent_bytes=100, payload_received_bytes=99))
    assert lost.state is State.FAILED
    assert "100 B sent, 99 B received" in lost.detail


@pytest.mark.parametrize(("right", "state"), [(2, State.OK), (1, State.FAILED)])
def test_every_file_must_be_verified(right, state):
    found = checks.all_verified(trials(files_verified=right, files_expected=2))
    assert found.state is state


@pytest.mark.parametrize(
    ("took", "state"),
    [(1.23, State.OK), (1.229, State.FAILED), (NAN, State.NOT_EXERCISED)],
)
def test_makespan_below_what_bursts_permit_is_impossible(took, state):
    found = checks.above_bound(by_trial(makespan_seconds=took, least_possible_seconds=1.23))
    assert found.state is state


def test_sampled_population_that_agrees_passes():
    times = np.arange(0, 2.01, 0.05)
    counts = [2 if at < 1 else 1 for at in times]
    found = checks.littles_law(clients(1.0, 2.0), population(times, counts), by_trial(**SPAN), "live")
    assert found.state is State.OK


@pytest.mark.parametrize(("world", "state"), [("live", State.OK), ("simulated", State.FAILED)])
def test_tolerance_of_littles_law_depends_on_the_world(world, state):
    times = np.linspace(0, 2, 2001)
    counts = [2 if at < 1.12 else 1 for at in times]
    found = checks.littles_law(clients(1.0, 2.0), population(times, counts), by_trial(**SPAN), world)
    assert found.state is state


def test_population_that_contradicts_the_times_fails():
    times = np.linspace(0, 2, 41)
    found = checks.littles_law(clients(1.0, 2.0), population(times, [2] * 41), by_trial(**SPAN), "live")
    assert found.state is State.FAILED


def test_populations_of_several_processes_add_up():
    times = np.arange(0, 2.01, 0.05)
    one = population(times, [int(at < 1) for at in times])
    other = population(times + 0.02, [1] * len(times)).assign(process=2)
    both = pd.concat([one, other])
    found = checks.littles_law(clients(1.0, 2.0), both, by_trial(**SPAN), "live")
    assert found.state is State.OK


def test_too_few_samples_are_not_a_passed_check():
    found = checks.littles_law(
        clients(1.0, 2.0), population([0.5, 1.5], [2, 1]), by_trial(**SPAN), "live"
    )
    assert found.state is State.NOT_EXERCISED


def test_samples_leave_open_when_between_them_clients_went():
    least, most = checks.population_area(
        np.array([0.0, 1.0, 2.0, 9.0]), np.array([4.0, 4.0, 1.0, 0.0]), 0.0, 2.5
    )
    assert least == pytest.approx(4 * 1 + 1 * 1 + 0 * 0.5)
    assert most == pytest.approx(4 * 1 + 4 * 1 + 1 * 0.5)


@given(
    st.lists(st.floats(0.2, 3.0), min_size=1, max_size=20),
    st.floats(0.01, 0.25),
)
def test_true_area_lies_within_what_samples_leave_open(done, interval):
    times = np.arange(0.0, max(done), interval)
    counts = np.array([sum(at < one for one in done) for at in times], dtype=float)
    least, most = checks.population_area(times, counts, 0.0, max(done))
    assert least - 1e-9 <= sum(done) <= most + 1e-9


@pytest.mark.parametrize(("share", "state"), [(0.79, State.OK), (0.8, State.FAILED)])
def test_process_must_stay_below_eighty_per_cent_of_a_core(share, state):
    busy = by_trial(busy=share)["busy"]
    assert checks.not_busy("Load generator", "it", busy).state is state


def test_process_without_samples_is_not_exercised():
    found = checks.not_busy("Load generator", "it", by_trial(busy=NAN)["busy"])
    assert found.state is State.NOT_EXERCISED


@pytest.mark.parametrize(
    ("error", "state"),
    [(0.01, State.OK), (0.0101, State.FAILED), (NAN, State.NOT_EXERCISED)],
)
def test_link_rates_must_be_within_one_per_cent(error, state):
    assert checks.link_rates(trials(link_rate_error_max=error)).state is state


def test_failures_become_warnings_of_their_point():
    found = warnings_by_point(
        [
            checks.link_rates(trials(link_rate_error_max=0.05)),
            checks.bytes_conserved(trials(payload_sent_bytes=1, payload_received_bytes=1)),
        ]
    )
    assert list(found) == [("", "swarm", 2)]
    assert found["", "swarm", 2] == ["Link rates, repeat 1: a link was 5.00% off its configured rate"]
