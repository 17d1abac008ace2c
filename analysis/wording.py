"""How numbers are written for people: units, sensible digits, and a dash for what is not known."""

from __future__ import annotations

import math

UNKNOWN = "—"
MOST_DIGITS = 4
KIBIBYTE, MEBIBYTE, GIBIBYTE = 1024.0, 1024.0**2, 1024.0**3


def plain_number(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, trailing zeros kept, no power of ten.

    Digits before the point are never dropped: 1234 with three digits is `1234`.
    """
    if not math.isfinite(value):
        return "unlimited" if value > 0 else UNKNOWN
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{value:,.{min(max(decimals, 0), 9)}f}"


def short_number(value: float) -> str:
    """Write a number with three significant digits and no zeros behind them: `2.1`, `31,200`."""
    return f"{float(f'{value:.3g}'):,.12g}"


def number(value: float | None, digits: int = 3) -> str:
    """Write a number, or the dash."""
    return UNKNOWN if value is None or math.isnan(value) else plain_number(value, digits)


def seconds(value: float | None) -> str:
    """Write a time: `1.75 s`, `16.3 ms`."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return f"{plain_number(value * 1000)} ms" if 0 < abs(value) < 0.1 else f"{plain_number(value)} s"


def percent(value: float | None, decimals: int = 0) -> str:
    """Write a share as per cent."""
    return UNKNOWN if value is None or math.isnan(value) else f"{value:.{decimals}%}"


def size(value: float | None) -> str:
    """Write a number of bytes in the unit that scenario files use: `2.50 MiB`."""
    if value is None or math.isnan(value):
        return UNKNOWN
    for unit, name in ((GIBIBYTE, "GiB"), (MEBIBYTE, "MiB"), (KIBIBYTE, "KiB")):
        if abs(value) >= unit:
            return f"{plain_number(value / unit)} {name}"
    return f"{value:.0f} B"


def rate(value: float | None) -> str:
    """Write bytes per second: `8.00 MiB/s`."""
    if value is not None and math.isinf(value):
        return "unlimited"
    text = size(value)
    return text if text == UNKNOWN else f"{text}/s"


def low_to_high(low: float, high: float, least_digits: int = 2) -> str:
    """Write a range with as few digits as show how wide it is: `4.5-4.7`, `1.345-1.351`."""
    for digits in range(least_digits, MOST_DIGITS + 1):
        ends = plain_number(low, digits), plain_number(high, digits)
        shown = [float(end.replace(",", "")) for end in ends]
        if max(abs(shown[0] - low), abs(shown[1] - high)) <= (high - low) / 4:
            return f"{ends[0]}-{ends[1]}"
    # As good as equal: more digits would only show that floats have them.
    middle = plain_number((low + high) / 2, least_digits)
    return middle if ends[0] == ends[1] else f"{ends[0]}-{ends[1]}"


def factor(value: float) -> str:
    """Write a ratio: near 1 the second decimal is the message, at 4.6 it is noise."""
    return plain_number(value, 3 if 0.1 <= value < 2 or value >= 100 else 2)


def clients(count: int) -> str:
    """Write `1 client`, `32 clients`."""
    return "1 client" if count == 1 else f"{count:,} clients"
