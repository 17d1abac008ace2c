"""[links] of a scenario: equal lines, classes of clients, distances, loss."""

import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed import scenario as scenarios
from testbed.errors import ScenarioError
from testbed.links import ClientClass, Links, loss_limited_rate

HEAD = """\
[scenario]
name = "small"
clients = [2]
file_size = "1 MiB"

"""

UNEQUAL = """\
[links]
origin_uplink = "100 kB/s"
client_downlink = "400 kB/s"
latency = "10 ms"

[[links.classes]]
name = "slow"
share = 13
client_uplink = "20 kB/s"

[[links.classes]]
name = "middle"
share = 14
client_uplink = "50 kB/s"
client_downlink = "100 kB/s"

[[links.classes]]
name = "fast"
share = 13
client_uplink = "200 kB/s"
latency = "1 ms"
loss = "0.1 %"

[[links.pairs]]
between = ["slow", "origin"]
latency = "150 ms"
"""


def read(tmp_path, text):
    path = tmp_path / "small.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return scenarios.load(path)


def one_class(name, share):
    return ClientClass(
        name=name,
        share=share,
        uplink_bytes_per_second=1.0,
        downlink_bytes_per_second=1.0,
        latency_seconds=0.0,
    )


def test_all_clients_are_alike_unless_the_scenario_says_otherwise():
    links = Links(client_uplink_bytes_per_second=5.0)
    assert {one.uplink_bytes_per_second for one in links.classes_of(3)} == {5.0}
    assert links.latency_between("client", "origin") is None


def test_a_class_takes_from_links_what_it_does_not_name(tmp_path):
    slow, middle, fast = read(tmp_path, UNEQUAL).links.client_classes
    assert (slow.downlink_bytes_per_second, middle.downlink_bytes_per_second) == (400e3, 100e3)
    assert (slow.latency_seconds, fast.latency_seconds) == (0.010, 0.001)
    assert (slow.loss_fraction, fast.loss_fraction) == (0.0, 0.001)


def test_forty_clients_are_divided_as_the_shares_say(tmp_path):
    of_each = Counter(one.name for one in read(tmp_path, UNEQUAL).links.classes_of(40))
    assert of_each == {"slow": 13, "middle": 14, "fast": 13}


def test_links_with_classes_speak_of_the_mean_client(tmp_path):
    links = read(tmp_path, UNEQUAL).links
    assert links.client_uplink_bytes_per_second == (13 * 20e3 + 14 * 50e3 + 13 * 200e3) / 40


def test_a_pair_of_classes_has_its_delay_in_both_directions(tmp_path):
    links = read(tmp_path, UNEQUAL).links
    assert links.latency_between("slow", "origin") == links.latency_between("origin", "slow") == 0.15
    assert links.latency_between("slow", "fast") is None
    assert links.longest_latency_seconds == 0.15


def test_links_come_back_from_what_a_run_records_of_them(tmp_path):
    scenario = read(tmp_path, UNEQUAL)
    recorded = json.loads(json.dumps(scenario.to_dict(), allow_nan=False))
    assert scenarios.from_dict(recorded) == scenario


@given(shares=st.lists(st.integers(1, 20), min_size=1, max_size=6), rounds=st.integers(1, 4))
def test_clients_are_divided_exactly_each_time_the_shares_are_full(shares, rounds):
    links = Links(classes=tuple(one_class(str(n), share) for n, share in enumerate(shares)))
    names = [one.name for one in links.classes_of(rounds * sum(shares))]
    for full in range(1, rounds + 1):
        of_each = Counter(names[: full * sum(shares)])
        assert of_each == {str(n): full * share for n, share in enumerate(shares)}


def test_loss_limits_a_connection_as_mathis_and_others_found():
    # 1460 bytes, 100 ms, 1 %: 1460 / 0.1 * sqrt(150) = 178.8 kB/s.
    assert loss_limited_rate(0.01, 0.1) == pytest.approx(178_812, rel=1e-5)
    assert loss_limited_rate(0.04, 0.1) == pytest.approx(178_812 / 2, rel=1e-5)
    assert math.isinf(loss_limited_rate(0.0, 0.1))
    assert math.isinf(loss_limited_rate(0.01, 0.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[links]\nclasses = 3", r"\[links\] classes: expected tables \[\[links.classes\]\]"),
        ("[[links.classes]]\nshare = 1", r"\[links.classes\] name: expected a text"),
        ('[[links.classes]]\nname = "origin"', "each name once, and none 'origin'"),
        ('[[links.classes]]\nname = "a"\n[[links.classes]]\nname = "a"', "expected each name once"),
        ('[[links.classes]]\nname = "a"\nshare = 0', "share: expected a whole number of at least 1"),
        ('[[links.classes]]\nname = "a"\ncolour = "red"', "colour: unknown key"),
        ('[[links.classes]]\nname = "a"\nclient_uplink = 5', "client_uplink: expected a rate"),
        ('[[links.pairs]]\nbetween = ["client"]\nlatency = "1 s"', "expected two of origin, client"),
        ('[[links.pairs]]\nbetween = ["client", "x"]\nlatency = "1 s"', "not 'x'"),
        ('[[links.pairs]]\nbetween = ["client", "origin"]', "latency: expected a duration"),
        ('[links]\nloss = "60 %"', "loss: expected less than 50 %"),
        ("[links]\nloss = 0.01", "loss: expected a part such as"),
    ],
)
def test_links_that_cannot_be_are_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(ScenarioError, match=message) as refused:
        read(tmp_path, text)
    assert "\n" not in str(refused.value)
