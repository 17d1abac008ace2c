"""The listing of a directory: what is in it, in which order, and what it looks like."""

from __future__ import annotations

import json
import os

import pytest

from servers.listing import ENTRIES_LIMIT, Order, as_html, as_json, read_listing

BY_NAME = Order()


@pytest.fixture
def root(tmp_path):
    (tmp_path / "sub").mkdir()
    for name, size, time in (("a", 30, 3), ("b c&<d>", 10, 2), ("javascript:alert(1)", 20, 1)):
        (tmp_path / name).write_bytes(bytes(size))
        os.utime(tmp_path / name, (time, time))
    return tmp_path


@pytest.fixture
def list_root(root):
    descriptor = os.open(root, os.O_RDONLY)
    yield lambda order=BY_NAME, path="/": read_listing(descriptor, path, order)
    os.close(descriptor)


def test_listing_for_programs_has_sizes_dates_and_where_it_is(list_root):
    listing = json.loads(as_json(list_root(path="/x%20y/")))
    assert (listing["path"], listing["complete"]) == ("/x y/", True)
    assert listing["entries"][1] == {
        "name": "a",
        "kind": "file",
        "href": "./a",
        "size_bytes": 30,
        "modified": "1970-01-01T00:00:03Z",
    }
    assert listing["entries"][0]["href"] == "./sub/"
    assert listing["entries"][0]["size_bytes"] is None


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a", "b c&<d>", "javascript:alert(1)"]),
        ("sort=name", ["a", "b c&<d>", "javascript:alert(1)"]),
        ("sort=-name", ["javascript:alert(1)", "b c&<d>", "a"]),
        ("sort=size", ["b c&<d>", "javascript:alert(1)", "a"]),
        ("x=1&sort=-size&y=2", ["a", "javascript:alert(1)", "b c&<d>"]),
        ("sort=time", ["javascript:alert(1)", "b c&<d>", "a"]),
        ("sort=colour", ["a", "b c&<d>", "javascript:alert(1)"]),
    ],
)
def test_listing_is_sorted_as_asked_with_directories_first(list_root, query, names):
    listing = list_root(Order.of(query))
    assert [entry.name for entry in listing.entries] == ["sub", *names]


def test_page_escapes_names(list_root):
    page = as_html(list_root(), BY_NAME).decode()
    assert '<a href="./b%20c%26%3Cd%3E">b c&amp;&lt;d&gt;</a>' in page
    assert 'href="./javascript%3Aalert%281%29"' in page
    assert "<d>" not in page
    assert "10 bytes" in page
    assert "1970-01-01 00:00:03 UTC" in page


def test_page_works_without_a_script_and_turns_the_order_round(list_root):
    page = as_html(list_root(Order("size")), Order("size")).decode()
    assert "<script" not in page
    assert '<a href="?sort=-size">Size</a> ↑' in page
    assert '<a href="?sort=name">Name</a></th>' in page


def test_page_leads_up_from_everywhere_but_the_root(list_root):
    assert "../" not in as_html(list_root(), BY_NAME).decode()
    assert '<a href="../">' in as_html(list_root(path="/sub/"), BY_NAME).decode()


def test_listing_leaves_out_what_cannot_be_asked_for(list_root, root):
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to("a")
    (root / os.fsdecode(b"\xff\xfe")).write_bytes(b"")
    assert [entry.name for entry in list_root().entries][1:] == ["a", "b c&<d>", "javascript:alert(1)"]


def test_listing_is_bounded_and_says_so(list_root, monkeypatch):
    monkeypatch.setattr("servers.listing.ENTRIES_LIMIT", 2)
    assert ENTRIES_LIMIT > 1000
    listing = list_root()
    assert (len(listing.entries), listing.complete) == (2, False)
    assert "and more" in as_html(listing, BY_NAME).decode()
