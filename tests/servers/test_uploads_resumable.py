"""Uploads that break off and go on, by draft-ietf-httpbis-resumable-upload."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servers.answers import Answer
from servers.uploads_area import UploadArea
from tests.servers.test_uploads import digest
from tests.servers.uploading import LIMIT_BYTES, Header, Storing, value

CONTENT = bytes(range(256)) * 20
PARTIAL = ("Content-Type", "application/partial-upload")
MORE, ALL = ("Upload-Complete", "?0"), ("Upload-Complete", "?1")


@pytest.fixture
def storing(tmp_path):
    return Storing(tmp_path)


def created(storing, content=b"", *headers: Header, target="/file"):
    """Begin an upload; gives where its resource is."""
    answer = storing.ask("PUT", target, MORE, *headers, content=content)
    assert answer.status == 201
    return value(answer, "location")


def offset_of(storing, where):
    answer = storing.ask("HEAD", where)
    assert answer.status == 204
    assert value(answer, "cache-control") == "no-store"
    return int(value(answer, "upload-offset"))


def append(storing, where, offset, content, *headers: Header, complete=False):
    return storing.ask(
        "PATCH",
        where,
        PARTIAL,
        ("Upload-Offset", str(offset)),
        ALL if complete else MORE,
        *headers,
        content=content,
    )


def killed_in_the_middle(storing, where, offset, content):
    """Send a part of a request's content, and leave."""
    begun = storing.begin(
        "PATCH", where, (PARTIAL, ("Upload-Offset", str(offset)), MORE), len(content) + 1
    )
    assert begun.take(content, 0.0) is None
    begun.abandon()


def test_parts_in_several_requests_become_one_file(storing, tmp_path):
    where = created(storing, CONTENT[:1000])
    assert not (tmp_path / "file").exists()
    answer = append(storing, where, 1000, CONTENT[1000:3000])
    assert (answer.status, value(answer, "upload-complete")) == (204, "?0")
    answer = append(storing, where, 3000, CONTENT[3000:], complete=True)
    assert (answer.status, value(answer, "upload-complete")) == (201, "?1")
    assert value(answer, "location") == "/file"
    assert value(answer, "etag") == storing.files.find("/file").etag
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_all_in_one_request_needs_no_resource_to_be_used(storing, tmp_path):
    answer = storing.ask("PUT", "/file", ALL, content=CONTENT)
    assert (answer.status, value(answer, "upload-complete")) == (201, "?1")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_an_empty_file_can_be_uploaded_in_two_requests(storing, tmp_path):
    where = created(storing)
    assert append(storing, where, 0, b"", complete=True).status == 201
    assert (tmp_path / "file").read_bytes() == b""


def test_what_a_killed_client_had_sent_is_kept(storing, tmp_path):
    where = created(storing, CONTENT[:1000])
    killed_in_the_middle(storing, where, 1000, CONTENT[1000:1700])
    assert offset_of(storing, where) == 1700
    assert append(storing, where, 1700, CONTENT[1700:], complete=True).status == 201
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_an_upload_survives_a_killed_host(storing, tmp_path):
    where = created(storing, CONTENT[:1000], ("If-None-Match", "*"))
    begun = storing.begin("PATCH", where, (PARTIAL, ("Upload-Offset", "1000"), MORE), 999)
    begun.take(CONTENT[1000:1500], 0.0)
    begun._part.close()  # As the system does with a killed process.
    restarted = Storing(tmp_path)
    UploadArea(tmp_path).sweep()
    assert offset_of(restarted, where) == 1500
    assert append(restarted, where, 1500, CONTENT[1500:], complete=True).status == 201
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_completed_upload_says_so_and_takes_no_more(storing, tmp_path):
    where = created(storing, CONTENT)
    append(storing, where, len(CONTENT), b"", complete=True)
    head = Storing(tmp_path).ask("HEAD", where)
    assert (value(head, "upload-complete"), value(head, "upload-offset")) == ("?1", "5120")
    answer = append(storing, where, len(CONTENT), b"more")
    assert answer.status == 400
    assert json.loads(answer.content)["type"].endswith("#completed-upload")


def test_another_offset_than_ours_is_a_conflict_and_we_say_ours(storing):
    where = created(storing, CONTENT[:1000])
    answer = append(storing, where, 900, CONTENT[900:])
    assert (answer.status, value(answer, "upload-offset")) == (409, "1000")
    problem = json.loads(answer.content)
    assert (problem["expected-offset"], problem["provided-offset"]) == (1000, 900)
    assert offset_of(storing, where) == 1000


def test_the_newer_request_of_one_upload_ends_the_older(storing):
    where = created(storing, CONTENT[:1000])
    older = storing.begin("PATCH", where, (PARTIAL, ("Upload-Offset", "1000"), MORE), 999)
    older.take(CONTENT[1000:1200], 0.0)
    assert offset_of(storing, where) == 1200
    assert older.take(CONTENT[1200:1300], 0.0).status == 409
    assert append(storing, where, 1200, CONTENT[1200:1300]).status == 204
    older.abandon()
    assert offset_of(storing, where) == 1300


def test_an_upload_that_another_process_is_writing_has_to_wait(storing, tmp_path):
    where = created(storing, CONTENT[:1000])
    other = Storing(tmp_path)
    busy = other.begin("PATCH", where, (PARTIAL, ("Upload-Offset", "1000"), MORE), 999)
    answer = storing.ask("HEAD", where)
    assert (answer.status, value(answer, "retry-after")) == (503, "1")
    busy.abandon()
    assert offset_of(storing, where) == 1000


def test_a_cancelled_upload_leaves_nothing(storing, tmp_path):
    where = created(storing, CONTENT)
    assert storing.ask("CANCEL", where).status == 204
    assert storing.ask("CANCEL", where).status == 404
    assert storing.ask("HEAD", where).status == 404
    assert storing.left() == []
    assert not (tmp_path / "file").exists()


# --- Lengths --------------------------------------------------------------------------------


def test_the_length_is_what_the_client_said(storing):
    where = created(storing, CONTENT[:1000], ("Upload-Length", "5120"))
    assert value(storing.ask("HEAD", where), "upload-length") == "5120"


@pytest.mark.parametrize(
    "headers",
    [
        (MORE, ("Upload-Length", "10")),
        (ALL, ("Upload-Length", "5121")),
        (ALL, ("Upload-Length", "10")),
    ],
)
def test_lengths_that_contradict_each_other_are_refused(storing, tmp_path, headers):
    answer = storing.ask("PUT", "/file", *headers, content=CONTENT)
    assert answer.status == 400
    assert json.loads(answer.content)["type"].endswith("#inconsistent-upload-length")
    assert storing.left() == []
    assert not (tmp_path / "file").exists()


def test_a_length_must_not_change(storing):
    where = created(storing, CONTENT[:1000], ("Upload-Length", "5120"))
    assert append(storing, where, 1000, b"x", ("Upload-Length", "9")).status == 400
    assert append(storing, where, 1000, CONTENT[1000:2000], complete=True).status == 400
    assert offset_of(storing, where) == 1000


def test_more_than_is_taken_is_refused_in_any_request(storing):
    answer = storing.ask("PUT", "/file", MORE, ("Upload-Length", str(LIMIT_BYTES + 1)))
    assert answer.status == 413
    where = created(storing, CONTENT)
    answer = storing.begin(
        "PATCH", where, (PARTIAL, ("Upload-Offset", str(len(CONTENT))), MORE), LIMIT_BYTES
    )
    assert isinstance(answer, Answer)
    assert answer.status == 413
    assert f"max-size={LIMIT_BYTES}" in value(answer, "upload-limit")


# --- Conditions and digests -----------------------------------------------------------------


def test_conditions_of_the_creating_request_decide_at_the_end(storing, tmp_path):
    where = created(storing, CONTENT, ("If-None-Match", "*"))
    storing.ask("PUT", "/file", content=b"faster")
    answer = append(storing, where, len(CONTENT), b"", complete=True)
    assert (answer.status, value(answer, "upload-complete")) == (412, "?1")
    assert (tmp_path / "file").read_bytes() == b"faster"
    assert storing.left() == []


def test_a_representation_digest_counts_for_the_whole(storing, tmp_path):
    right = created(storing, CONTENT[:99], ("Repr-Digest", digest(CONTENT)), target="/right")
    wrong = created(storing, CONTENT[:99], ("Repr-Digest", digest(b"else")), target="/wrong")
    assert append(storing, right, 99, CONTENT[99:], complete=True).status == 201
    assert append(storing, wrong, 99, CONTENT[99:], complete=True).status == 400
    assert (tmp_path / "right").read_bytes() == CONTENT
    assert not (tmp_path / "wrong").exists()


def test_content_with_another_digest_is_not_appended(storing):
    where = created(storing, CONTENT[:1000])
    answer = append(storing, where, 1000, b"broken", ("Content-Digest", digest(b"whole")))
    assert answer.status == 400
    assert offset_of(storing, where) == 1000
    assert append(storing, where, 1000, b"whole", ("Content-Digest", digest(b"whole"))).status == 204


# --- Requests that are none -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((("Upload-Offset", "0"), MORE), 415),
        ((PARTIAL, MORE), 400),
        ((PARTIAL, ("Upload-Offset", "0")), 400),
        ((PARTIAL, ("Upload-Offset", "-1"), MORE), 400),
        ((PARTIAL, ("Upload-Offset", "0"), ("Upload-Complete", "yes")), 400),
    ],
)
def test_an_append_must_say_what_it_is(storing, headers, status):
    where = created(storing)
    assert storing.ask("PATCH", where, *headers, content=b"x").status == status


def test_only_uploads_are_patched(storing):
    answer = storing.ask("PATCH", "/file", PARTIAL, ("Upload-Offset", "0"), MORE, content=b"x")
    assert answer.status == 405
    assert "PUT" in value(answer, "allow")


@pytest.mark.parametrize("name", ["x", "../file", "A" * 24, "A" * 23 + "/"])
def test_there_is_no_upload_of_another_name(storing, name):
    assert storing.ask("HEAD", "/-/uploads/" + name).status == 404


def test_a_client_that_can_resume_is_told_where_before_it_sends(storing):
    version = ("Upload-Draft-Interop-Version", "9")
    begun = storing.begin("PUT", "/file", (ALL, version), 10)
    interim = dict(begun.interim)
    assert interim["Location"].startswith("/-/uploads/")
    assert interim["Upload-Draft-Interop-Version"] == "9"
    begun.take(b"01234", 0.0)
    begun.abandon()
    assert offset_of(storing, interim["Location"]) == 5
    assert storing.begin("PUT", "/file", (ALL,), 10).interim == ()


class TestAnyHistory:
    """However an upload is cut, broken off and gone on with, the file is the content."""

    steps = st.lists(
        st.tuples(st.sampled_from(["append", "kill", "restart", "stale"]), st.integers(0, 2000)),
        max_size=8,
    )

    @given(steps=steps)
    @settings(max_examples=15, deadline=None)
    def test_the_file_is_the_content(self, steps, tmp_path_factory):
        root = tmp_path_factory.mktemp("any")
        storing = Storing(root)
        where = created(storing)
        known = 0
        for action, size in steps:
            part = CONTENT[known : known + size]
            if action == "append":
                assert append(storing, where, known, part).status == 204
            elif action == "kill":
                killed_in_the_middle(storing, where, known, part)
            elif action == "restart":
                storing = Storing(root)
            elif size != known:
                assert append(storing, where, size, b"never").status == 409
            offset = offset_of(storing, where)
            assert offset >= known
            known = offset
        assert append(storing, where, known, CONTENT[known:], complete=True).status == 201
        assert (root / "file").read_bytes() == CONTENT
