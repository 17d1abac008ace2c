"""Burdens and sensitivities: golden numbers, and agreement with their definitions."""

import numpy as np
import pytest

from analysis.theory import burden
from analysis.theory.bounds import server_seconds, swarm_seconds


def burdens(clients, architecture):
    origin = burden.origin_burden(10.0, 1.0, clients, architecture)
    client = burden.client_burden(10.0, 1.0, clients, architecture)
    return np.array([origin] + [client] * clients)


@pytest.mark.parametrize("architecture", ["server", "swarm"])
def test_burdens_add_up_to_one_copy_for_each_client(architecture):
    assert burdens(30, architecture).sum() == pytest.approx(30)


def test_burdens_of_the_golden_swarm():
    assert burdens(30, "swarm")[:2] == pytest.approx([300 / 40, 30 / 40])
    assert burdens(30, "server")[:2].tolist() == [30, 0]


def test_golden_inequality_indices_of_thirty_clients():
    assert burden.gini(10.0, 1.0, 30, "server") == pytest.approx(0.968, abs=5e-4)
    assert burden.gini(10.0, 1.0, 30, "swarm") == pytest.approx(0.218, abs=5e-4)
    assert burden.jain(10.0, 1.0, 30, "swarm") == pytest.approx(0.397, abs=5e-4)


@pytest.mark.parametrize("architecture", ["server", "swarm"])
@pytest.mark.parametrize("clients", [1, 5, 30])
def test_indices_equal_their_definitions_on_the_burdens(clients, architecture):
    values = burdens(clients, architecture)
    differences = np.abs(values[:, np.newaxis] - values).mean()
    gini = burden.gini(10.0, 1.0, clients, architecture)
    assert gini == pytest.approx(differences / (2 * values.mean()))
    jain = burden.jain(10.0, 1.0, clients, architecture)
    assert jain == pytest.approx(values.sum() ** 2 / (len(values) * (values**2).sum()))


def test_golden_elasticities():
    clients = np.array([30, 1000])
    assert burden.server_elasticity(10.0, 1.0, clients, "server").tolist() == [-1, -1]
    swarm = burden.server_elasticity(10.0, 1.0, clients, "swarm")
    assert swarm == pytest.approx([-0.25, -0.0099], abs=5e-5)


def test_golden_upgrades_of_the_origin():
    clients = np.array([[30], [1000]])
    factors = np.array([2, 10])
    server = burden.upgrade_ratio(10.0, 1.0, clients, factors, "server")
    swarm = burden.upgrade_ratio(10.0, 1.0, clients, factors, "swarm")
    assert server == pytest.approx(np.array([[0.50, 0.10]] * 2))
    assert swarm == pytest.approx(np.array([[0.80, 0.308], [0.990, 0.918]]), abs=5e-4)


def test_exponent_is_the_slope_of_the_bounds():
    step = 1e-6

    def slope(seconds, *rates: float):
        around = np.log(seconds(1.0, *rates, 30 * np.array([1 - step, 1 + step])))
        return (around[1] - around[0]) / (2 * step)

    exponent = burden.scaling_exponent(10.0, 1.0, 30, "server")
    assert exponent == pytest.approx(slope(server_seconds, 10.0, 10.0))
    exponent = burden.scaling_exponent(10.0, 1.0, 30, "swarm")
    assert exponent == pytest.approx(slope(swarm_seconds, 10.0, 1.0, 10.0), rel=1e-4)


def test_offload_grows_with_the_share_that_uploads_and_has_a_ceiling():
    assert burden.offload(10.0, 1.0, 30) == pytest.approx(0.75)
    assert burden.offload(10.0, 1.0, 30, 0.5) == pytest.approx(15 / 25)
    assert burden.offload(10.0, 1.0, 30, 0.0) == 0
    assert burden.most_offload(4) == 0.75
