"""The [peers] table of a scenario is read strictly."""

import pytest

from peers.settings import PeerSettings, read_settings
from testbed.errors import ScenarioError


def test_empty_table_gives_what_is_documented():
    assert read_settings({}, "x.toml") == PeerSettings()


def test_every_key_is_taken():
    table = {
        "piece_length": "256 KiB",
        "neighbours": 8,
        "picking": "rarest first",
        "serving": "rotating grants",
    }
    settings = read_settings(table, "x.toml")
    assert (settings.piece_bytes, settings.neighbours) == (262144, 8)


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
        ("serving", "tit for tat"),
    ],
)
def test_wrong_value_is_refused_by_file_table_and_key(key, value):
    with pytest.raises(ScenarioError, match=rf"^x\.toml: \[peers\] {key}: ") as error:
        read_settings({key: value}, "x.toml")
    assert "\n" not in str(error.value)
