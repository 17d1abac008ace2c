"""Quantities as people write them: a number and a unit. A bare number is an error.

Bits for bytes is the field's commonest mistake, so nothing is assumed: `"256 KiB/s"`,
`"10 Gbit/s"`, `"16 MiB"`, `"20 ms"`. Decimal prefixes are powers of 1000 (k, M, G, T), binary ones of
1024 (Ki, Mi, Gi, Ti).
"""

from __future__ import annotations

import math
import re

from testbed.errors import ScenarioError

_NUMBER = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*\Z")

_PREFIXES = {
    "": 1,
    "k": 1000,
    "M": 1000**2,
    "G": 1000**3,
    "T": 1000**4,
    "Ki": 1024,
    "Mi": 1024**2,
    "Gi": 1024**3,
    "Ti": 1024**4,
}

_SIZES = {f"{prefix}B": float(factor) for prefix, factor in _PREFIXES.items()} | {
    f"{prefix}bit": factor / 8 for prefix, factor in _PREFIXES.items()
}

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0}

UNLIMITED = "unlimited"


class UnitError(ScenarioError, ValueError):
    """A quantity that cannot be read. One line that says what was expected."""


def _parse(text: object, units: dict[str, float], expected: str) -> float:
    if not isinstance(text, str):
        raise UnitError(f"expected {expected} with its unit, not the bare value {text!r}")
    match = _NUMBER.match(text)
    if match is None:
        raise UnitError(f"expected {expected}, not {text!r}")
    number, unit = match.groups()
    if not unit:
        raise UnitError(f"expected {expected} with its unit, not the bare number {text!r}")
    if unit not in units:
        raise UnitError(f"expected {expected}; {unit!r} in {text!r} is none of {', '.join(units)}")
    value = float(number) * units[unit]
    if not math.isfinite(value) or value < 0:
        raise UnitError(f"expected {expected} that is not negative, not {text!r}")
    return value


def parse_size(text: object) -> int:
    """Read a size such as `"2.5 MiB"` or `"15 Gbit"`, in bytes.

    Raises:
      UnitError: no number, no unit, an unknown unit, negative, or not a whole number of bytes.
    """
    value = _parse(text, _SIZES, 'a size such as "16 MiB"')
    if value != int(value):
        raise UnitError(f"expected a whole number of bytes, not {text!r}")
    return int(value)


def parse_rate(text: object) -> float:
    """Read a rate such as `"256 KiB/s"` or `"10 Gbit/s"`, in bytes per second.

    `"unlimited"` is infinity.

    Raises:
      UnitError: no number, no unit, an unknown unit, or negative.
    """
    if text == UNLIMITED:
        return math.inf
    rates = {f"{unit}/s": factor for unit, factor in _SIZES.items()}
    return _parse(text, rates, 'a rate such as "256 KiB/s"')


def parse_seconds(text: object) -> float:
    """Read a duration such as `"30 s"` or `"20 ms"`, in seconds.

    Raises:
      UnitError: no number, no unit, an unknown unit, or negative.
    """
    return _parse(text, _SECONDS, 'a duration such as "20 ms"')


def format_bytes(size_bytes: float) -> str:
    """Write a size for people, in binary units with three digits."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.4g} TiB"


def format_rate(bytes_per_second: float) -> str:
    """Write a rate for people."""
    if math.isinf(bytes_per_second):
        return UNLIMITED
    return f"{format_bytes(bytes_per_second)}/s"


def format_seconds(seconds: float) -> str:
    """Write a duration for people: milliseconds below a second, minutes above two."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
