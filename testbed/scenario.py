"""What one run does: typed, validated, complete. Read from TOML, strictly.

Each owner has a table. [links] and [scenario] are read here; [servers] and [peers] are kept as they
are and read by their packages, so that this one knows no protocol.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from testbed.arrivals import due_times, parse_departures
from testbed.errors import ScenarioError
from testbed.units import UnitError, parse_rate, parse_seconds, parse_size

PLACEMENTS = ("origin apart", "together", "one each")
"""How roles are placed in processes. `origin apart`: origin and tracker in one, clients in another."""

#: Far beyond what one machine runs; a slip of a finger should not fill its memory.
CLIENTS_LIMIT = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The lines of every node. Rates in bytes per second, infinity for unlimited."""

    origin_uplink_bytes_per_second: float = math.inf
    origin_downlink_bytes_per_second: float = math.inf
    client_uplink_bytes_per_second: float = math.inf
    client_downlink_bytes_per_second: float = math.inf
    latency_seconds: float = 0.0
    """One way, added to what the machine has."""
    burst_seconds: float = 0.020
    """How far a line may run ahead after it was idle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A condition the run's figures must meet, at every N between the limits."""

    metric: str
    """`<architecture>_<metric of summary.json>`."""
    at_least: float | None = None
    at_most: float | None = None
    from_clients: int = 1
    to_clients: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What both architectures share in one run."""

    name: str
    question: str = ""
    clients: tuple[int, ...]
    """The sweep: how many nodes want the file."""
    repeats: int = 3
    seed: int = 0
    """Every random choice in the run derives from this."""
    file_bytes: int | None = None
    file: str | None = None
    """Path of the user's file; instead of `file_bytes`."""
    arrivals: str = "flash crowd"
    departures: str = "after the last"
    trial_limit_seconds: float = 60.0
    placements: tuple[str, ...] = (PLACEMENTS[0],)
    """Given to the repeats in turn."""
    links: Links = field(default_factory=Links)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """[servers] and [peers], read by their packages."""
    thresholds: tuple[Threshold, ...] = ()
    source: str = "scenario"
    """Name of the file, for messages."""

    def placement(self, repeat: int) -> str:
        """How roles are placed in this repeat."""
        return self.placements[repeat % len(self.placements)]

    def to_dict(self) -> dict[str, Any]:
        """The resolved scenario for run.json; plain numbers, infinity as None."""
        plain: dict[str, Any] = _without_infinity(dataclasses.asdict(self))
        return plain


def _without_infinity(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_infinity(item) for item in value]
    return None if value == math.inf else value


def from_dict(data: Mapping[str, Any]) -> Scenario:
    """Rebuild a scenario from run.json."""
    values = dict(data)
    rates = {key: math.inf if value is None else value for key, value in values.pop("links").items()}
    thresholds = tuple(Threshold(**item) for item in values.pop("thresholds"))
    for key in ("clients", "placements"):
        values[key] = tuple(values[key])
    return Scenario(links=Links(**rates), thresholds=thresholds, **values)


def load(path: Path, overrides: Mapping[str, object] | None = None) -> Scenario:
    """Read a scenario file. `overrides` replace single keys: `{"links.client_uplink": "2 MiB/s"}`.

    Raises:
      ScenarioError: one line naming file, key and what was expected.
    """
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError:
        raise ScenarioError(f"{path}: expected a scenario file, there is none") from None
    except OSError as error:
        raise ScenarioError(f"{path}: expected a readable file: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: expected TOML: {error}") from None
    for dotted, value in (overrides or {}).items():
        table, dot, key = dotted.partition(".")
        if not dot or not key:
            raise ScenarioError(f"{dotted}: expected table.key, such as links.client_uplink")
        document.setdefault(table, {})
        if not isinstance(document[table], dict):
            raise ScenarioError(f"{path}: {table}: expected a table")
        document[table][key] = value
        if (table, key) == ("scenario", "file"):
            document[table].pop("file_size", None)
    return parse(document, str(path))


def parse(document: Mapping[str, Any], source: str) -> Scenario:
    """Check a document and make a scenario of it.

    Raises:
      ScenarioError: one line naming file, key and what was expected.
    """
    for name, table in document.items():
        if name not in ("scenario", "links", "servers", "peers", "thresholds"):
            raise ScenarioError(
                f"{source}: [{name}]: unknown table; expected scenario, links, servers, peers or "
                "thresholds"
            )
        if not isinstance(table, dict):
            raise ScenarioError(f"{source}: {name}: expected a table [{name}]")
    if "scenario" not in document:
        raise ScenarioError(f"{source}: [scenario]: expected this table, it is missing")
    main = _Table(document["scenario"], "scenario", source)
    scenario = Scenario(
        **_read_main(main),
        links=_read_links(_Table(document.get("links", {}), "links", source)),
        tables={name: dict(document.get(name, {})) for name in ("servers", "peers")},
        thresholds=_read_thresholds(document.get("thresholds", {}), source),
        source=source,
    )
    main.finish()
    return scenario


class _Table:
    """One table on its way to be read: every key is taken once, and none may be left."""

    def __init__(self, values: Mapping[str, Any], name: str, source: str) -> None:
        self._left = dict(values)
        self._known: list[str] = []
        self._name = name
        self._source = source

    def fail(self, key: str, message: str) -> ScenarioError:
        return ScenarioError(f"{self._source}: [{self._name}] {key}: {message}")

    def take(self, key: str, default: Any = None) -> Any:
        self._known.append(key)
        return self._left.pop(key, default)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.take(key, default)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(key, f"expected a text, not {value!r}")
        return value

    def whole(self, key: str, default: int, least: int) -> int:
        value = self.take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.fail(key, f"expected a whole number of at least {least}, not {value!r}")
        return value

    def quantity(self, key: str, parser: Any, default: float, *, zero: bool = False) -> Any:
        value = self.take(key)
        if value is None:
            return default
        try:
            number = parser(value)
        except UnitError as error:
            raise self.fail(key, str(error)) from None
        if not number and not zero:
            raise self.fail(key, f"expected more than zero, not {value!r}")
        return number

    def finish(self) -> None:
        for key in self._left:
            raise self.fail(key, f"unknown key; expected one of {', '.join(self._known)}")


def _read_main(table: _Table) -> dict[str, Any]:
    values: dict[str, Any] = {"name": table.text("name")}
    if "/" in values["name"] or values["name"].startswith("."):
        raise table.fail("name", f"expected a name without slashes, not {values['name']!r}")
    values["question"] = table.take("question", "")
    values["clients"] = _read_clients(table)
    values["repeats"] = table.whole("repeats", 3, 1)
    values["seed"] = table.whole("seed", 0, 0)
    file = table.take("file")
    if file is not None and (not isinstance(file, str) or not file):
        raise table.fail("file", f"expected a path, not {file!r}")
    values["file"] = file
    size = table.quantity("file_size", parse_size, 0)
    values["file_bytes"] = size or None
    if (file is None) == (not size):
        raise table.fail("file_size", "expected either file_size or file, and not both")
    try:
        values["arrivals"] = table.text("arrivals", "flash crowd")
        due_times(values["arrivals"], 1, Random(0))
        values["departures"] = table.text("departures", "after the last")
        parse_departures(values["departures"])
    except ScenarioError as error:
        if "[scenario]" in str(error):
            raise
        key, _, message = str(error).partition(": ")
        raise table.fail(key, message) from None
    values["trial_limit_seconds"] = table.quantity("trial_limit", parse_seconds, 60.0)
    values["placements"] = _read_placements(table)
    return values


def _read_clients(table: _Table) -> tuple[int, ...]:
    clients = table.take("clients")
    if not isinstance(clients, list) or not clients:
        raise table.fail("clients", f"expected a list such as [1, 2, 4], not {clients!r}")
    for count in clients:
        if isinstance(count, bool) or not isinstance(count, int):
            raise table.fail("clients", f"expected whole numbers, not {count!r}")
        if not 1 <= count <= CLIENTS_LIMIT:
            raise table.fail("clients", f"expected 1 to {CLIENTS_LIMIT:,}, not {count}")
    if len(set(clients)) != len(clients):
        raise table.fail("clients", f"expected each number once, not {clients!r}")
    return tuple(sorted(clients))


def _read_placements(table: _Table) -> tuple[str, ...]:
    placement = table.take("placement", PLACEMENTS[0])
    placements = placement if isinstance(placement, list) else [placement]
    if not placements or any(item not in PLACEMENTS for item in placements):
        expected = ", ".join(f'"{item}"' for item in PLACEMENTS)
        raise table.fail("placement", f"expected one or a list of {expected}, not {placement!r}")
    return tuple(placements)


def _read_links(table: _Table) -> Links:
    values: dict[str, float] = {}
    for key in ("origin_uplink", "origin_downlink", "client_uplink", "client_downlink"):
        values[f"{key}_bytes_per_second"] = table.quantity(key, parse_rate, math.inf)
    values["latency_seconds"] = table.quantity("latency", parse_seconds, 0.0, zero=True)
    values["burst_seconds"] = table.quantity("burst", parse_seconds, 0.020, zero=True)
    table.finish()
    return Links(**values)


def _read_thresholds(table: Mapping[str, Any], source: str) -> tuple[Threshold, ...]:
    thresholds = []
    for metric, condition in table.items():
        if metric.partition("_")[0] not in ("server", "swarm"):
            raise ScenarioError(
                f"{source}: [thresholds] {metric}: expected a name that begins with server_ or swarm_"
            )
        if not isinstance(condition, dict):
            raise ScenarioError(
                f"{source}: [thresholds] {metric}: expected {{ at_least = … }} or {{ at_most = … }}"
            )
        values = _Table(condition, f"thresholds.{metric}", source)
        limits = {key: values.take(key) for key in ("at_least", "at_most")}
        for key, limit in limits.items():
            if isinstance(limit, bool) or not isinstance(limit, (int, float, type(None))):
                raise values.fail(key, f"expected a number, not {limit!r}")
        if limits["at_least"] is None and limits["at_most"] is None:
            raise values.fail("at_least", "expected at_least or at_most")
        first = values.whole("from_clients", 1, 1)
        last = values.take("to_clients")
        if last is not None and (not isinstance(last, int) or last < first):
            raise values.fail("to_clients", f"expected a number of at least {first}, not {last!r}")
        values.finish()
        thresholds.append(Threshold(metric=metric, from_clients=first, to_clients=last, **limits))
    return tuple(thresholds)
