"""The [peers] table of a scenario is read strictly."""

import pytest

from peers.limits import IN_TRIALS, limits_of
from peers.settings import PeerSettings, read_settings
from testbed.errors import ScenarioError


def test_empty_table_gives_what_is_documented():
    assert read_settings({}, "x.toml") == PeerSettings()


def test_every_key_is_taken():
    table = {
        "piece_length": "256 KiB",
        "neighbours": 8,
        "picking": "rarest first",
        "serving": "unchoke slots",
        "unchoke_slots": 7,
        "origin": "super-seeding",
        "ban": False,
        "corrupt_pieces_a_host": 1,
        "request_queue": 64,
        "refused_requests": 100,
    }
    settings = read_settings(table, "x.toml")
    assert settings == PeerSettings(
        piece_bytes=262144,
        neighbours=8,
        picking="rarest first",
        serving="unchoke slots",
        unchoke_slots=7,
        origin="super-seeding",
        limits=limits_of(
            dict(ban=False, corrupt_pieces_a_host=1, request_queue=64, refused_requests=100), IN_TRIALS
        ),
    )


def test_piece_length_by_rule_is_the_default():
    assert read_settings({"piece_length": "by rule"}, "x.toml") == PeerSettings()


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("picking", ("rarest first", "random useful", "in order")),
        ("serving", ("rotating grants", "unchoke slots", "everybody")),
        ("origin", ("plain", "super-seeding")),
    ],
)
def test_policy_is_named_in_words_and_an_unknown_name_is_told_what_was_expected(key, names):
    assert getattr(PeerSettings(), key) == names[0]
    for name in names:
        assert getattr(read_settings({key: name}, "x.toml"), key) == name
    with pytest.raises(ScenarioError) as error:
        read_settings({key: "best"}, "x.toml")
    expected = ", ".join(f'"{name}"' for name in names)
    assert str(error.value) == f"x.toml: [peers] {key}: expected one of {expected}, not 'best'"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("unknown", 1),
        ("piece_length", 262144),
        ("piece_length", "8 KiB"),
        ("piece_length", "48 KiB"),
        ("neighbours", 0),
        ("neighbours", True),
        ("neighbours", 2.5),
        ("neighbours", "8"),
        ("picking", "random"),
        ("picking", ["rarest first"]),
        ("serving", "tit for tat"),
        ("serving", 4),
        ("unchoke_slots", 0),
        ("unchoke_slots", 2.0),
        ("unchoke_slots", 1001),
        ("origin", "seed"),
        ("ban", "false"),
        ("ban", 0),
        ("request_queue", 0),
        ("refused_requests", 1.5),
        ("half_open", 100),
    ],
)
def test_wrong_value_is_refused_by_file_table_and_key(key, value):
    with pytest.raises(ScenarioError, match=rf"^x\.toml: \[peers\] {key}: ") as error:
        read_settings({key: value}, "x.toml")
    assert "\n" not in str(error.value)
