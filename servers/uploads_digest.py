"""Digests that a client sends with content (RFC 9530), and whether the content has them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from servers.http1 import Headers, find_all
from testbed.node import Payload

#: What is checked. Other algorithms may be sent beside these and are passed over (section 2).
ALGORITHMS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}

#: A dictionary of byte sequences (RFC 9651); parameters mean nothing here.
_MEMBER = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):(?:;[^,]*)?")


class MalformedDigest(Exception):
    """The field is no dictionary of byte sequences."""


def wanted_digests(headers: Headers, field: str) -> dict[str, bytes]:
    """The digests in a field, of algorithms that are known.

    Args:
      field: Its lower-case name: `content-digest` or `repr-digest`.

    Raises:
      MalformedDigest: it is there and cannot be read.
    """
    value = find_all(headers, field)
    digests: dict[str, bytes] = {}
    for member in value.split(",") if value is not None else ():
        match = _MEMBER.fullmatch(member.strip(" \t"))
        if match is None:
            raise MalformedDigest(f"malformed {field}")
        try:
            digest = base64.b64decode(match[2], validate=True)
        except binascii.Error:
            raise MalformedDigest(f"malformed {field}") from None
        if match[1] in ALGORITHMS:
            digests[match[1]] = digest
    return digests


class DigestCheck:
    """Computes what is wanted while content passes by."""

    def __init__(self, wanted: dict[str, bytes]) -> None:
        self._wanted = wanted
        self._hashes = {name: ALGORITHMS[name]() for name in wanted}

    def update(self, content: Payload) -> None:
        """Take more of the content."""
        for computed in self._hashes.values():
            computed.update(content)  # type: ignore[arg-type]  # What a decoder gives is bytes.

    def wrong(self) -> str | None:
        """The first algorithm whose digest differs, or None."""
        for name, computed in self._hashes.items():
            if computed.digest() != self._wanted[name]:
                return name
        return None
