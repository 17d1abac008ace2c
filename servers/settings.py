"""The [servers] table of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from servers.choice import BALANCINGS, Balancing
from testbed.table import Table
from testbed.units import parse_seconds, parse_size

Choice = TypeVar("Choice", bound=str)

Sharing = Literal["fair", "first come first served"]

SHARINGS: tuple[Sharing, ...] = ("fair", "first come first served")

PageCache = Literal["as it is", "warm", "cold"]

PAGE_CACHES: tuple[PageCache, ...] = ("as it is", "warm", "cold")

Verifying = Literal["as it arrives", "at the end"]

VERIFYINGS: tuple[Verifying, ...] = ("as it arrives", "at the end")

#: Each has a listener and a line of its own; a slip of the finger should not make thousands.
ORIGINS_LIMIT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How the file hosts of a run behave, and how many there are."""

    sharing: Sharing = "fair"
    """Who gets the uplink: it decides the median completion time and not the makespan."""
    origins: int = 1
    """How many hosts have the file, each with an uplink of its own. A swarm always has one."""
    choice: Balancing = "round robin"
    """Which of several a client asks."""
    service_delay_seconds: float = 0.0
    """Added to every request, once its answer is found."""
    page_cache: PageCache = "as it is"
    """In which state a client finds the file on the host's disk; live only."""
    verifying: Verifying = "as it arrives"
    """When a client hashes what it gets; at the end it reads it back from its disk."""
    range_bytes: int | None = None
    """A client asks for so much at a time, one request after the other; None: for all at once."""
    if_range: bool = True
    """Whether a client that goes on says of which version it has the beginning."""
    relay: bool = False
    """Whether the origin is a client too and uploads the file to a host for the others; live only."""
    record_steps: bool = False
    """Whether the four steps of each transaction go into transactions.parquet."""


def read_settings(values: Mapping[str, object], source: str) -> ServerSettings:
    """Read the table strictly; `source` names the file in errors.

    Raises:
      ScenarioError: an unknown key or value.
    """
    table = Table(values, "servers", source)
    settings = ServerSettings(
        sharing=_one_of(table, "sharing", SHARINGS),
        origins=table.whole("origins", 1, 1, ORIGINS_LIMIT),
        choice=_one_of(table, "choice", BALANCINGS),
        service_delay_seconds=table.quantity("service_delay", parse_seconds, 0.0, zero=True),
        page_cache=_one_of(table, "page_cache", PAGE_CACHES),
        verifying=_one_of(table, "verifying", VERIFYINGS),
        range_bytes=table.quantity("range_size", parse_size, 0) or None,
        if_range=table.truth("if_range", default=True),
        relay=table.truth("relay"),
        record_steps=table.truth("record_steps"),
    )
    table.finish()
    if settings.page_cache != "as it is" and not settings.record_steps:
        raise table.fail(
            "page_cache", "expected record_steps = true with it, which says what came of it"
        )
    if settings.range_bytes is not None and settings.record_steps:
        raise table.fail(
            "range_size", "expected record_steps = false with it: a step is of one request"
        )
    if settings.relay and settings.origins > 1:
        raise table.fail("relay", "expected one of the origins")
    return settings


def _one_of(table: Table, key: str, choices: tuple[Choice, ...]) -> Choice:
    """Take one of some texts, or the first of them."""
    value = table.take(key, choices[0])
    for choice in choices:
        if value == choice:
            return choice
    expected = " or ".join(f'"{choice}"' for choice in choices)
    raise table.fail(key, f"expected {expected}, not {value!r}")
