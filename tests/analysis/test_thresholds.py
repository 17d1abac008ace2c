from types import SimpleNamespace

from analysis.thresholds import judge, unknown_metrics
from testbed.thresholds import Threshold


def point(architecture, clients, efficiency):
    return SimpleNamespace(architecture=architecture, clients=clients, efficiency=efficiency, offload=0)


POINTS = [
    point("server", 1, 0.96),
    point("server", 8, 0.99),
    point("swarm", 1, 0.70),
    point("swarm", 8, 0.85),
    point("swarm", 16, 0.78),
]


def judged(metric="swarm_efficiency", **limits: object):
    return judge(Threshold(metric=metric, **limits), POINTS)


def test_threshold_that_holds_at_every_n_is_met():
    found = judged("server_efficiency", at_least=0.95)
    assert found.met is True
    assert found.mark == "✓"
    assert "0.960 at N = 1" in found.detail


def test_threshold_that_fails_at_one_n_is_missed_there():
    found = judged(at_least=0.80, from_clients=8)
    assert found.met is False
    assert found.mark == "✗"
    assert "0.780 at N = 16" in found.detail
    assert "1 of 2" in found.detail


def test_threshold_speaks_only_of_its_clients_and_architecture():
    assert judged(at_least=0.75, from_clients=8).met is True


def test_threshold_of_what_was_not_measured_is_neither_met_nor_missed():
    found = judged(at_least=0.8, from_clients=64)
    assert found.met is None
    assert found.mark == "—"


def test_upper_limit():
    assert judged("server_efficiency", at_most=0.98).met is False


def test_threshold_can_end_at_some_n():
    assert judged(at_least=0.8, from_clients=8, to_clients=8).met is True


def test_text_names_limit_and_reach():
    assert judged(at_least=0.8, from_clients=8).text == "swarm efficiency at least 0.800 from N = 8"
    assert judged("server_offload", at_most=0.5).text == "server offload at most 0.500 at every N"


def test_unknown_metric_can_be_found_before_a_run_and_never_passes():
    odd = Threshold(metric="swarm_elegance", at_least=1)
    assert unknown_metrics([odd, Threshold(metric="server_gini", at_most=1)]) == ["swarm_elegance"]
    assert judge(odd, POINTS).met is False
