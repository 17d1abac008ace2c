"""The bounds give the textbook's numbers, and bursts loosen them by exactly what they permit."""

import numpy as np
import pytest

from analysis.theory import server_seconds, store_and_forward_seconds, swarm_seconds

HOUR = 3600.0
MEGABIT = 1e6 / 8
EXERCISE_BYTES = 15e9 / 8
EXERCISE_CLIENTS = np.array([10, 100, 1000])


def test_server_curve_of_the_textbook_figure():
    clients = np.arange(5, 36, 5)
    hours = server_seconds(HOUR, 10.0, 10.0, clients) / HOUR
    assert hours == pytest.approx([0.5, 1, 1.5, 2, 2.5, 3, 3.5])


def test_swarm_curve_of_the_textbook_figure():
    clients = np.arange(5, 36, 5)
    hours = swarm_seconds(HOUR, 10.0, 1.0, 10.0, clients) / HOUR
    assert hours == pytest.approx([0.333, 0.5, 0.6, 0.667, 0.714, 0.75, 0.778], abs=6e-4)


def test_server_of_the_textbook_exercise():
    seconds = server_seconds(EXERCISE_BYTES, 30 * MEGABIT, 2 * MEGABIT, EXERCISE_CLIENTS)
    assert list(seconds) == [7500, 50_000, 500_000]


@pytest.mark.parametrize(
    ("uplink_megabits", "expected"),
    [(0.5, [7500, 18750, 28302]), (1, [7500, 11538.5, 14563]), (2, [7500, 7500, 7500])],
)
def test_swarm_of_the_textbook_exercise(uplink_megabits, expected):
    seconds = swarm_seconds(
        EXERCISE_BYTES,
        30 * MEGABIT,
        uplink_megabits * MEGABIT,
        2 * MEGABIT,
        EXERCISE_CLIENTS,
    )
    assert seconds == pytest.approx(expected, abs=0.5)


def test_store_and_forward_passes_one_upload_time_at_367_clients():
    clients = np.arange(1, 1000)
    seconds = store_and_forward_seconds(1.0, 10.0, 1.0, clients, 100)
    assert clients[seconds > 1.0][0] == 367


def test_store_and_forward_nears_the_fluid_term_as_pieces_become_many():
    fluid = swarm_seconds(1.0, 10.0, 1.0, np.inf, 100)
    assert store_and_forward_seconds(1.0, 10.0, 1.0, 100, 1e12) == pytest.approx(fluid)
    assert store_and_forward_seconds(1.0, 10.0, 1.0, 100, 100) > fluid


def test_store_and_forward_with_idle_clients_is_the_origin_alone():
    alone = server_seconds(1.0, 10.0, np.inf, 5)
    assert store_and_forward_seconds(1.0, 10.0, 0.0, 5, 100) == alone
    assert store_and_forward_seconds(1.0, 10.0, 1e-9, 5, 100) == pytest.approx(alone)


def test_scalars_give_floats_and_arrays_broadcast():
    assert type(server_seconds(1, 1, 1, 1)) is float
    assert type(swarm_seconds(1, 1, 1, 1, 1)) is float
    assert type(store_and_forward_seconds(1, 1, 1, 1, 1)) is float
    uplinks = np.array([[1.0], [2.0]])
    assert np.shape(swarm_seconds(1.0, 10.0, uplinks, 5.0, np.arange(1, 4))) == (2, 3)


def test_infinite_rates_never_bind():
    assert server_seconds(1.0, np.inf, np.inf, 10) == 0
    assert swarm_seconds(1.0, 2.0, np.inf, np.inf, 10) == 0.5
    assert swarm_seconds(1.0, np.inf, 1.0, 4.0, 10) == 0.25
    assert store_and_forward_seconds(1.0, np.inf, np.inf, 10, 10) == 0


def test_a_dead_origin_never_finishes():
    assert server_seconds(1.0, 0.0, 1.0, 1) == np.inf
    assert swarm_seconds(1.0, 0.0, 1.0, 1.0, 1) == np.inf
    assert store_and_forward_seconds(1.0, 0.0, 1.0, 1, 10) == np.inf


def test_bursts_come_off_each_fluid_term_in_bytes():
    file, origin, uplink, downlink, clients, burst = 1000.0, 100.0, 10.0, 20.0, 30, 0.5
    assert server_seconds(file, origin, 1e9, clients, burst) == pytest.approx(
        (clients * file - origin * burst) / origin
    )
    assert server_seconds(file, 1e9, downlink, clients, burst) == pytest.approx(
        (file - downlink * burst) / downlink
    )
    total = origin + clients * uplink
    assert swarm_seconds(file, origin, uplink, 1e9, clients, burst) == pytest.approx(
        (clients * file - total * burst) / total
    )


def test_bounds_stay_at_zero_when_the_bursts_carry_everything():
    assert server_seconds(10.0, 100.0, 100.0, 1, burst_seconds=9.0) == 0
    assert swarm_seconds(10.0, 100.0, 100.0, 100.0, 1, burst_seconds=9.0) == 0
    assert store_and_forward_seconds(10.0, 100.0, 100.0, 1, 10, burst_seconds=9.0) == 0


def test_bursts_loosen_store_and_forward_smoothly_from_the_plain_bound_to_the_fluid_one():
    bursts = np.linspace(0.0, 0.02, 2001)
    seconds = np.asarray(store_and_forward_seconds(1.0, 10.0, 1.0, 100, 100, bursts))
    assert seconds[0] == store_and_forward_seconds(1.0, 10.0, 1.0, 100, 100)
    steps = np.diff(seconds)
    assert np.all(steps < 0)
    assert np.min(steps) > -6e-5  # No jump where the case changes, at u b = p.
    assert seconds[-1] == pytest.approx(100 / 110 - 0.02)


def test_bursty_growth_solves_its_integral_equation():
    """Euler steps of B' = (us + u B/p)/(1 - u b/p) from B(0) reach N p at the closed form's t1."""
    origin, uplink, clients, piece, burst = 2.0, 1.0, 40, 0.01, 0.004
    spent = 1 - uplink * burst / piece
    received, now, step = origin * burst / spent, 0.0, 1e-6
    while received < clients * piece:
        received += step * (origin + uplink * received / piece) / spent
        now += step
    rest = clients * (1.0 - piece) / (origin + clients * uplink)
    bound = store_and_forward_seconds(1.0, origin, uplink, clients, 100, burst)
    assert bound == pytest.approx(now + rest, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((-1.0, 1.0, 1.0, 1), "file_bytes"),
        ((1.0, -1.0, 1.0, 1), "origin_uplink"),
        ((1.0, 1.0, float("nan"), 1), "client_downlink"),
        ((1.0, 1.0, 1.0, 0), "clients"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        server_seconds(*arguments)
