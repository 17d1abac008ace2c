"""The [peers] table of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from peers.torrent import BLOCK_BYTES
from testbed.errors import ScenarioError
from testbed.units import UnitError, parse_size

PICKINGS = ("rarest first",)
SERVINGS = ("rotating grants",)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSettings:
    """How the peers of a run behave."""

    piece_bytes: int | None = None
    """None: by the size of the file."""
    neighbours: int = 20
    """Most links of a peer. More cost HAVE messages: a full mesh of 32 filled a core with them."""
    picking: str = PICKINGS[0]
    serving: str = SERVINGS[0]


def read_settings(table: Mapping[str, object], source: str) -> PeerSettings:
    """Read the table strictly; `source` names the file in errors.

    Raises:
      ScenarioError: an unknown key or value.
    """

    def fail(key: str, message: str) -> ScenarioError:
        return ScenarioError(f"{source}: [peers] {key}: {message}")

    known = ("piece_length", "neighbours", "picking", "serving")
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
    neighbours = table.get("neighbours", 20)
    if isinstance(neighbours, bool) or not isinstance(neighbours, int) or neighbours < 1:
        raise fail("neighbours", f"expected a whole number of at least 1, not {neighbours!r}")
    for key, choices in (("picking", PICKINGS), ("serving", SERVINGS)):
        if table.get(key, choices[0]) not in choices:
            expected = ", ".join(f'"{choice}"' for choice in choices)
            raise fail(key, f"expected one of {expected}, not {table[key]!r}")
    return PeerSettings(
        piece_bytes=piece_bytes,
        neighbours=neighbours,
        picking=str(table.get("picking", PICKINGS[0])),
        serving=str(table.get("serving", SERVINGS[0])),
    )
