"""What one run does: typed, validated, complete. Read from TOML, strictly.

Each owner has a table. [links] and [scenario] are read here; [servers] and [peers] are kept as they
are and read by their packages, so that this one knows no protocol.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from testbed.arrivals import AFTER_THE_LAST, due_times, parse_departures
from testbed.errors import ScenarioError, SchemaError
from testbed.links import Links, links_from_dict, read_links
from testbed.load import ONCE, WHOLE_FILE, Load, mean_bytes, parse_load
from testbed.outages import NEVER, parse_outage, parse_tracker_outage
from testbed.replacement import parse_replacement
from testbed.sessions import UNINTERRUPTED, parse_sessions
from testbed.table import Table, on_one_line
from testbed.thresholds import ARCHITECTURES, CLIENTS_LIMIT, Threshold, read_thresholds
from testbed.units import parse_seconds, parse_size
from testbed.variants import VARIANTS, Variant, read_variants

PLACEMENTS = ("origin apart", "together", "one each")
"""How roles are placed in processes. `origin apart`: origin and tracker in one, clients in others."""

#: Likewise; an interval that needs more repeats than this is not worth having.
REPEATS_LIMIT = 10_000

WORLDS = ("live", "simulated", "flow")
"""Where a scenario may be run: on sockets, node by node in virtual time, or as flows of classes."""

TABLES = ("scenario", "links", "servers", "peers", "thresholds")

#: A name becomes a folder's; these two lie beside the scenarios' folders.
_NAME = re.compile(r"(?!(?:latest|published)\Z)[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


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
    load: str = ONCE
    sizes: str = WHOLE_FILE
    """How often clients ask, and for how much; see `testbed.load`."""
    sessions: str = UNINTERRUPTED
    """How long clients stay before they are done; see `testbed.sessions`."""
    origin_leaves: str = NEVER
    origin_moves: str = NEVER
    origin_replaces_file: str = NEVER
    """See `testbed.replacement`."""
    tracker_leaves: str = NEVER
    """See `testbed.outages`."""
    trial_limit_seconds: float = 60.0
    architectures: tuple[str, ...] = ARCHITECTURES
    """Which of both are measured."""
    worlds: tuple[str, ...] = WORLDS
    """Those that it was made for; the others refuse it."""
    placements: tuple[str, ...] = (PLACEMENTS[0],)
    """Given to the repeats in turn."""
    links: Links = field(default_factory=Links)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """[servers] and [peers], read by their packages."""
    thresholds: tuple[Threshold, ...] = ()
    variant: str = ""
    """Which of the file's [[variants]] this is; empty if it has none."""
    against_first: tuple[Threshold, ...] = ()
    """What the ratios of this variant's figures to the first variant's must meet, at the same N."""
    source: str = "scenario"
    """Name of the file, for messages."""

    def placement(self, repeat: int) -> str:
        """How roles are placed in this repeat."""
        return self.placements[repeat % len(self.placements)]

    @property
    def has_outages(self) -> bool:
        """Whether those on whom others rely leave, move or change, so that clients may go without."""
        sentences = (
            self.origin_leaves,
            self.origin_moves,
            self.origin_replaces_file,
            self.tracker_leaves,
        )
        return any(one != NEVER for one in sentences)

    @property
    def repetition(self) -> Load:
        """How often a client downloads."""
        return parse_load(self.load)

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
        links = links_from_dict(values.pop("links"))
        # Runs of the first release know none of these.
        values.setdefault("against_first", ())
        values.setdefault("worlds", WORLDS)
        values.setdefault("architectures", ARCHITECTURES)
        for key in ("thresholds", "against_first"):
            values[key] = tuple(Threshold(**item) for item in values[key])
        for key in ("clients", "placements", "architectures", "worlds"):
            values[key] = tuple(values[key])
        return Scenario(links=links, **values)
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
    """Read a scenario file; of one with variants, what they have in common.

    A relative `file` in it is looked for beside it; one in the overrides, from the working folder.

    Args:
      path: The file.
      overrides: What replaces single keys: `{"links.client_uplink": "2 MiB/s"}`.

    Raises:
      ScenarioError: one line naming file, key and what was expected.
    """
    document = _read_document(path)
    read_variants(document.pop(VARIANTS, None), str(path))
    for dotted, value in (overrides or {}).items():
        _override(document, dotted, value)
    return parse(document, str(path))


def load_variants(path: Path, overrides: Mapping[str, object] | None = None) -> tuple[Scenario, ...]:
    """Read a scenario file once for each of its variants; of one that has none, as it is.

    Args:
      path: The file.
      overrides: As for `load`; they also replace what a variant sets.

    Raises:
      ScenarioError: one line naming file, key and what was expected.
    """
    document = _read_document(path)
    variants = read_variants(document.pop(VARIANTS, None), str(path))
    scenarios = []
    for variant in variants or (Variant(name="", settings={}, against_first=()),):
        whole = copy.deepcopy(document)
        for dotted, value in {**variant.settings, **(overrides or {})}.items():
            _override(whole, dotted, value)
        scenario = parse(whole, str(path))
        scenarios.append(
            dataclasses.replace(scenario, variant=variant.name, against_first=variant.against_first)
        )
    return tuple(scenarios)


def _read_document(path: Path) -> dict[str, Any]:
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
    return document


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
        links=read_links(document.get("links", {}), source),
        tables={name: dict(document.get(name, {})) for name in ("servers", "peers")},
        thresholds=read_thresholds(document.get("thresholds", {}), "thresholds", source),
        source=source,
    )
    main.finish()
    if scenario.sessions != UNINTERRUPTED and (scenario.links.pairs or scenario.load != ONCE):
        raise main.fail(
            "sessions", f'expected "{UNINTERRUPTED}" with links.pairs, or a load other than "{ONCE}"'
        )
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
    values["origin_replaces_file"] = table.sentence("origin_replaces_file", NEVER, parse_replacement)
    values["load"] = table.sentence("load", ONCE, parse_load)
    values["sizes"] = table.sentence("sizes", WHOLE_FILE, mean_bytes)
    values["sessions"] = table.sentence("sessions", UNINTERRUPTED, parse_sessions)
    for key in ("origin_leaves", "origin_moves"):
        values[key] = table.sentence(key, NEVER, parse_outage)
    values["tracker_leaves"] = table.sentence("tracker_leaves", NEVER, parse_tracker_outage)
    values["trial_limit_seconds"] = table.quantity("trial_limit", parse_seconds, 60.0)
    values["placements"] = _read_some(table, "placement", PLACEMENTS, (PLACEMENTS[0],))
    values["architectures"] = _read_some(table, "architectures", ARCHITECTURES, ARCHITECTURES)
    values["worlds"] = _read_some(table, "worlds", WORLDS, WORLDS)
    if values["origin_replaces_file"] != NEVER and values["worlds"] != ("live",):
        raise table.fail(
            "origin_replaces_file", f'expected "{NEVER}", or worlds = ["live"]: there are disks'
        )
    for key, usual in (("load", ONCE), ("sizes", WHOLE_FILE)):
        if values[key] != usual and values["architectures"] != ("server",):
            raise table.fail(
                key, f'expected "{usual}", or architectures = ["server"]: a swarm shares one whole file'
            )
    if values["load"] != ONCE and values["departures"] != AFTER_THE_LAST:
        raise table.fail("load", f'expected "{ONCE}", or departures = "{AFTER_THE_LAST}"')
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


def _read_some(
    table: Table, key: str, known: tuple[str, ...], default: tuple[str, ...]
) -> tuple[str, ...]:
    """Take one or several of what is known."""
    value = table.take(key, list(default))
    chosen = value if isinstance(value, list) else [value]
    if not chosen or any(item not in known for item in chosen):
        expected = ", ".join(f'"{item}"' for item in known)
        raise table.fail(key, f"expected one or a list of {expected}, not {value!r}")
    return tuple(chosen)
