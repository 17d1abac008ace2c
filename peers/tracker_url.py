"""Where a torrent's tracker is: `http://host:port/announce`, resolved once."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from testbed.node import Address

EXPECTED = "expected a tracker URL such as http://127.0.0.1:6969/announce"
HTTP_PORT = 80


class TrackerUrlError(ValueError):
    """Not the URL of a tracker that can be spoken to; one line."""


@dataclass(frozen=True, slots=True)
class TrackerUrl:
    """The parts of an announce URL."""

    host: str
    port: int
    path: str

    @property
    def text(self) -> str:
        """The URL as people read it."""
        return f"http://{self.host}:{self.port}{self.path}"

    def resolve(self) -> Address:
        """Find the IPv4 address of the host; it may ask a name server.

        Raises:
          TrackerUrlError: the host has none.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, socket.AF_INET, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a host name"
            raise TrackerUrlError(f"cannot find tracker host {self.host!r}: {reason}") from None
        host, port = found[0][4][:2]
        return str(host), int(port)


def read_tracker_url(text: str) -> TrackerUrl:
    """Take an announce URL apart. Without a port it is HTTP's.

    Raises:
      TrackerUrlError: another scheme, no host or path, or a query.
    """
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise TrackerUrlError(f"{EXPECTED}, not {text!r}") from None
    plain = not (url.query or url.fragment or url.username) and url.path not in ("", "/")
    printable = text.isascii() and text.isprintable() and " " not in text
    if url.scheme != "http" or not url.hostname or not plain or not printable or port == 0:
        raise TrackerUrlError(f"{EXPECTED}, not {text!r}")
    return TrackerUrl(url.hostname, port or HTTP_PORT, url.path)
