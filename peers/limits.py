"""What strangers may take of a peer: every bound that one may want to change, each with its reason.

Bounds that follow from the protocol are not here but where they are used: 1 MiB a message and 128 KiB a
block in `wire/frames.py`, 8 MiB of metadata in `torrent.py`, 500 addresses in `core/introduction.py`.

By hand each is an option, `--limit NAME=VALUE`; a scenario has those of `IN_SCENARIOS` in [peers]. How
many neighbours a peer keeps is a matter of policy: `PeerConfig.neighbours`. What is hit is counted by
reason: as the end of a link in the ledger's `violations`, else in `limits_hit`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

IN_SCENARIOS = ("ban", "corrupt_pieces_a_host", "request_queue", "refused_requests")
"""Limits that a node keeps in both worlds. The others are about strangers, of whom a trial has none."""

MOST = 1_000_000
"""Of any limit: beyond it a number is a slip of the keyboard."""


class LimitError(ValueError):
    """Not a limit, or not a value for it; one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of this peer others may take."""

    connections: int = 1024
    """Sockets of those who connected, at a time, with those that are just being closed. Each takes a
    descriptor, and without one the peer's own file cannot be opened either."""

    half_open: int = 256
    """Of those, how many may not have introduced themselves yet. One more, and the one that has waited
    longest is closed: a flood of them cannot lock others out until its time is up. 2.6 KB each."""

    handshake_seconds: float = 10.0
    """A stranger has so long to introduce itself, however it spreads its 68 bytes: five round trips to
    the other side of a slow world."""

    request_queue: int = 256
    """Blocks one peer may have waiting here, 4 MiB of promises; it is told so (BEP 10, `reqq`). Fills
    1 Gbit/s at 30 ms."""

    refused_requests: int = 1024
    """Requests beyond its grant or the queue, of one peer for one grant, or four pieces' if that is
    more; one more is a flood, and the link ends. An honest peer that fills the queue and is choked is
    refused 256."""

    unanswered_requests: int = 3
    """So often in a row a peer may let requests lapse (20 s of silence, or a minute without a block)
    before its link ends: pieces that a liar was asked for are asked of nobody else meanwhile."""

    silence_seconds: float = 240.0
    """A link without a message for so long ends. BEP 3 asks for one every two minutes."""

    idle_seconds: float = 60.0
    """When all places are taken, a neighbour with whom nothing was exchanged for so long, and who wants
    nothing as nothing is wanted of it, gives its place to a newcomer: else a seed that is linked with
    other seeds would refuse those who lack the file. Off in trials, whose places nobody contests."""

    stall_seconds: float = 30.0
    """A link that has something to send and can send none of it for so long ends: whoever asks and
    never reads keeps 0.4 MB of kernel memory."""

    ban: bool = True
    """Who sent a corrupt piece is not spoken to again. Off, to study pollution without it."""

    corrupt_pieces_a_host: int = 3
    """From so many on all of a host is banned, not only the peer, by its id and address. One would hit
    the honest behind the same NAT, and all of a trial at 127.0.0.1; no bound would let a liar come back
    for ever under another id."""


DEFAULT_LIMITS = Limits()
IN_TRIALS = Limits(idle_seconds=math.inf)

NAMES = tuple(field.name for field in fields(Limits))


def read_limit(name: str, value: object) -> bool | int | float:
    """Check one limit's value, from a TOML file or a command line (then a text).

    Raises:
      LimitError: no such limit, or no value for it.
    """
    kinds: Mapping[str, str] = {field.name: str(field.type) for field in fields(Limits)}
    kind = kinds.get(name)
    if kind is None:
        raise LimitError(f"no limit is called {name!r}; expected one of {', '.join(NAMES)}")
    if isinstance(value, str):
        value = _from_text(value)
    if kind == "bool":
        if not isinstance(value, bool):
            raise LimitError(f"{name}: expected true or false, not {value!r}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LimitError(f"{name}: expected a number, not {value!r}")
    if kind == "int" and (not isinstance(value, int) or value < 1):
        raise LimitError(f"{name}: expected a whole number of at least 1, not {value!r}")
    if not 0 < value <= MOST:
        raise LimitError(f"{name}: expected more than 0 and at most {MOST}, not {value!r}")
    return value


def limits_of(values: Mapping[str, Any], base: Limits = DEFAULT_LIMITS) -> Limits:
    """Give the limits with these of `read_limit` in place of others."""
    return replace(base, **values)


def _from_text(text: str) -> object:
    named = {"true": True, "false": False}.get(text.lower())
    if named is not None:
        return named
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
