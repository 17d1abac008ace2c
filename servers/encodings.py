"""Which precompressed form of a file a client takes, and which type of page (RFC 9110 section 12.5)."""

from __future__ import annotations

import re

#: Content codings of siblings on disk, best first, and what their names end with.
SUFFIXES = (("br", ".br"), ("zstd", ".zst"), ("gzip", ".gz"))

_QUALITY = re.compile(r"[qQ][ \t]*=[ \t]*(1(?:\.0{0,3})?|0(?:\.[0-9]{0,3})?)\Z")

#: An older name of the same coding (RFC 9110 section 8.4.1.3).
_ALIASES = {"x-gzip": "gzip"}


def qualities(value: str) -> dict[str, float]:
    """Read a list of names with weights; what is malformed counts as not wanted."""
    wishes: dict[str, float] = {}
    for item in value.split(","):
        name, *parameters = (part.strip(" \t") for part in item.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter[:1] in ("q", "Q"):
                match = _QUALITY.match(parameter)
                quality = float(match[1]) if match else 0.0
        if name:
            name = name.lower()
            wishes[_ALIASES.get(name, name)] = quality
    return wishes


def accepted_codings(value: str | None) -> tuple[tuple[str, str], ...]:
    """Codings that a client takes, as `SUFFIXES`, in the order of its wishes and then of ours.

    One that it likes less than the plain file is left out, and so is every coding where the client
    says nothing: it may be one that has none.
    """
    if value is None:
        return ()
    wishes = qualities(value)
    any_other = wishes.get("*", 0.0)
    plain = wishes.get("identity", 0.0)
    ranked = [(wishes.get(coding, any_other), coding, suffix) for coding, suffix in SUFFIXES]
    ranked = [item for item in ranked if item[0] > 0 and item[0] >= plain]
    ranked.sort(key=lambda item: -item[0])  # Stable: among equals ours.
    return tuple((coding, suffix) for _, coding, suffix in ranked)


def prefers_json(value: str | None) -> bool:
    """Whether a listing should be for a program: only for one that says so."""
    if value is None:
        return False
    wishes = qualities(value)
    others = max(wishes.get("text/*", 0.0), wishes.get("*/*", 0.0))
    json = wishes.get("application/json", wishes.get("application/*", 0.0))
    return json > wishes.get("text/html", others)
