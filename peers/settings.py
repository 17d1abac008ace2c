"""The [peers] table of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from peers.core.picker import PICKERS
from peers.core.upload import SERVINGS
from peers.torrent import BLOCK_BYTES
from testbed.errors import ScenarioError
from testbed.units import UnitError, parse_size

PICKINGS = tuple(PICKERS)
SERVING_NAMES = tuple(SERVINGS)
ORIGINS = ("plain", "super-seeding")

#: More unchoke slots than this are no limit.
SLOTS_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSettings:
    """How the peers of a run behave."""

    piece_bytes: int | None = None
    """None: by the size of the file."""
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

    known = ("piece_length", "neighbours", "picking", "serving", "unchoke_slots", "origin")
    for key in table:
        if key not in known:
            raise fail(key, f"unknown key; expected one of {', '.join(known)}")
    piece_bytes = None
    if "piece_length" in table:
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
    )
