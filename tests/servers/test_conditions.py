"""Validators and preconditions (RFC 9110 section 13), on a file of version 1."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.conditions import precondition, range_applies
from servers.dates import format_date, parse_date

MODIFIED = 1_700_000_000.5
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
EARLIER = "Tue, 14 Nov 2023 22:13:19 GMT"
LATER = "Wed, 15 Nov 2023 00:00:00 GMT"


@dataclass
class File:
    etag: str = '"v1"'
    modified_seconds: float | None = MODIFIED


@pytest.mark.parametrize(
    ("headers", "reading", "writing"),
    [
        ({}, None, None),
        ({"If-Match": '"v1"'}, None, None),
        ({"If-Match": '"v2", "v1"'}, None, None),
        ({"If-Match": "*"}, None, None),
        ({"If-Match": '"v2"'}, 412, 412),
        ({"If-Match": 'W/"v1"'}, 412, 412),  # Compared strongly.
        ({"If-Match": "v1"}, 412, 412),
        ({"If-Unmodified-Since": DATE}, None, None),
        ({"If-Unmodified-Since": EARLIER}, 412, 412),
        ({"If-Unmodified-Since": "yesterday"}, None, None),
        ({"If-Match": '"v1"', "If-Unmodified-Since": EARLIER}, None, None),
        ({"If-None-Match": '"v1"'}, 304, 412),
        ({"If-None-Match": 'W/"v1"'}, 304, 412),  # Compared weakly.
        ({"If-None-Match": '"a" ,, "v1"'}, 304, 412),
        ({"If-None-Match": "*"}, 304, 412),
        ({"If-None-Match": '"v2"'}, None, None),
        ({"If-None-Match": "v1"}, None, None),
        ({"If-None-Match": '"v1'}, None, None),
        ({"If-Modified-Since": DATE}, 304, None),
        ({"If-Modified-Since": LATER}, 304, None),
        ({"If-Modified-Since": EARLIER}, None, None),
        ({"If-Modified-Since": ""}, None, None),
        ({"If-Modified-Since": DATE, "If-None-Match": '"v2"'}, None, None),
        ({"If-Match": '"v2"', "If-None-Match": '"v1"'}, 412, 412),
        ({"If-Match": '"v1"', "If-None-Match": '"v1"'}, 304, 412),
        ({"If-Unmodified-Since": DATE, "If-Modified-Since": DATE}, 304, None),
    ],
)
def test_conditions_go_in_the_order_of_the_standard(headers, reading, writing):
    fields = tuple(headers.items())
    assert precondition("GET", fields, File()) == reading
    assert precondition("HEAD", fields, File()) == reading
    assert precondition("PUT", fields, File()) == writing


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": "*"}, 412),
        ({"If-Match": '"v1"'}, 412),
        ({"If-None-Match": "*"}, None),
        ({"If-None-Match": '"v1"'}, None),
        ({"If-Unmodified-Since": DATE}, None),
    ],
)
def test_what_is_not_there_matches_nothing(headers, status):
    assert precondition("PUT", tuple(headers.items()), None) == status


def test_list_may_be_on_several_lines():
    lines = (("If-None-Match", '"v0"'), ("if-none-match", '"v1"'))
    assert precondition("GET", lines, File()) == 304


def test_tag_with_a_comma_is_one_tag():
    assert precondition("GET", (("If-None-Match", '"a,b"'),), File('"a,b"')) == 304
    assert precondition("GET", (("If-None-Match", '"a,b"'),), File('"b"')) is None


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ('"v1"', True),
        ('"v2"', False),
        ('W/"v1"', False),
        (DATE, True),
        (EARLIER, False),
        (LATER, False),
        ("Tuesday, 14-Nov-23 22:13:20 GMT", False),  # The same moment, but not the same validator.
        ("nonsense", False),
        ("", False),
    ],
)
def test_range_applies_to_exactly_this_version(condition, applies):
    assert range_applies((("If-Range", condition),), File(), MODIFIED + 60) is applies


def test_range_without_a_condition_applies():
    assert range_applies((), File(), None)


def test_weak_tag_of_the_file_itself_never_matches_strongly():
    assert not range_applies((("If-Range", 'W/"v1"'),), File(), None)


def test_date_of_a_file_that_changed_this_second_is_no_strong_validator():
    assert not range_applies((("If-Range", DATE),), File(), MODIFIED + 0.3)
    assert range_applies((("If-Range", DATE),), File(), MODIFIED + 1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        ("Sun Nov  6 08:49:37 1994", 784111777),
        ("Tuesday, 14-Nov-23 22:13:20 GMT", 1700000000),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1483228799),
        ("Sun, 06 Nov 1994 08:49:37", None),
        ("Sun, 06 Nov 1994 08:49:37 +0000", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT ", None),
        ("6 Nov 1994", None),
        ("Sun, 31 Feb 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 25:49:37 GMT", None),
        ("", None),
    ],
)
def test_dates_are_read_in_the_three_forms_and_no_other(text, seconds):
    assert parse_date(text) == seconds


@given(st.integers(0, 253_402_300_799))
def test_date_that_was_sent_is_understood(seconds):
    assert parse_date(format_date(seconds)) == seconds


@given(
    st.text(max_size=60),
    st.sampled_from(["If-Match", "If-None-Match", "If-Modified-Since", "If-Range"]),
)
def test_any_condition_is_decided_or_ignored(text, name):
    precondition("GET", ((name, text),), File())
    range_applies(((name, text),), File(), None)
