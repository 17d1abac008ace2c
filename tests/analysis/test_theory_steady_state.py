"""Qiu and Srikant's model: the closed form, the equations' rest, and independence of arrivals."""

import numpy as np
import pytest

from analysis.theory.steady_state import (
    OpenSwarm,
    completion_rate,
    equilibrium,
    mean_download_seconds,
    trajectory,
)


def swarm(**changes: float):
    settings = {
        "arrivals_per_second": 0.04,
        "download_files_per_second": 0.002,
        "upload_files_per_second": 0.00125,
        "abort_rate": 0.001,
        "seed_leave_rate": 0.005,
    }
    return OpenSwarm(**settings | changes)


def test_mean_download_times_of_the_paper():
    leaves = np.array([0.001, 0.005])
    seconds = mean_download_seconds(0.002, 0.00125, 0.001, leaves)
    assert seconds == pytest.approx([333.3, 375.0], abs=0.05)


@pytest.mark.parametrize("leaves", [0.001, 0.005])
@pytest.mark.parametrize("arrivals", [0.04, 0.4, 4.0])
def test_the_equations_come_to_rest_at_the_closed_form(leaves, arrivals):
    model = swarm(arrivals_per_second=arrivals, seed_leave_rate=leaves)
    downloaders, seeds = equilibrium(model)
    course = trajectory(model, 40_000, downloaders=0, seeds=1)
    assert course.downloaders[-1] == pytest.approx(downloaders, rel=1e-3)
    assert course.seeds[-1] == pytest.approx(seeds, rel=1e-3)
    # Little's law: the mean time is the population over the arrivals, whatever those are.
    seconds = mean_download_seconds(0.002, 0.00125, 0.001, leaves)
    assert course.downloaders[-1] / arrivals == pytest.approx(seconds, rel=1e-3)


def test_the_equations_stay_at_their_rest():
    downloaders, seeds = equilibrium(swarm())
    course = trajectory(swarm(), 1000, downloaders=downloaders, seeds=seeds)
    assert course.downloaders == pytest.approx(np.full(201, downloaders), rel=1e-6)
    assert course.seeds == pytest.approx(np.full(201, seeds), rel=1e-6)


def test_peers_are_conserved_when_nobody_leaves_soon():
    model = swarm(abort_rate=0.0, seed_leave_rate=1e-12)
    course = trajectory(model, 500, downloaders=2, seeds=3)
    everyone = course.downloaders + course.seeds
    assert everyone == pytest.approx(5 + model.arrivals_per_second * course.seconds, rel=1e-6)


def test_downlink_binds_when_seeds_stay_long():
    assert completion_rate(0.002, 0.00125, 0.001) == 0.002


def test_effectiveness_divides_the_upload_bound_time():
    whole = completion_rate(1.0, 0.00125, 0.005)
    assert completion_rate(1.0, 0.00125, 0.005, 0.5) == pytest.approx(whole / 2)


def test_leaving_at_completion_is_an_infinite_rate():
    assert mean_download_seconds(0.002, 0.00125, 0.0, np.inf) == pytest.approx(800)


def test_unbound_downlinks_and_patient_seeds_make_downloads_instant():
    model = swarm(download_files_per_second=np.inf, seed_leave_rate=0.001)
    assert completion_rate(np.inf, 0.00125, 0.001) == np.inf
    assert equilibrium(model) == (0.0, 40.0)


def test_parameters_out_of_range_are_named():
    with pytest.raises(ValueError, match="effectiveness"):
        swarm(effectiveness=1.5)
    with pytest.raises(ValueError, match="arrivals_per_second"):
        swarm(arrivals_per_second=0)
    with pytest.raises(ValueError, match="finite"):
        trajectory(swarm(seed_leave_rate=np.inf), 10, downloaders=0, seeds=0)
