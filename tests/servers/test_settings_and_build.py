"""The [servers] table, and who takes part."""

from __future__ import annotations

import pytest

from servers.build import ServerCast
from servers.downloader import Downloader
from servers.node import FileHost
from servers.settings import ServerSettings, read_settings
from servers.wire import Http
from testbed.content import made_up
from testbed.errors import LocalMisuse, ScenarioError
from testbed.links import Links
from testbed.scenario import Scenario
from testbed.storage import FileStorage


def test_default_is_fair():
    assert read_settings({}, "x.toml") == ServerSettings(sharing="fair")


def test_first_come_first_served_can_be_chosen():
    assert read_settings({"sharing": "first come first served"}, "x.toml").sharing != "fair"


def test_one_origin_is_the_default_and_several_can_be_chosen():
    assert read_settings({}, "x.toml").origins == 1
    several = read_settings({"origins": 4, "choice": "least busy"}, "x.toml")
    assert (several.origins, several.choice) == (4, "least busy")


@pytest.mark.parametrize(
    "table",
    [{"origins": 0}, {"origins": "4"}, {"origins": 1000}, {"choice": "quickest"}, {"choice": []}],
)
def test_wrong_origins_are_refused_in_one_line(table):
    with pytest.raises(ScenarioError, match=r"\Ax\.toml: \[servers\] (origins|choice): expected .*\Z"):
        read_settings(table, "x.toml")


@pytest.mark.parametrize("table", [{"sharing": "unfair"}, {"sharing": 1}, {"shairing": "fair"}])
def test_wrong_table_is_refused_naming_file_and_key(table):
    with pytest.raises(ScenarioError, match=r"x\.toml: \[servers\] sha?i?ring: .*expected"):
        read_settings(table, "x.toml")


@pytest.fixture
def content(tmp_path):
    return made_up(tmp_path, 1000, seed=1)


def cast_of(content, **servers: object):
    links = Links(origin_uplink_bytes_per_second=8e6, client_downlink_bytes_per_second=2e6)
    scenario = Scenario(name="x", clients=(3,), links=links, tables={"servers": servers, "peers": {}})
    return ServerCast(scenario, content, clients=3, seed=1)


def test_origin_listens_and_clients_only_dial(content):
    cast = cast_of(content)
    assert [place.node_id for place in cast.places] == [0, 1, 2, 3]
    assert [place.role for place in cast.places] == ["origin"] + 3 * ["client"]
    assert [place.accepts for place in cast.places] == ["http", None, None, None]
    assert cast.places[0].uplink_bytes_per_second == 8e6
    assert cast.places[1].downlink_bytes_per_second == 2e6
    assert isinstance(cast.wires["http"], Http)


def test_every_place_gets_its_node(content):
    cast = cast_of(content, sharing="first come first served")
    storage = FileStorage.of(content.path)
    origin, client = cast.places[:2]
    assert isinstance(cast.node(origin, {}, storage), FileHost)
    assert isinstance(cast.node(client, {"origin": [("127.0.0.1", 1)]}, storage), Downloader)
    with pytest.raises(LocalMisuse):
        cast.node(client, {"origin": [("127.0.0.1", 1)]}, None)
    storage.close()


def test_further_origins_come_after_the_clients_each_with_a_line_of_its_own(content):
    cast = cast_of(content, origins=3)
    assert [place.node_id for place in cast.places] == [0, 1, 2, 3, 4, 5]
    assert [place.role for place in cast.places] == ["origin", *3 * ["client"], *2 * ["origin"]]
    assert {p.uplink_bytes_per_second for p in cast.places if p.role == "origin"} == {8e6}
    assert {p.accepts for p in cast.places if p.role == "origin"} == {"http"}


def test_wrong_table_is_refused_when_the_cast_is_made(content):
    with pytest.raises(ScenarioError):
        cast_of(content, sharing="unfair")
