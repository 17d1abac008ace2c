"""The [peers] table of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from peers.announce import MAX_INTERVAL_SECONDS, MIN_INTERVAL_SECONDS
from peers.core.picker import PICKERS
from peers.core.upload import SERVINGS
from peers.exchange import EXCHANGE_SECONDS
from peers.limits import IN_SCENARIOS, IN_TRIALS, LimitError, Limits, limits_of, read_limit
from peers.torrent import BLOCK_BYTES
from testbed.errors import ScenarioError
from testbed.units import UnitError, parse_seconds, parse_size

PICKINGS = tuple(PICKERS)
SERVING_NAMES = tuple(SERVINGS)
ORIGINS = ("plain", "super-seeding")

#: As a piece length, the same as none.
BY_RULE = "by rule"

#: More unchoke slots than this are no limit.
SLOTS_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSettings:
    """How the peers of a run behave."""

    piece_bytes: int | None = None
    """None: by rule, `peers.torrent.default_piece_bytes`, for the largest crowd of the run."""
    neighbours: int = 20
    """Most links of a peer. More cost HAVE messages: a full mesh of 32 filled a core with them."""
    picking: str = PICKINGS[0]
    """Which piece is asked for: `peers.core.picker`."""
    serving: str = SERVING_NAMES[0]
    """Who is served: `peers.core.serving` and `peers.core.choking`."""
    unchoke_slots: int = 4
    """Of the serving policy "unchoke slots": how many, the optimistic one included."""
    origin: str = ORIGINS[0]
    """How the origin seeds: `peers.core.super_seeding`."""
    announce_interval_seconds: int = 1800
    """How often the tracker asks peers to announce themselves; twice as long unheard of, it forgets."""
    peer_exchange: bool = False
    """They speak the extension protocol (BEP 10) and tell of their neighbours (BEP 11)."""
    exchange_interval_seconds: float = EXCHANGE_SECONDS
    """Between two such messages on one link. BEP 11 asks for a minute, of downloads that take hours."""
    limits: Limits = IN_TRIALS
    """What peers may take of each other; in a scenario those of `IN_SCENARIOS` are keys of [peers]."""


def read_settings(table: Mapping[str, object], source: str) -> PeerSettings:
    """Read the table strictly; `source` names the file in errors.

    Raises:
      ScenarioError: an unknown key or value.
    """

    def fail(key: str, message: str) -> ScenarioError:
        return ScenarioError(f"{source}: [peers] {key}: {message}")

    def one_of(key: str, choices: tuple[str, ...]) -> str:
        value = table.get(key, choices[0])
        if not isinstance(value, str) or value not in choices:
            expected = ", ".join(f'"{choice}"' for choice in choices)
            raise fail(key, f"expected one of {expected}, not {value!r}")
        return value

    def whole(key: str, default: int, limit: int | None = None) -> int:
        value = table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise fail(key, f"expected a whole number of at least 1, not {value!r}")
        if limit is not None and value > limit:
            raise fail(key, f"expected at most {limit}, not {value}")
        return value

    def limit(key: str) -> bool | int | float:
        if isinstance(table[key], str):  # A quoted number is a mistake, as for every other key.
            raise fail(key, f"expected a number, or true or false, not {table[key]!r}")
        try:
            return read_limit(key, table[key])
        except LimitError as error:
            raise fail(key, str(error).partition(": ")[2]) from None

    def seconds(key: str, default: float) -> float:
        try:
            value = parse_seconds(table[key]) if key in table else default
        except UnitError as error:
            raise fail(key, str(error)) from None
        if value <= 0:
            raise fail(key, f"expected more than 0 s, not {table[key]!r}")
        return value

    def announce_interval() -> int:
        value = seconds("announce_interval", 1800.0)
        if value % 1 or not MIN_INTERVAL_SECONDS <= value <= MAX_INTERVAL_SECONDS:
            raise fail("announce_interval", f"expected whole seconds, 1 s to 86400 s, not {value:g} s")
        return int(value)

    own = (
        *("piece_length", "neighbours", "picking", "serving", "unchoke_slots", "origin"),
        *("announce_interval", "peer_exchange", "exchange_interval"),
    )
    known = (*own, *IN_SCENARIOS)
    for key in table:
        if key not in known:
            raise fail(key, f"unknown key; expected one of {', '.join(known)}")
    if not isinstance(table.get("peer_exchange", False), bool):
        raise fail("peer_exchange", f"expected true or false, not {table['peer_exchange']!r}")
    piece_bytes = None
    if table.get("piece_length", BY_RULE) != BY_RULE:
        try:
            piece_bytes = parse_size(table["piece_length"])
        except UnitError as error:
            raise fail("piece_length", str(error)) from None
        if piece_bytes < BLOCK_BYTES or piece_bytes & (piece_bytes - 1):
            raise fail("piece_length", f"expected a power of two from 16 KiB on, not {piece_bytes}")
    return PeerSettings(
        piece_bytes=piece_bytes,
        neighbours=whole("neighbours", 20),
        picking=one_of("picking", PICKINGS),
        serving=one_of("serving", SERVING_NAMES),
        unchoke_slots=whole("unchoke_slots", 4, SLOTS_LIMIT),
        origin=one_of("origin", ORIGINS),
        announce_interval_seconds=announce_interval(),
        peer_exchange=bool(table.get("peer_exchange", False)),
        exchange_interval_seconds=seconds("exchange_interval", EXCHANGE_SECONDS),
        limits=limits_of({key: limit(key) for key in IN_SCENARIOS if key in table}, IN_TRIALS),
    )
