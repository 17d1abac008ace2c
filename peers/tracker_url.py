"""Where a torrent's tracker is: `http://host:port/announce` or `udp://host:port`, resolved once."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from peers.plan import TrackerPlace

EXPECTED = "expected a tracker URL such as http://127.0.0.1:6969/announce or udp://127.0.0.1:6969"
HTTP_PORT = 80


class TrackerUrlError(ValueError):
    """Not the URL of a tracker that can be spoken to; one line."""


@dataclass(frozen=True, slots=True)
class TrackerUrl:
    """The parts of an announce URL."""

    host: str
    port: int
    path: str
    scheme: str = "http"

    @property
    def text(self) -> str:
        """The URL as people read it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    def resolve(self) -> TrackerPlace:
        """Find an address of the host, IPv4 before IPv6; it may ask a name server.

        Raises:
          TrackerUrlError: the host has none.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a host name"
            raise TrackerUrlError(f"cannot find tracker host {self.host!r}: {reason}") from None
        found.sort(key=lambda entry: entry[0] != socket.AF_INET)
        host, port = found[0][4][:2]
        return TrackerPlace(address=(str(host), int(port)), path=self.path, udp=self.scheme == "udp")


def read_tracker_url(text: str) -> TrackerUrl:
    """Take an announce URL apart. Without a port it is HTTP's; UDP has no usual one.

    Raises:
      TrackerUrlError: another scheme, no host, port or path, or a query.
    """
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise TrackerUrlError(f"{EXPECTED}, not {text!r}") from None
    plain = not (url.query or url.fragment or url.username)
    printable = text.isascii() and text.isprintable() and " " not in text
    if url.scheme == "udp":
        usable = bool(port)
    else:
        usable = url.scheme == "http" and url.path not in ("", "/") and port != 0
    if not (usable and url.hostname and plain and printable):
        raise TrackerUrlError(f"{EXPECTED}, not {text!r}")
    return TrackerUrl(url.hostname, port or HTTP_PORT, url.path, url.scheme)
