"""What a tracker tells of its swarms without an announce (BEP 48): counts for each info hash."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote_from_bytes, unquote_to_bytes

from peers import bencoding
from peers.announce import MAX_QUERY_CHARACTERS, MAX_RESPONSE_BYTES, AnnounceError
from peers.bencoding import MAX_INTEGER, Bencoded, BencodingError
from peers.registry import MAX_SCRAPED, ScrapeEntry

SCRAPE_PATH = "/scrape"


def scrape_path(announce_path: str) -> str:
    """Give the path to scrape at: that of announces with its last part called otherwise.

    Raises:
      AnnounceError: the last part does not begin with `announce`, so this tracker has none (BEP 48).
    """
    folder, slash, last = announce_path.rpartition("/")
    if not last.startswith("announce"):
        raise AnnounceError("this tracker cannot be asked for counts")
    return f"{folder}{slash}scrape{last[len('announce') :]}"


def scrape_query(*info_hashes: bytes) -> str:
    """Give the query part of a scrape URL, without the question mark."""
    return "&".join(f"info_hash={quote_from_bytes(info_hash, safe='')}" for info_hash in info_hashes)


def read_scrape_query(query: str) -> list[bytes]:
    """Read the info hashes that are asked for. Unknown fields are passed over.

    Raises:
      AnnounceError: none, too many, or one that is malformed.
    """
    if len(query) > MAX_QUERY_CHARACTERS or not query.isascii():
        raise AnnounceError(f"a query is ASCII of at most {MAX_QUERY_CHARACTERS} characters")
    pairs = [pair.partition("=") for pair in query.split("&")]
    hashes = [unquote_to_bytes(value) for key, _, value in pairs if key == "info_hash"]
    if not 0 < len(hashes) <= MAX_SCRAPED or any(len(info_hash) != 20 for info_hash in hashes):
        raise AnnounceError(f"a scrape names 1 to {MAX_SCRAPED} info hashes of 20 bytes")
    return hashes


def encode_scrape(entries: Mapping[bytes, ScrapeEntry]) -> bytes:
    """Give the body of an answer."""
    files: dict[bytes, Bencoded] = {
        info_hash: {
            b"complete": entry.complete,
            b"downloaded": entry.downloaded,
            b"incomplete": entry.incomplete,
        }
        for info_hash, entry in entries.items()
    }
    return bencoding.encode({b"files": files})


def decode_scrape(data: bytes) -> dict[bytes, ScrapeEntry]:
    """Read the body of an answer.

    Raises:
      AnnounceError: not the answer of a tracker, or what it says is wrong.
    """
    try:
        body = bencoding.decode(data, max_bytes=MAX_RESPONSE_BYTES)
    except BencodingError as error:
        raise AnnounceError(str(error)) from None
    if isinstance(body, dict) and isinstance(reason := body.get(b"failure reason"), bytes):
        raise AnnounceError(reason[:200].decode(errors="replace"))
    files = body.get(b"files") if isinstance(body, dict) else None
    if not isinstance(files, dict):
        raise AnnounceError("an answer to a scrape is a dictionary of files")
    return {info_hash: _entry(counts) for info_hash, counts in files.items()}


def _entry(counts: Bencoded) -> ScrapeEntry:
    if not isinstance(counts, dict):
        raise AnnounceError("counts must be a dictionary")
    numbers = []
    for key in (b"complete", b"incomplete", b"downloaded"):
        value = counts.get(key, 0)
        if not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
            raise AnnounceError(f"{key.decode()} must be a number, zero or more")
        numbers.append(value)
    return ScrapeEntry(*numbers)
