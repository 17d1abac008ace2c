"""Dates as HTTP has them (RFC 9110 section 5.6.7): written in one form, read in three.

The standard library's reader takes much more, in any time zone; a condition that was never a date
would then decide something.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import formatdate

_MONTHS = {
    month: number
    for number, month in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_WEEKDAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS = (
    re.compile(f"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(f"{_WEEKDAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(f"{_DAY} {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)

#: Years of two digits from here on are of the last century: no file is older than Unix time.
_FIRST_SHORT_YEAR = 70


def format_date(unix_seconds: float) -> str:
    """Give the date in the form that is sent."""
    return formatdate(int(unix_seconds), usegmt=True)


def parse_date(text: str) -> int | None:
    """Give Unix seconds, or None for what is no date: conditions with it are passed over."""
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            break
    else:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        year += 1900 if year >= _FIRST_SHORT_YEAR else 2000
    second = min(int(match["second"]), 59)  # 60 is a leap second, which Unix time has none of.
    try:
        moment = datetime(
            year,
            _MONTHS[match["month"]],
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            second,
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return int(moment.timestamp())
