"""Scenario files: read strictly, whole, and back from what a run records of them."""

import dataclasses
import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed import scenario as scenarios
from testbed.errors import ScenarioError, SchemaError
from testbed.links import Links
from testbed.scenario import PLACEMENTS, Scenario
from testbed.thresholds import Threshold

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "scenarios").glob("*.toml"))
MIB = 1024 * 1024

SMALL = """\
[scenario]
name = "small"
clients = [2, 1]
file_size = "1 MiB"
"""


def write(folder, text=SMALL):
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


def changed(line, *, table="scenario"):
    """The small scenario with one more line, or another line in place of the one of that key."""
    key = line.partition("=")[0].strip()
    kept = [old for old in SMALL.splitlines() if old.partition("=")[0].strip() != key]
    if table == "scenario":
        return "\n".join([*kept, line])
    return "\n".join([*kept, f"[{table}]", line])


# --- What is shipped ------------------------------------------------------------------------


def test_the_default_scenario_is_the_one_that_was_promised():
    scenario = scenarios.load(ROOT / "scenarios" / "flash_crowd.toml")
    assert scenario.name == "flash_crowd"
    assert scenario.question == "From how many clients does the swarm beat the server?"
    assert scenario.clients == (1, 2, 4, 6, 8, 16, 32)
    assert (scenario.repeats, scenario.seed) == (3, 7)
    assert (scenario.file_bytes, scenario.file) == (2_621_440, None)
    assert (scenario.arrivals, scenario.departures) == ("flash crowd", "after the last")
    assert scenario.trial_limit_seconds == 60
    assert scenario.placements == ("origin apart",)
    assert scenario.links == Links(
        origin_uplink_bytes_per_second=8 * MIB,
        origin_downlink_bytes_per_second=8 * MIB,
        client_uplink_bytes_per_second=1 * MIB,
        client_downlink_bytes_per_second=2 * MIB,
        latency_seconds=0,
        burst_seconds=0.02,
    )
    assert scenario.tables == {
        "servers": {"sharing": "fair"},
        "peers": {
            "piece_length": "32 KiB",
            "neighbours": 20,
            "picking": "rarest first",
            "serving": "rotating grants",
        },
    }
    assert scenario.thresholds == (
        Threshold(metric="server_efficiency", at_least=0.95),
        Threshold(metric="swarm_efficiency", at_least=0.80, from_clients=8),
    )


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_scenario_is_complete(path):
    scenario = scenarios.load(path)
    assert scenario.name == path.stem
    assert scenario.question.endswith("?")
    variants = scenarios.load_variants(path)
    assert any(one.thresholds or one.against_first for one in variants)
    # A placement without a repeat would never be tested.
    assert len(scenario.placements) <= scenario.repeats


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_scenario_fits_a_small_machine(path):
    scenario = scenarios.load(path)
    if "live" not in scenario.worlds:
        return
    links = scenario.links
    most = max(scenario.clients)
    # Together the links carry what the clients can upload, at most; a small machine moves 42 MB/s.
    uploads = links.origin_uplink_bytes_per_second + most * links.client_uplink_bytes_per_second
    downloads = most * links.client_downlink_bytes_per_second
    assert min(uploads, downloads) <= 42 * MIB
    server_seconds = most * scenario.file_bytes / links.origin_uplink_bytes_per_second
    assert server_seconds < scenario.trial_limit_seconds


def test_the_textbook_scenario_has_the_textbooks_ratios():
    scenario = scenarios.load(ROOT / "scenarios" / "textbook.toml")
    links = scenario.links
    uplink = links.client_uplink_bytes_per_second
    assert scenario.clients == (5, 10, 15, 20, 25, 30, 35)
    assert links.origin_uplink_bytes_per_second == 10 * uplink
    assert links.client_downlink_bytes_per_second >= links.origin_uplink_bytes_per_second
    assert scenario.file_bytes / uplink == 2.0


def test_the_processes_scenario_gives_each_placement_a_repeat():
    scenario = scenarios.load(ROOT / "scenarios" / "processes.toml")
    assert [scenario.placement(repeat) for repeat in range(3)] == list(PLACEMENTS)


# --- What is read ---------------------------------------------------------------------------


def test_what_a_file_does_not_say_has_a_default(tmp_path):
    scenario = scenarios.load(write(tmp_path))
    assert scenario.clients == (1, 2)
    assert scenario.repeats == 3
    assert scenario.links == Links()
    assert scenario.links.client_uplink_bytes_per_second == math.inf
    assert scenario.tables == {"servers": {}, "peers": {}}


def test_a_rate_may_be_unlimited(tmp_path):
    text = changed('client_uplink = "unlimited"', table="links")
    assert scenarios.load(write(tmp_path, text)).links.client_uplink_bytes_per_second == math.inf


def test_placements_are_given_to_the_repeats_in_turn(tmp_path):
    text = changed('placement = ["together", "one each"]')
    scenario = scenarios.load(write(tmp_path, text))
    assert [scenario.placement(repeat) for repeat in range(3)] == [
        "together",
        "one each",
        "together",
    ]


def test_a_relative_file_lies_beside_its_scenario(tmp_path):
    text = SMALL.replace('file_size = "1 MiB"', 'file = "data/image.iso"')
    scenario = scenarios.load(write(tmp_path, text))
    assert scenario.file == str(tmp_path / "data" / "image.iso")
    assert scenario.file_bytes is None


def test_a_threshold_names_its_architecture(tmp_path):
    text = changed(
        "swarm_gini = { at_most = 0.3, from_clients = 2, to_clients = 8 }", table="thresholds"
    )
    (threshold,) = scenarios.load(write(tmp_path, text)).thresholds
    assert threshold == Threshold(metric="swarm_gini", at_most=0.3, from_clients=2, to_clients=8)
    assert threshold.architecture == "swarm"


# --- What is refused ------------------------------------------------------------------------


REFUSED = [
    ("scenario", "clients = []", "[scenario] clients: expected a list such as"),
    ("scenario", "clients = 4", "[scenario] clients: expected a list such as"),
    ("scenario", "clients = [0, 1]", "[scenario] clients: expected 1 to "),
    ("scenario", "clients = [-1]", "[scenario] clients: expected 1 to "),
    ("scenario", "clients = [1.5]", "[scenario] clients: expected whole numbers, not 1.5"),
    ("scenario", "clients = [true]", "[scenario] clients: expected whole numbers, not True"),
    ("scenario", "clients = [2, 1, 2]", "[scenario] clients: expected each number once"),
    ("scenario", "clients = [1000000000]", "[scenario] clients: expected 1 to "),
    ("scenario", "repeats = 0", "[scenario] repeats: expected a whole number of at least 1"),
    ("scenario", "repeats = true", "[scenario] repeats: expected a whole number"),
    ("scenario", "repeats = 10001", "[scenario] repeats: expected a whole number of at most 10,000"),
    ("scenario", "seed = 9223372036854775808", "[scenario] seed: expected a whole number of at most"),
    ("scenario", '"a\\nb" = 5', r"[scenario] 'a\nb': unknown key"),
    ("thresholds", '"a\\nb" = 5', r"[thresholds] 'a\nb': expected a name that begins"),
    ("thresholds", f"swarm_gini = {{ at_most = 1{'0' * 400} }}", "at_most: expected a number of at"),
    ("scenario", "seed = -1", "[scenario] seed: expected a whole number of at least 0"),
    ("scenario", "file_size = 5", "[scenario] file_size: expected a size"),
    ("scenario", 'file_size = "5"', "[scenario] file_size: expected a size"),
    ("scenario", 'file_size = "0 B"', "[scenario] file_size: expected more than zero"),
    ("scenario", 'file = "x"', "[scenario] file_size: expected either file_size or file"),
    ("scenario", "file = 5", "[scenario] file: expected a path, not 5"),
    ("scenario", 'trial_limit = "0 s"', "[scenario] trial_limit: expected more than zero"),
    ("scenario", 'arrivals = "rush"', '[scenario] arrivals: expected "flash crowd"'),
    ("scenario", 'arrivals = "every 0 s"', "[scenario] arrivals: expected a duration"),
    ("scenario", "arrivals = 5", "[scenario] arrivals: expected a text, not 5"),
    ("scenario", 'departures = "never"', '[scenario] departures: expected "after the last"'),
    ("scenario", 'placement = "apart"', "[scenario] placement: expected one or a list of"),
    ("scenario", "placement = []", "[scenario] placement: expected one or a list of"),
    ("scenario", "placement = [[]]", "[scenario] placement: expected one or a list of"),
    ("scenario", 'name = ""', "[scenario] name: expected a text"),
    ("scenario", 'name = "../x"', "[scenario] name: expected letters, digits"),
    ("scenario", 'name = "latest"', "[scenario] name: expected letters, digits"),
    ("scenario", "question = 5", "[scenario] question: expected a text, not 5"),
    ("scenario", "sede = 5", "[scenario] sede: unknown key; expected one of name, question"),
    ("links", 'client_uplnk = "1 B/s"', "[links] client_uplnk: unknown key; expected one of"),
    ("links", "client_uplink = 5", "[links] client_uplink: expected a rate"),
    ("links", 'client_uplink = "5 MiB"', "[links] client_uplink: expected a rate"),
    ("links", 'client_uplink = "0 B/s"', "[links] client_uplink: expected more than zero"),
    ("links", 'client_uplink = "-1 B/s"', "[links] client_uplink: expected a rate"),
    ("links", 'latency = "-1 ms"', "[links] latency: expected a duration"),
    ("links", 'burst = "20"', "[links] burst: expected a duration"),
    ("weather", "rain = true", "[weather]: unknown table; expected one of scenario, links"),
    ("thresholds", "gini = { at_most = 1 }", "[thresholds] gini: expected a name that begins"),
    ("thresholds", "swarm_gini = 1", "[thresholds] swarm_gini: expected { at_least"),
    ("thresholds", "swarm_gini = {}", "[thresholds.swarm_gini] at_least: expected at_least or"),
    ("thresholds", "swarm_gini = { at_most = nan }", "at_most: expected a finite number"),
    ("thresholds", 'swarm_gini = { at_most = "1" }', "at_most: expected a number, not '1'"),
    ("thresholds", "swarm_gini = { at_most = true }", "at_most: expected a number, not True"),
    ("thresholds", "swarm_gini = { at_most = 1, over = 2 }", "over: unknown key; expected one of"),
    (
        "thresholds",
        "swarm_gini = { at_most = 1, from_clients = 4, to_clients = 2 }",
        "to_clients: expected a whole number of at least 4, not 2",
    ),
]


@pytest.mark.parametrize(("table", "line", "message"), REFUSED, ids=[one[1] for one in REFUSED])
def test_a_wrong_value_is_refused_in_one_line_with_file_and_key(tmp_path, table, line, message):
    path = write(tmp_path, changed(line, table=table))
    with pytest.raises(ScenarioError, match=re.escape(message)) as refusal:
        scenarios.load(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("key", ["name", "clients"])
def test_a_key_that_must_be_there_is_said_to_be_missing(tmp_path, key):
    text = "\n".join(line for line in SMALL.splitlines() if not line.startswith(key))
    with pytest.raises(ScenarioError, match=rf"\[scenario\] {key}: .*this key is missing"):
        scenarios.load(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"\[scenario\]: expected this table, it is missing"),
        ("scenario = 5", r"scenario: expected a table \[scenario\]"),
        ("[scenario", "expected TOML: "),
        ("name = 'loose'", r"\[name\]: unknown table"),
        ('["a\\nb"]', r"\['a\\nb'\]: unknown table"),
        (f"seed = {'9' * 5000}", "expected TOML: "),
        (f"deep = {'[' * 5000}", "expected TOML: "),
    ],
)
def test_a_file_that_is_no_scenario_is_refused(tmp_path, text, message):
    with pytest.raises(ScenarioError, match=message):
        scenarios.load(write(tmp_path, text))


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match="absent: expected a scenario file, there is none"):
        scenarios.load(tmp_path / "absent")
    with pytest.raises(ScenarioError, match="expected a readable file: Is a directory"):
        scenarios.load(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="expected TOML: "):
        scenarios.load(tmp_path / "binary")
    with pytest.raises(ScenarioError, match="embedded null byte"):
        scenarios.load(Path("a\0b"))


# --- Overrides ------------------------------------------------------------------------------


def test_a_setting_replaces_a_key_or_adds_it(tmp_path):
    settings = scenarios.read_settings(
        [
            "links.client_uplink=2 MiB/s",
            'links.client_downlink = "4 MiB/s"',
            "peers.neighbours=8",
            "scenario.clients=[1, 3]",
            "scenario.arrivals=every 0.5 s",
            "thresholds.swarm_efficiency={ at_least = 0.5 }",
        ]
    )
    scenario = scenarios.load(write(tmp_path), settings)
    assert scenario.links.client_uplink_bytes_per_second == 2 * MIB
    assert scenario.links.client_downlink_bytes_per_second == 4 * MIB
    assert scenario.tables["peers"] == {"neighbours": 8}
    assert scenario.clients == (1, 3)
    assert scenario.arrivals == "every 0.5 s"
    assert scenario.thresholds == (Threshold(metric="swarm_efficiency", at_least=0.5),)


def test_a_file_takes_the_place_of_a_size_and_is_looked_for_from_here(tmp_path):
    scenario = scenarios.load(write(tmp_path), {"scenario.file": "here.bin"})
    assert (scenario.file, scenario.file_bytes) == ("here.bin", None)


def test_a_size_takes_the_place_of_a_file(tmp_path):
    text = SMALL.replace('file_size = "1 MiB"', 'file = "image.iso"')
    scenario = scenarios.load(write(tmp_path, text), {"scenario.file_size": "2 MiB"})
    assert (scenario.file, scenario.file_bytes) == (None, 2 * MIB)


def test_a_wrong_setting_is_refused_like_a_wrong_key(tmp_path):
    with pytest.raises(ScenarioError, match=r"\[links\] client_uplink: expected a rate"):
        scenarios.load(write(tmp_path), scenarios.read_settings(["links.client_uplink=2"]))
    with pytest.raises(ScenarioError, match=r"\[links\] uplink: unknown key"):
        scenarios.load(write(tmp_path), scenarios.read_settings(["links.uplink=2 MiB/s"]))


@pytest.mark.parametrize("dotted", ["uplink", "links.", ".uplink", "cables.uplink", ""])
def test_a_setting_without_a_known_table_is_refused(tmp_path, dotted):
    with pytest.raises(ScenarioError, match=r"expected table\.key, such as links\.client_uplink"):
        scenarios.load(write(tmp_path), {dotted: "2 MiB/s"})


def test_a_setting_without_a_value_is_refused():
    with pytest.raises(ScenarioError, match=r"expected table\.key=value"):
        scenarios.read_settings(["links.client_uplink"])


# --- To run.json and back -------------------------------------------------------------------

_rates = st.one_of(st.just(math.inf), st.floats(1, 1e12))
_counts = st.integers(1, 10**6)

_links = st.builds(
    Links,
    origin_uplink_bytes_per_second=_rates,
    origin_downlink_bytes_per_second=_rates,
    client_uplink_bytes_per_second=_rates,
    client_downlink_bytes_per_second=_rates,
    latency_seconds=st.floats(0, 10),
    burst_seconds=st.floats(0, 10),
)

_thresholds = st.builds(
    Threshold,
    metric=st.sampled_from(["server_efficiency", "swarm_gini"]),
    at_least=st.none() | st.floats(-1e6, 1e6),
    at_most=st.none() | st.floats(-1e6, 1e6),
    from_clients=_counts,
    to_clients=st.none() | _counts,
)

_tables = st.dictionaries(
    st.sampled_from(["servers", "peers"]),
    st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.integers())),
)

_scenarios = st.builds(
    Scenario,
    name=st.text(min_size=1),
    question=st.text(),
    clients=st.lists(_counts, min_size=1, unique=True).map(tuple),
    repeats=_counts,
    seed=st.integers(0, 2**63),
    file_bytes=st.none() | st.integers(1, 2**50),
    file=st.none() | st.text(min_size=1),
    arrivals=st.just("flash crowd"),
    departures=st.just("at completion"),
    trial_limit_seconds=st.floats(0.1, 1e6),
    placements=st.lists(st.sampled_from(PLACEMENTS), min_size=1).map(tuple),
    links=_links,
    tables=_tables,
    thresholds=st.lists(_thresholds, max_size=3).map(tuple),
    source=st.text(),
)


@given(_scenarios)
def test_a_scenario_comes_back_from_run_json_as_it_was(scenario):
    text = json.dumps(scenario.to_dict(), allow_nan=False)
    assert scenarios.from_dict(json.loads(text)) == scenario


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_scenario_comes_back_as_it_was(path):
    scenario = scenarios.load(path)
    assert scenarios.from_dict(json.loads(json.dumps(scenario.to_dict()))) == scenario


@pytest.mark.parametrize("missing", ["name", "clients", "links", "thresholds"])
def test_a_recorded_scenario_that_is_not_whole_is_refused(tmp_path, missing):
    recorded = scenarios.load(write(tmp_path)).to_dict()
    del recorded[missing]
    with pytest.raises(SchemaError, match="expected what a run records of one"):
        scenarios.from_dict(recorded)


def test_a_recorded_scenario_with_more_than_this_version_knows_is_refused(tmp_path):
    recorded = scenarios.load(write(tmp_path)).to_dict() | {"weather": "rain"}
    with pytest.raises(SchemaError, match="weather"):
        scenarios.from_dict(recorded)


def test_a_scenario_cannot_be_changed_on_the_way(tmp_path):
    scenario = scenarios.load(write(tmp_path))
    with pytest.raises(dataclasses.FrozenInstanceError):
        scenario.seed = 8
