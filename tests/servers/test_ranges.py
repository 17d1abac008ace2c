"""Which parts of a file of a thousand bytes a Range header means (RFC 9110 section 14)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.ranges import PARTS_LIMIT, SPECS_LIMIT, Unsatisfiable, wanted_parts

SIZE = 1000


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-999", (0, 1000)),
        ("bytes=10-19", (10, 10)),
        ("Bytes=10-19", (10, 10)),
        ("bytes= 10-19 ", (10, 10)),
        ("bytes=990-", (990, 10)),
        ("bytes=990-5000", (990, 10)),
        ("bytes=0-" + "9" * 5000, (0, 1000)),
        ("bytes=000000000000000000000000000001-1", (1, 1)),
        ("bytes=-1", (999, 1)),
        ("bytes=-5000", (0, 1000)),
        ("bytes=-" + "9" * 5000, (0, 1000)),
        ("bytes=0-1,", (0, 2)),
    ],
)
def test_range_is_cut_to_what_there_is(value, part):
    assert wanted_parts(value, SIZE) == [part]


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("bytes=0-1,5-6", [(0, 2), (5, 2)]),
        ("bytes=5-6,0-1", [(5, 2), (0, 2)]),  # In the order asked for.
        ("bytes=0-1, -2", [(0, 2), (998, 2)]),
        ("bytes=0-5,3-9", [(0, 10)]),
        ("bytes=0-5,6-9", [(0, 10)]),
        ("bytes=0-,0-,0-,0-", [(0, 1000)]),
        ("bytes=500-600,0-9,5-19", [(0, 20), (500, 101)]),
        ("bytes=0-1,2000-3000", [(0, 2)]),
    ],
)
def test_several_ranges_are_merged_where_they_overlap(value, parts):
    assert wanted_parts(value, SIZE) == parts


@pytest.mark.parametrize(
    "value",
    ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=" + "9" * 5000 + "-", "bytes=1000-,-0"],
)
def test_range_outside_the_file_is_unsatisfiable(value):
    with pytest.raises(Unsatisfiable):
        wanted_parts(value, SIZE)


@pytest.mark.parametrize("value", ["bytes=0-", "bytes=-1", "bytes=0-0,-5"])
def test_no_range_of_an_empty_file_is_satisfiable(value):
    with pytest.raises(Unsatisfiable):
        wanted_parts(value, 0)


@pytest.mark.parametrize(
    "value",
    [
        "bytes=-",
        "bytes=5-2",
        "bytes=0-1,5-2",
        "bytes=a-b",
        "lines=0-1",
        "bytes 0-1",
        "",
        "bytes=",
        "bytes=,",
        "bytes=+1-2",
        "bytes=1 - 2",
        "bytes=1-2-3",
        "bytes=\u0661-\u0662",
    ],
)
def test_malformed_range_gets_the_whole_file(value):
    assert wanted_parts(value, SIZE) is None


def test_more_parts_than_are_sent_get_the_whole_file():
    parts = [f"{10 * n}-{10 * n}" for n in range(PARTS_LIMIT + 1)]
    assert len(wanted_parts("bytes=" + ",".join(parts[:-1]), SIZE) or []) == PARTS_LIMIT
    assert wanted_parts("bytes=" + ",".join(parts), SIZE) is None


def test_more_ranges_than_are_looked_at_get_the_whole_file():
    assert wanted_parts("bytes=" + ",".join(["0-1"] * SPECS_LIMIT), SIZE) == [(0, 2)]
    assert wanted_parts("bytes=" + ",".join(["0-1"] * (SPECS_LIMIT + 1)), SIZE) is None


RANGES = st.one_of(
    st.builds("{}-{}".format, st.integers(0, 1100), st.integers(0, 1100)),
    st.builds("{}-".format, st.integers(0, 1100)),
    st.builds("-{}".format, st.integers(0, 1100)),
)


@given(st.lists(RANGES, min_size=1, max_size=20))
def test_parts_are_inside_the_file_disjoint_and_cover_what_was_asked_for(specs):
    try:
        parts = wanted_parts("bytes=" + ",".join(specs), SIZE)
    except Unsatisfiable:
        return
    if parts is None:
        return
    sent = [place for offset, length in parts for place in range(offset, offset + length)]
    assert len(sent) == len(set(sent))
    asked = set()
    for spec in specs:
        first, last = spec.split("-")
        start = int(first) if first else max(0, SIZE - int(last))
        asked |= set(range(start, min(int(last) + 1, SIZE) if first and last else SIZE))
    assert set(sent) == asked


@given(st.text(max_size=30))
def test_any_range_is_inside_the_file_or_refused(text):
    try:
        parts = wanted_parts("bytes=" + text, SIZE)
    except Unsatisfiable:
        return
    assert all(0 <= offset < offset + length <= SIZE for offset, length in parts or [])
