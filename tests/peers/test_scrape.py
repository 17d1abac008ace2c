"""Counts of a swarm without an announce (BEP 48)."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.announce import AnnounceError, AnnounceRequest
from peers.registry import Registry, ScrapeEntry
from peers.scrape import (
    decode_scrape,
    encode_scrape,
    read_scrape_query,
    scrape_path,
    scrape_query,
)
from peers.tracker import TrackerNode
from servers.http1 import Request
from testbed.node import LinkId, LinkUp, Received, Send

HASH = b"h" * 20
hashes = st.binary(min_size=20, max_size=20)
counts = st.integers(0, 2**63 - 1)


def announced(registry: Registry, number: int, **fields: int | str) -> None:
    request = AnnounceRequest(HASH, b"-XX0001-%012d" % number, 6881, **fields)
    registry.announce(request, f"10.0.0.{number}", 0.0)


def test_counts_are_of_who_is_there_and_of_who_ever_completed():
    registry = Registry(rng=Random(0), interval_seconds=100)
    assert registry.scrape(HASH, 0.0) is None
    announced(registry, 1, left=0)
    announced(registry, 2, left=5)
    announced(registry, 3, left=5)
    announced(registry, 3, left=0, event="completed")
    announced(registry, 3, left=0, event="completed")
    assert registry.scrape(HASH, 0.0) == ScrapeEntry(complete=2, incomplete=1, downloaded=1)
    assert registry.scrape(HASH, 201.0) == ScrapeEntry(downloaded=1)


def test_the_tracker_answers_for_the_torrents_that_it_knows():
    registry = Registry(rng=Random(0))
    announced(registry, 1, left=5)
    tracker = TrackerNode(registry)
    tracker.handle(LinkUp(LinkId(1), ("10.0.0.9", 1), False, "tracker"), 0.0)
    target = f"/scrape?{scrape_query(HASH, b'x' * 20)}"
    [send] = tracker.handle(Received(LinkId(1), Request("GET", target, ())), 0.0)
    assert isinstance(send, Send)
    assert decode_scrape(send.message.content) == {HASH: ScrapeEntry(incomplete=1)}
    tracker.handle(LinkUp(LinkId(2), ("10.0.0.9", 1), False, "tracker"), 0.0)
    [send] = tracker.handle(Received(LinkId(2), Request("GET", "/scrape", ())), 0.0)
    with pytest.raises(AnnounceError, match="names 1 to"):
        decode_scrape(send.message.content)


@given(st.lists(hashes, min_size=1, max_size=10))
def test_a_query_names_what_it_was_made_of(info_hashes):
    assert read_scrape_query(scrape_query(*info_hashes)) == info_hashes


@given(st.dictionaries(hashes, st.builds(ScrapeEntry, counts, counts, counts), max_size=5))
def test_an_answer_says_what_it_was_made_of(entries):
    assert decode_scrape(encode_scrape(entries)) == entries


@given(st.binary(max_size=60) | st.sampled_from([b"de", b"d5:filesde", b"d5:filesd1:xi0eee"]))
def test_any_answer_gives_counts_or_the_error(data):
    try:
        assert isinstance(decode_scrape(data), dict)
    except AnnounceError:
        return


@pytest.mark.parametrize("query", ["", "info_hash=a", "a=b", "info_hash=" + "%00" * 19, "é"])
def test_a_query_without_whole_hashes_is_refused(query):
    with pytest.raises(AnnounceError):
        read_scrape_query(query)


def test_where_to_scrape_follows_from_where_to_announce():
    assert scrape_path("/announce") == "/scrape"
    assert scrape_path("/x/announce.php") == "/x/scrape.php"
    with pytest.raises(AnnounceError):
        scrape_path("/a")
