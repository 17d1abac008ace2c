"""Magnet links (BEP 9): a torrent by its info hash, with where to ask for the rest.

magnet:?xt=urn:btih:<info hash>&dn=<name>&tr=<tracker URL>&x.pe=<host:port>
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from peers.torrent import Torrent
from testbed.node import Address

MAX_MAGNET_CHARACTERS = 8192
MAX_PEERS = 100

PREFIX = "magnet:?"

EXPECTED = "expected a magnet link such as magnet:?xt=urn:btih:<40 hex digits>&tr=<tracker URL>"

_PEER = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9A-Za-z.-]{1,253})):([0-9]{1,5})", re.ASCII)


class MagnetError(ValueError):
    """Not a magnet link of a version 1 torrent; one line."""


@dataclass(frozen=True, slots=True)
class Magnet:
    """What a magnet link says."""

    info_hash: bytes
    name: str = ""
    """For people; what the files are called is in the metadata."""
    trackers: tuple[str, ...] = ()
    peers: tuple[Address, ...] = ()
    """Hosts and ports to ask, beside those that the tracker knows."""

    @property
    def text(self) -> str:
        """The link."""
        parts = [f"xt=urn:btih:{self.info_hash.hex()}"]
        if self.name:
            parts.append(f"dn={quote(self.name, safe='')}")
        parts += [f"tr={quote(tracker, safe='')}" for tracker in self.trackers]
        for host, port in self.peers:
            parts.append(f"x.pe=[{host}]:{port}" if ":" in host else f"x.pe={host}:{port}")
        return PREFIX + "&".join(parts)


def magnet_of(torrent: Torrent) -> Magnet:
    """Give the link of a torrent."""
    trackers = (torrent.announce,) if torrent.announce else ()
    return Magnet(torrent.info_hash, torrent.name, trackers)


def read_magnet(text: str) -> Magnet:
    """Take a magnet link apart. Fields that are not known here are passed over.

    Raises:
      MagnetError: no info hash, more than one, or a peer that is no address.
    """
    if not text.startswith(PREFIX) or len(text) > MAX_MAGNET_CHARACTERS:
        raise MagnetError(f"{EXPECTED}, not {text[:60]!r}")
    try:
        fields = parse_qsl(text[len(PREFIX) :], max_num_fields=1000)
    except ValueError:
        raise MagnetError(f"{EXPECTED}, not one of a thousand fields") from None
    hashes = {
        value[len("urn:btih:") :] for key, value in fields if key == "xt" and "urn:btih:" in value[:9]
    }
    if len(hashes) != 1:
        raise MagnetError(f"{EXPECTED}, not {len(hashes)} info hashes")
    return Magnet(
        info_hash=_info_hash(hashes.pop()),
        name=next((value for key, value in fields if key == "dn"), ""),
        trackers=tuple(dict.fromkeys(value for key, value in fields if key == "tr")),
        peers=tuple(_peer(value) for key, value in fields if key == "x.pe")[:MAX_PEERS],
    )


def _info_hash(text: str) -> bytes:
    """Read 40 hex digits or, as older links have it, 32 characters of base 32."""
    try:
        found = bytes.fromhex(text) if len(text) == 40 else base64.b32decode(text.upper())
    except (ValueError, binascii.Error):
        found = b""
    if len(found) != 20:
        raise MagnetError(f"{EXPECTED}, not the info hash {text[:60]!r}")
    return found


def _peer(text: str) -> Address:
    found = _PEER.fullmatch(text)
    if found is None or not 0 < int(found[3]) < 65536:
        raise MagnetError(f"a peer (x.pe) is host:port, not {text[:60]!r}")
    return found[1] or found[2], int(found[3])
