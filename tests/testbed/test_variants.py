"""[[variants]] of a scenario: the same question under other settings."""

import json

import pytest

from testbed import scenario as scenarios
from testbed.errors import ScenarioError
from testbed.thresholds import Threshold
from testbed.variants import folder_name

SMALL = """\
[scenario]
name = "small"
clients = [2]
file_size = "1 MiB"

[links]
origin_uplink = "1 MB/s"
"""

VARIANTS = """
[[variants]]
name = "us"

[[variants]]
name = "us x 2"
"links.origin_uplink" = "2 MB/s"
"peers.neighbours" = 8

[variants.against_first]
server_makespan_seconds = { at_least = 0.49, at_most = 0.51 }
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL + VARIANTS, encoding="utf-8")
    return path


def test_a_scenario_is_read_once_for_each_variant(path):
    first, second = scenarios.load_variants(path)
    assert (first.variant, second.variant) == ("us", "us x 2")
    assert first.links.origin_uplink_bytes_per_second == 1e6
    assert second.links.origin_uplink_bytes_per_second == 2e6
    assert (first.tables["peers"], second.tables["peers"]) == ({}, {"neighbours": 8})
    assert first.name == second.name == "small"


def test_a_variant_says_what_its_ratios_to_the_first_must_be(path):
    first, second = scenarios.load_variants(path)
    assert first.against_first == ()
    assert second.against_first == (
        Threshold(metric="server_makespan_seconds", at_least=0.49, at_most=0.51),
    )


def test_a_variant_may_be_held_against_another_than_the_first_and_by_a_difference(path):
    text = (
        VARIANTS
        + """
[[variants]]
name = "us x 2, later"
[variants.against."us x 2"]
server_makespan_seconds = { at_most = 0.1, difference = true }
"""
    )
    path.write_text(SMALL + text, encoding="utf-8")
    third = scenarios.load_variants(path)[2]
    assert third.against_first == (
        Threshold(metric="server_makespan_seconds", at_most=0.1, difference=True, against="us x 2"),
    )
    recorded = json.loads(json.dumps(third.to_dict(), allow_nan=False))
    assert scenarios.from_dict(recorded) == third


def test_the_command_line_replaces_what_a_variant_sets(path):
    _, second = scenarios.load_variants(path, {"links.origin_uplink": "9 MB/s"})
    assert second.links.origin_uplink_bytes_per_second == 9e6


def test_without_variants_there_is_the_scenario_itself(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    assert scenarios.load_variants(path) == (scenarios.load(path),)


def test_what_variants_have_in_common_is_read_without_them(path):
    assert scenarios.load(path).variant == ""


def test_a_variant_comes_back_from_what_a_run_records_of_it(path):
    for scenario in scenarios.load_variants(path):
        recorded = json.loads(json.dumps(scenario.to_dict(), allow_nan=False))
        assert scenarios.from_dict(recorded) == scenario


def test_a_variants_folder_is_named_in_letters_that_every_shell_takes():
    assert folder_name("us * 10") == "us-10"
    assert folder_name("RTT 0.4 s / loss") == "RTT-0.4-s-loss"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[variants]\nname = 'x'", r"expected tables \[\[variants\]\]"),
        ("[[variants]]", r"\[variants\] name: expected a text"),
        ("[[variants]]\nname = 'a b'\n[[variants]]\nname = 'a-b'", "names that differ"),
        ("[[variants]]\nname = '/'", "names that differ"),
        ("[[variants]]\nname = 'a'\nlatency = '1 s'", "latency: expected table.key"),
        ("[[variants]]\nname = 'a'\n'links.latency' = 1", r"\[links\] latency: expected a duration"),
        ("[[variants]]\nname = 'a'\nagainst_first.server_x = { at_least = 1 }", "the first has none"),
        ("[[variants]]\nname = 'a'\nagainst = 'b'", r"against: expected tables \[variants.against"),
        (
            "[[variants]]\nname = 'a'\nagainst.b.server_x = { at_least = 1 }",
            "expected the name of a variant before it, not 'b'",
        ),
        (
            "[thresholds]\nserver_x = { at_least = 1, difference = true }\n[[variants]]\nname = 'a'",
            r"\[thresholds.server_x\] difference: unknown key",
        ),
    ],
)
def test_variants_that_cannot_be_are_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "small.toml"
    path.write_text(SMALL + text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=message) as refused:
        scenarios.load_variants(path)
    assert "\n" not in str(refused.value)
