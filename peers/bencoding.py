"""Bencoding (BEP 3) of what strangers sent: strict, and bounded before anything is built from it.

`fastbencode` does the work and already refuses unsorted or repeated keys, trailing data, leading
zeros and strings longer than the data. This layer adds what it leaves open:

* Depth. Without a limit a megabyte of `l` is a million nested lists.
* Number. Eight megabytes of `de` are four million dictionaries: 285 MB, and four seconds. A look at
  the tokens, which passes over strings, finds both before anything is built.
* Integers. It takes thousands of digits; sizes and times here fit in 64 bits.
* Canonical form. Its fallback in Python lets `1_0:` pass. Each value has one encoding only, so
  encoding again must give the same bytes; the info hash of a torrent relies on that.
* One error type, with the reason in words.
"""

from __future__ import annotations

import re
from typing import TypeAlias, cast

# Typed, but its functions come from the Rust module or the fallback under no explicit name.
from fastbencode import bdecode, bencode  # type: ignore[attr-defined]

Bencoded: TypeAlias = "int | bytes | list[Bencoded] | dict[bytes, Bencoded]"

MAX_DEPTH = 32
"""A torrent of files in nested folders has six levels; a version 2 file tree one per folder."""

MAX_TOKENS = 300_000
"""A torrent of 30,000 files has ten for each: its dictionary, keys and values, and their ends."""

MAX_INTEGER = 2**63 - 1

#: The start of a list or dictionary, the end of one, an integer, or the length of a string.
_TOKEN = re.compile(rb"([ld])|(e)|i-?[0-9]+e|([0-9]{1,9}):")


class BencodingError(ValueError):
    """Not bencoded, or beyond the bounds of this module; the message says what is wrong."""


def decode(data: bytes, *, max_bytes: int) -> Bencoded:
    """Give the value of a bencoded string.

    Raises:
      BencodingError: longer than `max_bytes`, nested too deeply, of too many values, an integer
        beyond 64 bits, or not the one canonical encoding of any value.
    """
    if len(data) > max_bytes:
        raise BencodingError(f"at most {max_bytes} bytes expected, not {len(data)}")
    _check_shape(data)
    try:
        value = cast("Bencoded", bdecode(data))
    except ValueError as error:
        raise BencodingError(f"not bencoded: {str(error) or 'malformed'}") from None
    _check_integers(value)
    if bencode(value) != data:
        raise BencodingError("not in canonical form")
    return value


def encode(value: Bencoded) -> bytes:
    """Give the one bencoding of a value."""
    return cast("bytes", bencode(value))


def _check_shape(data: bytes) -> None:
    """Count what would be built. All that `bdecode` accepts is made of these tokens."""
    position = depth = tokens = 0
    while position < len(data):
        token = _TOKEN.match(data, position)
        if token is None:
            raise BencodingError(f"not bencoded: no value at byte {position}")
        opens, closes, string_bytes = token.groups()
        position = token.end()
        tokens += 1
        if opens:
            depth += 1
        elif closes:
            depth -= 1
        elif string_bytes:
            position += int(string_bytes)
        if depth > MAX_DEPTH:
            raise BencodingError(f"nested more than {MAX_DEPTH} deep")
        if tokens > MAX_TOKENS:
            raise BencodingError(f"more than {MAX_TOKENS} values")


def _check_integers(value: Bencoded) -> None:
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise BencodingError("an integer beyond 64 bits")
    elif isinstance(value, list):
        for item in value:
            _check_integers(item)
    elif isinstance(value, dict):
        for item in value.values():
            _check_integers(item)
