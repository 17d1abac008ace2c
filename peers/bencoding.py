"""Bencoding (BEP 3) of what strangers sent: strict, and bounded before anything is built from it.

`fastbencode` does the work and already refuses unsorted or repeated keys, trailing data, leading
zeros and strings longer than the data. This layer adds what it leaves open:

* Depth. Without a limit a megabyte of `l` is a million nested lists.
* Integers. It takes thousands of digits; sizes and times here fit in 64 bits.
* Canonical form. Its fallback in Python lets `1_0:` pass. Each value has one encoding only, so
  encoding again must give the same bytes; the info hash of a torrent relies on that.
* One error type, with the reason in words.
"""

from __future__ import annotations

from typing import TypeAlias, cast

# Typed, but its functions come from the Rust module or the fallback under no explicit name.
from fastbencode import bdecode, bencode  # type: ignore[attr-defined]

Bencoded: TypeAlias = "int | bytes | list[Bencoded] | dict[bytes, Bencoded]"

MAX_DEPTH = 32
"""A torrent of files in nested folders has six levels; a version 2 file tree one per folder."""

MAX_INTEGER = 2**63 - 1


class BencodingError(ValueError):
    """Not bencoded, or beyond the bounds of this module; the message says what is wrong."""


def decode(data: bytes, *, max_bytes: int) -> Bencoded:
    """Give the value of a bencoded string.

    Raises:
      BencodingError: longer than `max_bytes`, nested too deeply, an integer beyond 64 bits, or not
        the one canonical encoding of any value.
    """
    if len(data) > max_bytes:
        raise BencodingError(f"at most {max_bytes} bytes expected, not {len(data)}")
    try:
        value = cast("Bencoded", bdecode(data, max_depth=MAX_DEPTH))
    except RecursionError:
        raise BencodingError(f"nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:
        raise BencodingError(f"not bencoded: {str(error) or 'malformed'}") from None
    _check_integers(value)
    if bencode(value) != data:
        raise BencodingError("not in canonical form")
    return value


def encode(value: Bencoded) -> bytes:
    """Give the one bencoding of a value."""
    return cast("bytes", bencode(value))


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
