"""The lines of every node: what [links] of a scenario says.

All clients have equal lines unless the scenario divides them into classes:

    [[links.classes]]
    name = "slow"
    share = 13
    client_uplink = "20 kB/s"

A class takes what it does not name from [links]. `share` is its part of the clients: of shares 13, 14
and 13, forty clients make 13, 14 and 13, and whichever class is furthest behind gets the next.
Classes at a distance from each other, or from the origin, are named in pairs:

    [[links.pairs]]
    between = ["slow", "origin"]
    latency = "150 ms"
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from testbed.table import Table
from testbed.units import parse_fraction, parse_rate, parse_seconds

#: How a scenario calls the origin where it names a class.
ORIGIN_CLASS = "origin"

#: What all clients are of when the scenario makes no classes.
ONLY_CLASS = "client"

#: A class of one in a thousand is as fine as a sweep over N can show.
SHARES_LIMIT = 1_000
CLASSES_LIMIT = 100

#: TCP's segment on an Ethernet: 1500 bytes less 40 of headers.
SEGMENT_BYTES = 1460


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientClass:
    """Clients with the same line."""

    name: str
    share: int
    """Its part of all clients, against the other classes' shares."""
    uplink_bytes_per_second: float
    downlink_bytes_per_second: float
    latency_seconds: float
    """One way, added on everything it sends."""
    loss_fraction: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLatency:
    """The delay between two classes, one way, in both directions."""

    between: tuple[str, str]
    latency_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The lines of every node. Rates in bytes per second, infinity for unlimited."""

    origin_uplink_bytes_per_second: float = math.inf
    origin_downlink_bytes_per_second: float = math.inf
    client_uplink_bytes_per_second: float = math.inf
    """Of every client; of the mean client, where classes differ."""
    client_downlink_bytes_per_second: float = math.inf
    latency_seconds: float = 0.0
    """One way, added to what the machine has."""
    burst_seconds: float = 0.020
    """How far a line may run ahead after it was idle."""
    loss_fraction: float = 0.0
    """Of the packets a node sends; simulated by what it does to the rate (`loss_limited_rate`)."""
    classes: tuple[ClientClass, ...] = ()
    """Empty: all clients are alike."""
    pairs: tuple[PairLatency, ...] = ()

    @property
    def client_classes(self) -> tuple[ClientClass, ...]:
        """The classes, of which there is at least one."""
        return self.classes or (
            ClientClass(
                name=ONLY_CLASS,
                share=1,
                uplink_bytes_per_second=self.client_uplink_bytes_per_second,
                downlink_bytes_per_second=self.client_downlink_bytes_per_second,
                latency_seconds=self.latency_seconds,
                loss_fraction=self.loss_fraction,
            ),
        )

    def classes_of(self, clients: int) -> list[ClientClass]:
        """Say of which class each of N clients is, in the order of their numbers.

        Every whole multiple of the sum of the shares is divided exactly.
        """
        classes = self.client_classes
        if len(classes) == 1:
            return [classes[0]] * clients
        total = sum(one.share for one in classes)
        given = [0] * len(classes)
        of_each = []
        for number in range(1, clients + 1):
            behind = [
                one.share * number - count * total for one, count in zip(classes, given, strict=True)
            ]
            chosen = behind.index(max(behind))
            given[chosen] += 1
            of_each.append(classes[chosen])
        return of_each

    def latency_between(self, sender: str, receiver: str) -> float | None:
        """The delay that a pair of classes has of its own, in seconds; None: the sender's."""
        for pair in self.pairs:
            if pair.between in ((sender, receiver), (receiver, sender)):
                return pair.latency_seconds
        return None

    def longest_latency_of(self, name: str, own_seconds: float) -> float:
        """The longest delay between one class and any other, where `own_seconds` is its own."""
        return max([own_seconds, *(one.latency_seconds for one in self.pairs if name in one.between)])

    @property
    def unlimited(self) -> bool:
        """Whether no line of any node has a limit."""
        rates = [self.origin_uplink_bytes_per_second, self.origin_downlink_bytes_per_second]
        for one in self.client_classes:
            rates += [one.uplink_bytes_per_second, one.downlink_bytes_per_second]
        return min(rates) == math.inf

    @property
    def has_loss(self) -> bool:
        """Whether any node loses packets."""
        return bool(self.loss_fraction) or any(one.loss_fraction for one in self.classes)

    @property
    def slowest_downlink_bytes_per_second(self) -> float:
        """Of all clients."""
        return min(one.downlink_bytes_per_second for one in self.client_classes)

    @property
    def longest_latency_seconds(self) -> float:
        """The longest delay any message may take, one way."""
        delays = [self.latency_seconds]
        delays += [one.latency_seconds for one in self.classes]
        delays += [pair.latency_seconds for pair in self.pairs]
        return max(delays)


def loss_limited_rate(loss_fraction: float, round_trip_seconds: float) -> float:
    """What one TCP connection that loses packets at random carries at most, bytes per second.

        rate = MSS / RTT × sqrt(3 / 2p)

    Args:
      loss_fraction: p, of the packets sent.
      round_trip_seconds: RTT.

    Returns:
      Infinity without loss, and without delay.

    Source: Mathis, Semke, Mahdavi, Ott (1997), "The macroscopic behavior of the TCP congestion
    avoidance algorithm", equation 3.
    """
    if not loss_fraction or not round_trip_seconds:
        return math.inf
    return SEGMENT_BYTES / round_trip_seconds * math.sqrt(1.5 / loss_fraction)


# --- Reading -------------------------------------------------------------------------------


def read_links(values: Mapping[str, Any], source: str) -> Links:
    """Read the table [links].

    Raises:
      ScenarioError: one line naming file, key and what was expected.
    """
    table = Table(values, "links", source)
    rates: dict[str, Any] = {}
    for key in ("origin_uplink", "origin_downlink", "client_uplink", "client_downlink"):
        rates[f"{key}_bytes_per_second"] = table.quantity(key, parse_rate, math.inf)
    links = Links(
        **rates,
        latency_seconds=table.quantity("latency", parse_seconds, 0.0, zero=True),
        burst_seconds=table.quantity("burst", parse_seconds, 0.020, zero=True),
        loss_fraction=_loss(table, 0.0),
    )
    classes = _each(table, "classes", source, lambda one: _read_class(one, links))
    if len(classes) > CLASSES_LIMIT:
        raise table.fail("classes", f"expected at most {CLASSES_LIMIT} of them, not {len(classes)}")
    names = [one.name for one in classes]
    for name in names:
        if name == ORIGIN_CLASS or names.count(name) > 1:
            raise table.fail("classes", f"expected each name once, and none {ORIGIN_CLASS!r}: {name!r}")
    known = (ORIGIN_CLASS, *(names or (ONLY_CLASS,)))
    pairs = _each(table, "pairs", source, lambda one: _read_pair(one, known))
    table.finish()
    if classes:
        links = replace(
            links,
            client_uplink_bytes_per_second=_mean(classes, "uplink_bytes_per_second"),
            client_downlink_bytes_per_second=_mean(classes, "downlink_bytes_per_second"),
        )
    return replace(links, classes=tuple(classes), pairs=tuple(pairs))


def _mean(classes: list[ClientClass], rate: str) -> float:
    total = sum(one.share for one in classes)
    return sum(float(getattr(one, rate)) * one.share for one in classes) / total


def _each(table: Table, key: str, source: str, read: Callable[[Table], Any]) -> list[Any]:
    """Read a list of tables."""
    values = table.take(key, [])
    if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
        raise table.fail(key, f"expected tables [[links.{key}]], not {values!r}")
    read_ones = []
    for one in values:
        inner = Table(one, f"links.{key}", source)
        read_ones.append(read(inner))
        inner.finish()
    return read_ones


def _read_class(table: Table, links: Links) -> ClientClass:
    return ClientClass(
        name=table.text("name"),
        share=table.whole("share", 1, 1, SHARES_LIMIT),
        uplink_bytes_per_second=table.quantity(
            "client_uplink", parse_rate, links.client_uplink_bytes_per_second
        ),
        downlink_bytes_per_second=table.quantity(
            "client_downlink", parse_rate, links.client_downlink_bytes_per_second
        ),
        latency_seconds=table.quantity("latency", parse_seconds, links.latency_seconds, zero=True),
        loss_fraction=_loss(table, links.loss_fraction),
    )


def _read_pair(table: Table, known: tuple[str, ...]) -> PairLatency:
    between = table.take("between")
    expected = f"expected two of {', '.join(known)}"
    if not isinstance(between, list) or len(between) != 2:
        raise table.fail("between", f"{expected}, not {between!r}")
    for name in between:
        if name not in known:
            raise table.fail("between", f"{expected}, not {name!r}")
    latency = table.quantity("latency", parse_seconds, math.nan, zero=True)
    if math.isnan(latency):
        raise table.fail("latency", "expected a duration such as 150 ms, this key is missing")
    return PairLatency(between=(between[0], between[1]), latency_seconds=latency)


def _loss(table: Table, default: float) -> float:
    loss: float = table.quantity("loss", parse_fraction, default, zero=True)
    if loss >= 0.5:
        raise table.fail("loss", "expected less than 50 %: beyond that no connection lives")
    return loss


def links_from_dict(values: Mapping[str, Any]) -> Links:
    """Rebuild links from run.json, in which None stands for infinity.

    Raises:
      TypeError, ValueError, KeyError: this is not what a run records.
    """
    whole = _with_infinity(values)
    classes = tuple(ClientClass(**_with_infinity(one)) for one in whole.pop("classes", ()))
    pairs = tuple(
        PairLatency(
            between=(one["between"][0], one["between"][1]), latency_seconds=one["latency_seconds"]
        )
        for one in whole.pop("pairs", ())
    )
    return Links(**whole, classes=classes, pairs=pairs)


def _with_infinity(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: math.inf if value is None else value for key, value in values.items()}
