"""GET and HEAD on a directory: which answer for which request and which state of the files."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64encode
from email import message_from_bytes

import pytest

from servers.answers import Answer
from servers.digests import SMALL_BYTES, Digests
from servers.files import Directory
from servers.http1 import find
from servers.reading import IN_MEMORY_BYTES, RECHECK_SECONDS, Reading
from testbed.node import FileSlice
from tests.servers.helpers import get

BIG = os.urandom(SMALL_BYTES + 1)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"0123456789")
    (tmp_path / "big").write_bytes(BIG)
    return tmp_path


@pytest.fixture
def digests():
    digests = Digests()
    yield digests
    digests.close()


@pytest.fixture
def reading(root, digests):
    return Reading(Directory(root), digests, lambda: 4e9, b"secret")


def answer(reading, target, *headers: tuple[str, str], method="GET", now=0.0):
    outcome = reading.begin(get(target, *headers, method=method), now)
    assert isinstance(outcome, Answer)
    return outcome


def header(answer, name):
    return find(answer.headers, name)


def content(answer):
    """All the bytes that follow the head."""
    parts = [answer.content]
    for segment in answer.segments:
        payload = segment.storage.read(segment.offset, segment.size_bytes)
        parts += [segment.framing, os.pread(payload.file, payload.nbytes, payload.offset)]
    return b"".join([*parts, answer.tail])


def digest_of(data):
    return f"sha-256=:{b64encode(hashlib.sha256(data).digest()).decode()}:"


# --- Answers that are kept ------------------------------------------------------------------


def test_same_request_for_the_same_file_has_the_same_answer(reading):
    assert answer(reading, "/a.txt") is answer(reading, "/a.txt")
    assert answer(reading, "/a.txt") is not answer(reading, "/a.txt", ("Accept", "*/*"))


def test_changed_replaced_and_removed_files_are_noticed_at_once(reading, root):
    before = answer(reading, "/a.txt")
    (root / "a.txt").write_bytes(b"abc")
    changed = answer(reading, "/a.txt")
    assert (content(changed), header(changed, "etag") != header(before, "etag")) == (b"abc", True)
    (root / "new").write_bytes(b"def")
    (root / "new").replace(root / "a.txt")
    assert content(answer(reading, "/a.txt")) == b"def"
    (root / "a.txt").unlink()
    assert answer(reading, "/a.txt").status == 404


def test_file_with_its_old_times_put_back_is_another_version(reading, root):
    before, times = answer(reading, "/a.txt"), (root / "a.txt").stat()
    (root / "a.txt").write_bytes(b"9876543210")
    os.utime(root / "a.txt", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert header(answer(reading, "/a.txt"), "etag") != header(before, "etag")


def test_link_in_place_of_a_file_that_was_served_is_not_followed(reading, root):
    assert answer(reading, "/a.txt").status == 200
    (root / "a.txt").rename(root / "elsewhere")
    (root / "a.txt").symlink_to("elsewhere")
    assert answer(reading, "/a.txt").status == 404


def test_kept_answers_do_not_grow_without_end(reading, root, monkeypatch):
    monkeypatch.setattr("servers.reading.ANSWERS_KEPT", 3)
    kept = [answer(reading, f"/a.txt?{number}") for number in range(5)]
    again = [answer(reading, f"/a.txt?{number}") for number in (4, 3, 2)]
    assert again == kept[:1:-1]
    assert answer(reading, "/a.txt?0") is not kept[0]


def test_small_file_is_at_hand_and_a_large_one_is_not_read(reading, root):
    assert answer(reading, "/a.txt").whole == b"0123456789"
    (root / "large").write_bytes(bytes(IN_MEMORY_BYTES + 1))
    assert isinstance(answer(reading, "/large").whole, FileSlice)


# --- Ranges ---------------------------------------------------------------------------------


def test_several_ranges_are_sent_as_a_multipart_message(reading):
    found = answer(reading, "/a.txt", ("Range", "bytes=6-7,0-2,-1"))
    assert found.status == 206
    data = content(found)
    assert header(found, "content-length") == str(len(data))
    assert header(found, "content-range") is None
    kind = header(found, "content-type")
    assert kind.startswith("multipart/byteranges; boundary=")
    message = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + data)
    parts = message.get_payload()
    assert [part["Content-Range"] for part in parts] == [
        "bytes 6-7/10",
        "bytes 0-2/10",
        "bytes 9-9/10",
    ]
    assert [part.get_payload() for part in parts] == ["67", "012", "9"]
    assert {part["Content-Type"] for part in parts} == {"text/plain; charset=utf-8"}


def test_ranges_that_merge_to_one_are_sent_as_one(reading):
    found = answer(reading, "/a.txt", ("Range", "bytes=0-4,3-6"))
    assert (found.status, header(found, "content-range")) == (206, "bytes 0-6/10")
    assert content(found) == b"0123456"


def test_two_range_headers_get_the_whole_file(reading):
    headers = (("Range", "bytes=0-1"), ("Range", "bytes=3-4"))
    assert answer(reading, "/a.txt", *headers).status == 200


def test_boundary_cannot_be_known_ahead(root):
    wanted = get("/a.txt", ("Range", "bytes=0-0,2-2"))
    kinds = {
        header(Reading(Directory(root), None, None, secret).begin(wanted, 0.0), "content-type")
        for secret in (b"one", b"two")
    }
    assert len(kinds) == 2


def test_condition_that_fails_ends_the_request_before_its_range(reading):
    found = answer(reading, "/a.txt", ("If-Match", '"x"'), ("Range", "bytes=0-1"))
    assert (found.status, found.segments) == (412, ())
    assert answer(reading, "/a.txt", ("If-Match", '"x"'), method="HEAD").content == b""


def test_conditions_on_what_is_not_there_change_nothing(reading):
    assert answer(reading, "/none", ("If-Match", "*")).status == 404
    assert answer(reading, "/none", ("If-None-Match", "*")).status == 404


def test_date_in_the_future_is_not_sent(root):
    reading = Reading(Directory(root), None, lambda: 1e9)
    assert header(answer(reading, "/a.txt"), "last-modified") is None


def test_date_before_unix_time_is_not_sent(root):
    os.utime(root / "a.txt", (-5, -5))
    reading = Reading(Directory(root))
    assert header(answer(reading, "/a.txt"), "last-modified") is None
    assert answer(reading, "/").status == 200


# --- Digests --------------------------------------------------------------------------------


def test_digest_of_a_small_file_is_sent_at_once(reading):
    found = answer(reading, "/a.txt")
    assert header(found, "repr-digest") == digest_of(b"0123456789")


def test_digest_is_of_the_whole_file_also_for_a_part_and_for_head(reading):
    part = answer(reading, "/a.txt", ("Range", "bytes=0-0"))
    head = answer(reading, "/a.txt", method="HEAD")
    assert header(part, "repr-digest") == header(head, "repr-digest") == digest_of(b"0123456789")


def test_digest_of_a_large_file_is_sent_from_when_it_is_known(reading, digests):
    first = answer(reading, "/big")
    assert header(first, "repr-digest") is None
    digests._thread.submit(lambda: None).result(20)  # Behind the hashing in the only thread.
    assert header(answer(reading, "/big"), "repr-digest") == digest_of(BIG)


def test_client_that_wants_the_digest_waits_for_it(reading, digests):
    later = reading.begin(get("/big", ("Want-Repr-Digest", "sha-512=3, sha-256=10")), 0.0)
    assert not isinstance(later, Answer)
    digests._thread.submit(lambda: None).result(20)
    assert header(later.poll(0.1), "repr-digest") == digest_of(BIG)


def test_client_does_not_wait_for_ever(reading, digests, monkeypatch):
    monkeypatch.setattr(Digests, "of", lambda self, resource: None)
    monkeypatch.setattr(Digests, "is_coming", lambda self, resource: True)
    later = reading.begin(get("/big", ("Want-Repr-Digest", "sha-256=10")), 0.0)
    assert later.poll(9.0) is None
    found = later.poll(11.0)
    assert (found.status, header(found, "repr-digest")) == (200, None)


def test_digest_that_is_not_wanted_is_not_sent(reading):
    found = answer(reading, "/a.txt", ("Want-Repr-Digest", "sha-256=0"))
    assert header(found, "repr-digest") is None


def test_changed_file_has_another_digest(reading, root):
    answer(reading, "/a.txt")
    (root / "a.txt").write_bytes(b"new")
    assert header(answer(reading, "/a.txt"), "repr-digest") == digest_of(b"new")


def test_digest_of_a_file_that_changes_while_it_is_read_is_not_kept(root, digests, monkeypatch):
    resource = Directory(root).find("/a.txt")
    monkeypatch.setattr("servers.digests.identity_of", lambda status: (0,) * 5)
    assert digests.of(resource) is None


def test_file_is_hashed_once(root, digests, monkeypatch):
    files = Directory(root)
    expected = digests.of(files.find("/a.txt"))
    monkeypatch.setattr(Digests, "_compute", None)
    assert digests.of(files.find("/a.txt")) == expected


# --- Precompressed siblings -----------------------------------------------------------------


@pytest.fixture
def encoded_root(root):
    for suffix in ("br", "zst", "gz"):
        (root / f"a.txt.{suffix}").write_bytes(f"in {suffix}".encode())
    return root


@pytest.mark.parametrize(
    ("wish", "coding", "data"),
    [
        ("gzip", "gzip", b"in gz"),
        ("x-gzip", "gzip", b"in gz"),
        ("gzip, br", "br", b"in br"),
        ("br;q=0.5, gzip", "gzip", b"in gz"),
        ("zstd, gzip", "zstd", b"in zst"),
        ("*", "br", b"in br"),
        ("*, br;q=0", "zstd", b"in zst"),
        ("gzip;q=0", None, b"0123456789"),
        ("gzip;q=0.5, identity", None, b"0123456789"),
        ("gzip;q=0.0000", None, b"0123456789"),
        ("deflate", None, b"0123456789"),
        ("", None, b"0123456789"),
        (None, None, b"0123456789"),
    ],
)
def test_client_gets_the_coding_that_it_likes_best(reading, encoded_root, wish, coding, data):
    headers = () if wish is None else (("Accept-Encoding", wish),)
    found = answer(reading, "/a.txt", *headers)
    assert (header(found, "content-encoding"), content(found)) == (coding, data)
    assert header(found, "content-type") == "text/plain; charset=utf-8"
    assert header(found, "vary") == "Accept-Encoding"
    assert header(found, "repr-digest") == digest_of(data)


def test_each_coding_has_a_validator_and_ranges_of_its_own(reading, encoded_root):
    plain = answer(reading, "/a.txt")
    gzip = answer(reading, "/a.txt", ("Accept-Encoding", "gzip"))
    assert header(plain, "etag") != header(gzip, "etag")
    part = answer(reading, "/a.txt", ("Accept-Encoding", "gzip"), ("Range", "bytes=0-1"))
    assert (content(part), header(part, "content-range")) == (b"in", "bytes 0-1/5")
    known = ("If-None-Match", header(plain, "etag"))
    assert answer(reading, "/a.txt", known).status == 304
    assert answer(reading, "/a.txt", known, ("Accept-Encoding", "gzip")).status == 200


def test_file_without_siblings_does_not_vary(reading):
    assert header(answer(reading, "/a.txt", ("Accept-Encoding", "gzip")), "vary") is None


def test_sibling_older_than_the_file_is_of_another_version(reading, encoded_root):
    os.utime(encoded_root / "a.txt.gz", (1e9, 1e9))
    found = answer(reading, "/a.txt", ("Accept-Encoding", "gzip"))
    assert header(found, "content-encoding") is None


def test_link_is_no_sibling(reading, root):
    (root / "secret").write_bytes(b"x")
    (root / "a.txt.gz").symlink_to("secret")
    assert header(answer(reading, "/a.txt", ("Accept-Encoding", "gzip")), "content-encoding") is None


def test_new_sibling_is_found_after_a_while(reading, root):
    wish = ("Accept-Encoding", "gzip")
    answer(reading, "/a.txt", wish)
    (root / "a.txt.gz").write_bytes(b"z")
    assert content(answer(reading, "/a.txt", wish, now=2 * RECHECK_SECONDS)) == b"z"


# --- Directories ----------------------------------------------------------------------------


def test_people_get_a_page_and_programs_get_json(reading):
    page = answer(reading, "/", ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"))
    assert header(page, "content-type") == "text/html; charset=utf-8"
    assert header(page, "vary") == "Accept"
    data = answer(reading, "/", ("Accept", "application/json"))
    assert header(data, "content-type") == "application/json"
    assert [entry["name"] for entry in json.loads(data.content)["entries"]] == ["a.txt", "big"]


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        (None, False),
        ("*/*", False),
        ("application/json;q=0.5, text/html", False),
        ("application/json, text/html;q=0.5", True),
        ("application/*", True),
        ("application/json;q=0", False),
        ("application/json, */*", False),
        ("application/json, */*;q=0.1", True),
    ],
)
def test_json_is_for_those_who_say_so(reading, accept, is_json):
    headers = () if accept is None else (("Accept", accept),)
    found = answer(reading, "/", *headers)
    assert (header(found, "content-type") == "application/json") is is_json


def test_listing_is_sent_again_only_when_it_is_another_one(reading, root):
    known = ("If-None-Match", header(answer(reading, "/"), "etag"))
    assert answer(reading, "/", known).status == 304
    (root / "new").write_bytes(b"")
    assert answer(reading, "/", known).status == 200
    assert answer(reading, "/", ("If-Match", known[1])).status == 412


def test_index_is_for_people(reading, root):
    (root / "index.html").write_bytes(b"<p>")
    assert content(answer(reading, "/")) == b"<p>"
    assert answer(reading, "/", ("Accept", "application/json")).content.startswith(b"{")


def test_redirect_to_a_directory_keeps_the_query(reading, root):
    (root / "sub").mkdir()
    found = answer(reading, "/sub?sort=size")
    assert (found.status, header(found, "location")) == (301, "/sub/?sort=size")


@pytest.mark.parametrize("target", ["/", "/none", "/sub"])
def test_head_is_get_without_content(reading, root, target):
    (root / "sub").mkdir()
    got, head = answer(reading, target), answer(reading, target, method="HEAD")
    assert (head.status, head.headers, head.content) == (got.status, got.headers, b"")
