import numpy as np
import pandas as pd
import pytest

from analysis import checks
from analysis.checks import State
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
            "completion_seconds": finished,
            "verified": verified,
        }
        for place, finished in enumerate(done, start=1)
    ]
    return pd.DataFrame(rows)


def population(times, counts):
    return pd.DataFrame(
        [TRIAL | {"at_seconds": at, "downloading": n} for at, n in zip(times, counts, strict=True)]
    )


SPAN = {"first_join_seconds": 0.0, "last_completion_seconds": 2.0}


def test_one_lost_byte_breaks_conservation():
    kept = checks.bytes_conserved(trials(payload_sent_bytes=100, payload_received_bytes=100))
    assert kept.state is State.OK
    lost = checks.bytes_conserved(trials(payload_sent_bytes=100, payload_received_bytes=99))
    assert lost.state is State.FAILED
    assert "100 B sent, 99 B received" in lost.detail


def test_wrong_file_fails_verification():
    assert checks.all_verified(clients(1.0, 2.0)).state is State.OK
    assert checks.all_verified(clients(1.0, 2.0, verified=False)).state is State.FAILED


def test_makespan_below_what_bursts_permit_is_impossible():
    bound = by_trial(least_possible_seconds=1.23)
    assert checks.above_bound(by_trial(makespan_seconds=1.23), bound).state is State.OK
    assert checks.above_bound(by_trial(makespan_seconds=1.229), bound).state is State.FAILED


def test_failed_trial_is_not_compared_with_its_bound():
    found = checks.above_bound(by_trial(makespan_seconds=NAN), by_trial(least_possible_seconds=1.0))
    assert found.state is State.NOT_EXERCISED


def test_sampled_population_that_agrees_passes():
    times = np.arange(0, 2.01, 0.05)
    counts = [2 if at < 1 else 1 for at in times]
    found = checks.littles_law(
        clients(1.0, 2.0), population(times, counts), by_trial(**SPAN), "live"
    )
    assert found.state is State.OK


@pytest.mark.parametrize(("world", "state"), [("live", State.OK), ("simulated", State.FAILED)])
def test_tolerance_of_littles_law_depends_on_the_world(world, state):
    times = np.linspace(0, 2, 401)
    counts = [2 if at < 1.1 else 1 for at in times]
    found = checks.littles_law(
        clients(1.0, 2.0), population(times, counts), by_trial(**SPAN), world
    )
    assert found.state is state


def test_population_that_contradicts_the_times_fails():
    times = np.linspace(0, 2, 41)
    found = checks.littles_law(
        clients(1.0, 2.0), population(times, [2] * 41), by_trial(**SPAN), "live"
    )
    assert found.state is State.FAILED


def test_too_few_samples_are_not_a_passed_check():
    found = checks.littles_law(
        clients(1.0, 2.0), population([0.5, 1.5], [2, 1]), by_trial(**SPAN), "live"
    )
    assert found.state is State.NOT_EXERCISED


def test_flash_crowd_that_ends_together_has_an_exact_area():
    times = np.arange(0.03, 1.95, 0.1)
    assert checks.population_area(times, np.full(len(times), 4.0), 0.0, 2.0) == pytest.approx(8.0)


@pytest.mark.parametrize(("share", "state"), [(0.79, State.OK), (0.8, State.FAILED)])
def test_process_must_stay_below_eighty_per_cent_of_a_core(share, state):
    busy = by_trial(busy=share)["busy"]
    assert checks.not_busy("Load generator", "it", busy, trials()).state is state


def test_process_without_samples_is_not_exercised():
    found = checks.not_busy("Load generator", "it", by_trial(busy=NAN)["busy"], trials())
    assert found.state is State.NOT_EXERCISED


@pytest.mark.parametrize(
    ("error", "state"),
    [(0.01, State.OK), (0.0101, State.FAILED), (NAN, State.NOT_EXERCISED)],
)
def test_link_rates_must_be_within_one_per_cent(error, state):
    assert checks.link_rates(trials(link_rate_error_max=error)).state is state


def test_failures_become_warnings_of_their_point():
    found = checks.warnings_by_point(
        [
            checks.link_rates(trials(link_rate_error_max=0.05)),
            checks.bytes_conserved(trials(payload_sent_bytes=1, payload_received_bytes=1)),
        ]
    )
    assert list(found) == [("", "swarm", 2)]
    assert found["", "swarm", 2] == [
        "Link rates, repeat 1: a link was 5.00% off its configured rate"
    ]
