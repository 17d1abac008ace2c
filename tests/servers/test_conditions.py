"""Ranges and validators (RFC 9110), on a file of a thousand bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.conditions import Unsatisfiable, not_modified, wanted_range
from servers.files import Resource
from testbed.storage import SharedStorage

MODIFIED = 1_700_000_000.5
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


def resource(size=1000, etag='"v1"'):
    return Resource(SharedStorage(memoryview(bytes(size))), etag, MODIFIED, "text/plain")


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-999", (0, 1000)),
        ("bytes=10-19", (10, 10)),
        ("Bytes=10-19", (10, 10)),
        ("bytes=990-", (990, 10)),
        ("bytes=990-5000", (990, 10)),
        ("bytes=0-" + "9" * 5000, (0, 1000)),
        ("bytes=000000000000000000000000000001-1", (1, 1)),
        ("bytes=-1", (999, 1)),
        ("bytes=-5000", (0, 1000)),
        ("bytes=-" + "9" * 5000, (0, 1000)),
    ],
)
def test_range_is_cut_to_what_there_is(value, part):
    assert wanted_range((("Range", value),), resource()) == part


@pytest.mark.parametrize(
    "value", ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=" + "9" * 5000 + "-"]
)
def test_range_outside_the_file_is_unsatisfiable(value):
    with pytest.raises(Unsatisfiable):
        wanted_range((("Range", value),), resource())


@pytest.mark.parametrize("value", ["bytes=0-", "bytes=-1"])
def test_no_range_of_an_empty_file_is_satisfiable(value):
    with pytest.raises(Unsatisfiable):
        wanted_range((("Range", value),), resource(0))


@pytest.mark.parametrize(
    "value",
    ["bytes=-", "bytes=5-2", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "bytes 0-1", "", "bytes=+1-2"],
)
def test_malformed_or_several_ranges_get_the_whole_file(value):
    assert wanted_range((("Range", value),), resource()) is None


@given(st.text(max_size=30))
def test_any_range_is_inside_the_file_or_refused(text):
    try:
        part = wanted_range((("Range", "bytes=" + text),), resource())
    except Unsatisfiable:
        return
    assert part is None or 0 <= part[0] < sum(part) <= 1000


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('"v1"', True),
        ('"v2"', False),
        ('W/"v1"', False),
        (DATE, True),
        ("Tue, 14 Nov 2023 22:13:21 GMT", False),
        ("nonsense", False),
    ],
)
def test_failed_if_range_gets_the_whole_file(condition, holds):
    headers = (("Range", "bytes=0-9"), ("If-Range", condition))
    assert wanted_range(headers, resource()) == ((0, 10) if holds else None)


@pytest.mark.parametrize(
    ("tags", "known"),
    [
        ('"v1"', True),
        ('W/"v1"', True),
        ('"a", "v1"', True),
        ("*", True),
        ('"v2"', False),
        ("v1", False),
    ],
)
def test_if_none_match_compares_weakly(tags, known):
    assert not_modified((("If-None-Match", tags),), resource()) is known


@pytest.mark.parametrize(
    ("date", "known"),
    [
        (DATE, True),
        ("Tue, 14 Nov 2023 22:13:19 GMT", False),
        ("Wed, 15 Nov 2023 00:00:00 GMT", True),
        ("yesterday", False),
        ("", False),
        ("Tue, 99 Nov 99999999 22:13:19 GMT", False),
    ],
)
def test_if_modified_since_compares_whole_seconds(date, known):
    assert not_modified((("If-Modified-Since", date),), resource()) is known


def test_if_none_match_goes_before_the_date():
    headers = (("If-Modified-Since", DATE), ("If-None-Match", '"v2"'))
    assert not not_modified(headers, resource())


@given(st.text(max_size=40))
def test_any_date_is_read_or_ignored(text):
    not_modified((("If-Modified-Since", text),), resource())
