"""What every answer says, whatever it is about: the date, and whether the connection stays open."""

from __future__ import annotations

from collections.abc import Callable

from servers.dates import format_date
from servers.http1 import Headers
from servers.wire import encode_headers


class Envelope:
    """Headers of every answer. The date is formatted once a second.

    Args:
      wall_clock: Unix time. Nothing is decided by it. None leaves the date out.
    """

    def __init__(self, wall_clock: Callable[[], float] | None) -> None:
        self._wall_clock = wall_clock
        self._until = -1.0
        self._date: Headers = ()
        self._open = b"\r\n"
        self._closing = encode_headers((("Connection", "close"),)) + b"\r\n"

    def headers(self, now: float, *, closing: bool) -> Headers:
        """The headers. `closing`: the connection ends with this answer."""
        if now >= self._until:
            self._renew(now)
        return (*self._date, ("Connection", "close")) if closing else self._date

    def end(self, now: float, *, closing: bool) -> bytes:
        """The same as bytes, and the blank line that ends a head."""
        if now >= self._until:
            self._renew(now)
        return self._closing if closing else self._open

    def _renew(self, now: float) -> None:
        if self._wall_clock is None:
            self._until = float("inf")
            return
        unix_now = self._wall_clock()
        # Until the next whole second begins, and not for a second from now.
        self._until = now + 1.0 - unix_now % 1.0
        self._date = (("Date", format_date(unix_now)),)
        date = encode_headers(self._date)
        self._open = date + b"\r\n"
        self._closing = date + encode_headers((("Connection", "close"),)) + b"\r\n"
