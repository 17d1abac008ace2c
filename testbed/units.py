"""Quantities as people write them: a number and a unit. A bare number is an error.

Bits for bytes is the field's commonest mistake, so nothing is assumed: `"256 KiB/s"`,
`"10 Gbit/s"`, `"16 MiB"`, `"20 ms"`. Decimal prefixes are powers of 1000 (k, M, G, T), binary ones of
1024 (Ki, Mi, Gi, Ti).
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from testbed.errors import ScenarioError

#: So many digits at most that reading them exactly is cheap, whatever somebody types.
_NUMBER = re.compile(
    r"\s*([+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][+-]?[0-9]{1,2})?)\s*(.*?)\s*\Z"
)

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

#: Exact factors: 4.35 kB is 4350 bytes, which 4.35 * 1000 in floating point need not be.
_SIZES = {f"{prefix}B": Fraction(factor) for prefix, factor in _PREFIXES.items()} | {
    f"{prefix}bit": Fraction(factor, 8) for prefix, factor in _PREFIXES.items()
}

_RATES = {f"{unit}/s": factor for unit, factor in _SIZES.items()}

_SECONDS = {
    "s": Fraction(1),
    "ms": Fraction(1, 1000),
    "us": Fraction(1, 1_000_000),
    "min": Fraction(60),
    "h": Fraction(3600),
}

UNLIMITED = "unlimited"


class UnitError(ScenarioError, ValueError):
    """A quantity that cannot be read. One line that says what was expected."""


def _parse(text: object, units: dict[str, Fraction], expected: str) -> Fraction:
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
    value = Fraction(number) * units[unit]
    if value < 0:
        raise UnitError(f"expected {expected} that is not negative, not {text!r}")
    return value


def parse_size(text: object) -> int:
    """Read a size such as `"2.5 MiB"` or `"15 Gbit"`, in bytes.

    Raises:
      UnitError: no number, no unit, an unknown unit, negative, or not a whole number of bytes.
    """
    value = _parse(text, _SIZES, 'a size such as "16 MiB"')
    if value.denominator != 1:
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
    return float(_parse(text, _RATES, 'a rate such as "256 KiB/s"'))


def parse_seconds(text: object) -> float:
    """Read a duration such as `"30 s"` or `"20 ms"`, in seconds.

    Raises:
      UnitError: no number, no unit, an unknown unit, or negative.
    """
    return float(_parse(text, _SECONDS, 'a duration such as "20 ms"'))


def parse_fraction(text: object) -> float:
    """Read a part of a whole such as `"0.5 %"`; 1 % is 0.01.

    Raises:
      UnitError: no number, no unit, an unknown unit, or negative.
    """
    return float(_parse(text, {"%": Fraction(1, 100)}, 'a part such as "0.5 %"'))


def format_bytes(size_bytes: float) -> str:
    """Write a size for people, in binary units with three digits or more."""
    size = float(size_bytes)
    if abs(size) < 1023.5:
        return f"{_digits(size)} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if abs(size) < 1023.5:
            return f"{_digits(size)} {unit}"
    return f"{_digits(size / 1024)} TiB"


def format_rate(bytes_per_second: float) -> str:
    """Write a rate for people; infinity is `unlimited`."""
    if math.isinf(bytes_per_second):
        return UNLIMITED
    return f"{format_bytes(bytes_per_second)}/s"


def format_seconds(seconds: float) -> str:
    """Write a duration for people: milliseconds below a second, minutes above two, then hours."""
    if abs(seconds) < 0.9995:
        return f"{_digits(seconds * 1000)} ms"
    if abs(seconds) < 119.5:
        return f"{_digits(seconds)} s"
    whole = round(seconds)
    if whole < 7200:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _digits(value: float) -> str:
    """Three digits, all digits of a whole number above them, never an exponent."""
    if abs(value) >= 99.95 or value == round(value):
        return f"{value:.0f}"
    if abs(value) >= 9.995:
        return f"{value:.1f}".removesuffix(".0")
    text = f"{value:.2f}" if abs(value) >= 0.9995 else f"{value:.3g}"
    return text.rstrip("0").rstrip(".") if "e" not in text else "0"
