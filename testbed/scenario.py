"""What one run does: typed, validated, complete. Read from TOML, strictly.

Each owner has a table. [links] and [scenario] are read here; [servers] and [peers] are kept as they
are and read by their packages, so that this one knows no protocol.
"""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from testbed.arrivals import due_times, parse_departures
from testbed.errors import ScenarioError, SchemaError
from testbed.table import Table, on_one_line
from testbed.units import parse_rate, parse_seconds, parse_size

PLACEMENTS = ("origin apart", "together", "one each")
"""How roles are placed in processes. `origin apart`: origin and tracker in one, clients in others."""

#: Far beyond what one machine runs; a slip of a finger should not fill its memory.
CLIENTS_LIMIT = 100_000_000

#: Likewise; an interval that needs more repeats than this is not worth having.
REPEATS_LIMIT = 10_000

ARCHITECTURES = ("server", "swarm")

TABLES = ("scenario", "links", "servers", "peers", "thresholds")

#: A name becomes a folder's; these two lie beside the scenarios' folders.
_NAME = re.compile(r"(?!(?:latest|published)\Z)[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


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
    """The last N it holds at; None: no limit."""

    @property
    def architecture(self) -> str:
        """Which architecture it speaks of: what its name begins with."""
        return self.metric.partition("_")[0]


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
    """Rebuild a scenario from run.json.

    Raises:
      SchemaError: this is not what `to_dict` gives.
    """
    try:
        values = dict(data)
        rates = {
            key: math.inf if value is None else value for key, value in values.pop("links").items()
        }
        thresholds = tuple(Threshold(**item) for item in values.pop("thresholds"))
        for key in ("clients", "placements"):
            values[key] = tuple(values[key])
        return Scenario(links=Links(**rates), thresholds=thresholds, **values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SchemaError(f"scenario: expected what a run records of one: {error!r}") from None


def read_settings(settings: Iterable[str]) -> dict[str, object]:
    """Read options such as `links.client_uplink=2 MiB/s` into overrides for `load`.

    A value is read as TOML where it is some (`scenario.clients=[1, 2]`, `peers.neighbours=8`), and is
    a text otherwise, so that no quotes within quotes are needed.

    Raises:
      ScenarioError: one of them is not `table.key=value`.
    """
    overrides: dict[str, object] = {}
    for setting in settings:
        dotted, equals, text = setting.partition("=")
        if not equals:
            raise ScenarioError(
                f"{setting}: expected table.key=value, such as links.client_uplink=2 MiB/s"
            )
        value: object
        try:
            document = tomllib.loads(f"value = {text.strip()}")
            value = document["value"] if len(document) == 1 else text.strip()
        except (ValueError, RecursionError):  # As in `load`.
            value = text.strip()
        overrides[dotted.strip()] = value
    return overrides


def load(path: Path, overrides: Mapping[str, object] | None = None) -> Scenario:
    """Read a scenario file.

    A relative `file` in it is looked for beside it; one in the overrides, from the working folder.

    Args:
      path: The file.
      overrides: What replaces single keys: `{"links.client_uplink": "2 MiB/s"}`.

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
    except (ValueError, RecursionError) as error:
        # ValueError covers what is no TOML and no UTF-8, numbers of thousands of digits, and a path
        # with a NUL in it; RecursionError, brackets nested beyond reason.
        raise ScenarioError(f"{on_one_line(str(path))}: expected TOML: {error}") from None
    main = document.get("scenario")
    if isinstance(main, dict) and isinstance(main.get("file"), str) and main["file"]:
        main["file"] = str(path.parent / main["file"])
    for dotted, value in (overrides or {}).items():
        _override(document, dotted, value)
    return parse(document, str(path))


#: Keys that say the same thing in two ways: to give one takes the other away.
_INSTEAD_OF = {("scenario", "file"): "file_size", ("scenario", "file_size"): "file"}


def _override(document: dict[str, Any], dotted: str, value: object) -> None:
    name, dot, key = dotted.partition(".")
    if not dot or not key or name not in TABLES:
        raise ScenarioError(
            f"{dotted}: expected table.key, such as links.client_uplink; tables are {', '.join(TABLES)}"
        )
    table = document.setdefault(name, {})
    if isinstance(table, dict):  # What is none is refused when the document is read.
        table[key] = value
        table.pop(_INSTEAD_OF.get((name, key)), None)


def parse(document: Mapping[str, Any], source: str) -> Scenario:
    """Check a document and make a scenario of it.

    Raises:
      ScenarioError: one line naming file, key and what was expected.
    """
    for name, table in document.items():
        if name not in TABLES:
            raise ScenarioError(
                f"{source}: [{on_one_line(name)}]: unknown table; expected one of {', '.join(TABLES)}"
            )
        if not isinstance(table, dict):
            raise ScenarioError(f"{source}: {name}: expected a table [{name}]")
    if "scenario" not in document:
        raise ScenarioError(f"{source}: [scenario]: expected this table, it is missing")
    main = Table(document["scenario"], "scenario", source)
    scenario = Scenario(
        **_read_main(main),
        links=_read_links(Table(document.get("links", {}), "links", source)),
        tables={name: dict(document.get(name, {})) for name in ("servers", "peers")},
        thresholds=_read_thresholds(document.get("thresholds", {}), source),
        source=source,
    )
    main.finish()
    return scenario


def _read_main(table: Table) -> dict[str, Any]:
    values: dict[str, Any] = {"name": table.text("name")}
    if not _NAME.match(values["name"]):
        raise table.fail(
            "name",
            "expected letters, digits, _ . or -, and neither latest nor published, "
            f"not {values['name']!r}",
        )
    values["question"] = table.take("question", "")
    if not isinstance(values["question"], str):
        raise table.fail("question", f"expected a text, not {values['question']!r}")
    values["clients"] = _read_clients(table)
    values["repeats"] = table.whole("repeats", 3, 1, REPEATS_LIMIT)
    values["seed"] = table.whole("seed", 0, 0)
    file = table.take("file")
    if file is not None and (not isinstance(file, str) or not file):
        raise table.fail("file", f"expected a path, not {file!r}")
    values["file"] = file
    size = table.quantity("file_size", parse_size, 0)
    values["file_bytes"] = size or None
    if (file is None) == (not size):
        raise table.fail("file_size", "expected either file_size or file, and not both")
    values["arrivals"] = table.sentence(
        "arrivals", "flash crowd", lambda sentence: due_times(sentence, 1, Random(0))
    )
    values["departures"] = table.sentence("departures", "after the last", parse_departures)
    values["trial_limit_seconds"] = table.quantity("trial_limit", parse_seconds, 60.0)
    values["placements"] = _read_placements(table)
    return values


def _read_clients(table: Table) -> tuple[int, ...]:
    clients = table.take("clients")
    if clients is None:
        raise table.fail("clients", "expected a list such as [1, 2, 4], this key is missing")
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


def _read_placements(table: Table) -> tuple[str, ...]:
    placement = table.take("placement", PLACEMENTS[0])
    placements = placement if isinstance(placement, list) else [placement]
    if not placements or any(item not in PLACEMENTS for item in placements):
        expected = ", ".join(f'"{item}"' for item in PLACEMENTS)
        raise table.fail("placement", f"expected one or a list of {expected}, not {placement!r}")
    return tuple(placements)


def _read_links(table: Table) -> Links:
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
        if metric.partition("_")[0] not in ARCHITECTURES:
            raise ScenarioError(
                f"{source}: [thresholds] {on_one_line(metric)}: expected a name that begins with "
                "server_ or swarm_"
            )
        if not isinstance(condition, dict):
            raise ScenarioError(
                f"{source}: [thresholds] {metric}: expected {{ at_least = … }} or {{ at_most = … }}"
            )
        values = Table(condition, f"thresholds.{metric}", source)
        limits = {key: values.number(key) for key in ("at_least", "at_most")}
        if limits["at_least"] is None and limits["at_most"] is None:
            raise values.fail("at_least", "expected at_least or at_most")
        first = values.whole("from_clients", 1, 1)
        last = values.whole("to_clients", CLIENTS_LIMIT, first)
        bounded = "to_clients" in condition
        values.finish()
        thresholds.append(
            Threshold(metric=metric, from_clients=first, to_clients=last if bounded else None, **limits)
        )
    return tuple(thresholds)
