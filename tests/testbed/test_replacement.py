"""A file that is replaced while it is distributed, and what may come of it on other disks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import ScenarioError
from testbed.replacement import BLOCK_BYTES, FILE_STATES, new_version, parse_replacement, state_of

SIZE = 5 * BLOCK_BYTES + 100
OLD, NEW = new_version(SIZE, 1), new_version(SIZE, 2)
HALF = 2 * BLOCK_BYTES + 77
EMPTY = bytes(SIZE)


def state(folder, ours: bytes, replacement: bytes = NEW) -> str:
    (folder / "ours").write_bytes(ours)
    (folder / "original").write_bytes(OLD)
    return state_of(folder / "ours", folder / "original", replacement)


@pytest.mark.parametrize(
    ("ours", "found"),
    [
        (OLD, "whole"),
        (NEW, "replaced"),
        (EMPTY, "none"),
        (OLD[:HALF] + EMPTY[HALF:], "partial"),
        (EMPTY[:BLOCK_BYTES] + OLD[BLOCK_BYTES:], "partial"),
        (NEW[:HALF] + EMPTY[HALF:], "partial"),
        (OLD[: 2 * BLOCK_BYTES] + NEW[2 * BLOCK_BYTES :], "mixed"),
        (OLD[:BLOCK_BYTES] + NEW[BLOCK_BYTES:HALF] + EMPTY[HALF:], "mixed"),
        (OLD[:-1] + b"\1", "wrong"),
    ],
)
def test_a_file_is_what_its_bytes_say(tmp_path, ours, found):
    assert state(tmp_path, ours) == found
    assert found in FILE_STATES


def test_without_a_replacement_other_bytes_are_wrong(tmp_path):
    assert state(tmp_path, NEW, b"") == "wrong"


def test_the_beginning_of_a_file_is_all_of_it_for_who_wants_no_more(tmp_path):
    assert state(tmp_path, OLD[:HALF]) == "whole"


@given(st.integers(0, SIZE))
def test_a_file_that_was_cut_off_anywhere_is_never_taken_for_whole_or_mixed(tmp_path_factory, cut):
    folder = tmp_path_factory.getbasetemp()
    found = state(folder, OLD[:cut] + EMPTY[cut:])
    # New content may end in zeros, as random bytes do now and then: those are no hole.
    expected = "none" if not OLD[:cut].strip(b"\0") else "whole" if OLD[:cut] == OLD else "partial"
    assert found == expected


def test_never_and_both_manners_are_read():
    assert parse_replacement("never") is None
    renamed = parse_replacement("after 0.5 copies")
    assert renamed is not None
    assert (renamed.in_place, renamed.when.due_seconds(100, 10)) == (False, 5)
    written = parse_replacement("after 2 s, in place")
    assert written is not None
    assert (written.in_place, written.when.due_seconds(100, 10)) == (True, 2)


@pytest.mark.parametrize("sentence", ["", "never, in place", "at once", "after 1 copies in place"])
def test_other_sentences_are_refused_in_one_line(sentence):
    with pytest.raises(ScenarioError, match=r'\Aexpected "never", "after 0.5 copies".*\Z'):
        parse_replacement(sentence)


@pytest.mark.parametrize(("sentence", "seen_by_who_has_it_open"), [("", OLD), (", in place", NEW)])
def test_a_file_that_is_renamed_over_stays_for_who_has_it_open(
    tmp_path, sentence, seen_by_who_has_it_open
):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    replacement = parse_replacement(f"after 1 s{sentence}")
    assert replacement is not None
    with path.open("rb") as open_file:
        replacement.carry_out(path, NEW)
        assert open_file.read() == seen_by_who_has_it_open
    assert path.read_bytes() == NEW
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
