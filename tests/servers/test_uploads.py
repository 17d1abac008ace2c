"""PUT and DELETE: what becomes a file, what does not, and what is left behind."""

from __future__ import annotations

import base64
import hashlib
import os
import stat

import pytest

from servers.files import Resource
from servers.uploads_area import KEPT_SECONDS, UploadArea
from tests.servers.uploading import LIMIT_BYTES, Storing, value


@pytest.fixture
def root(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "old").write_bytes(b"what was there")
    return tmp_path


@pytest.fixture
def storing(root):
    return Storing(root)


def etag(storing, target):
    found = storing.files.find(target)
    assert isinstance(found, Resource)
    return found.etag


def digest(content, algorithm="sha256"):
    encoded = base64.b64encode(hashlib.new(algorithm, content).digest()).decode()
    return f"{algorithm.replace('sha', 'sha-')}=:{encoded}:"


def test_put_makes_a_file(storing, root):
    answer = storing.ask("PUT", "/folder/new%20one", content=b"content" * 1000)
    assert answer.status == 201
    assert value(answer, "location") == "/folder/new%20one"
    assert (root / "folder" / "new one").read_bytes() == b"content" * 1000
    assert value(answer, "etag") == etag(storing, "/folder/new%20one")
    assert storing.left() == []


def test_put_replaces_a_file(storing, root):
    before = etag(storing, "/old")
    answer = storing.ask("PUT", "/old", content=b"new")
    assert answer.status == 204
    assert (root / "old").read_bytes() == b"new"
    assert value(answer, "etag") == etag(storing, "/old") != before


def test_put_of_nothing_makes_an_empty_file(storing, root):
    assert storing.ask("PUT", "/empty").status == 201
    assert (root / "empty").read_bytes() == b""
    assert storing.left() == []


def test_a_stored_file_can_be_read_by_others_and_not_executed(storing, root):
    storing.ask("PUT", "/new", content=b"x")
    mode = stat.S_IMODE((root / "new").stat().st_mode)
    assert mode & 0o400
    assert not mode & 0o111


def test_a_reader_of_the_old_file_goes_on_reading_it(storing, root):
    with (root / "old").open("rb") as reader:
        storing.ask("PUT", "/old", content=b"new")
        assert reader.read() == b"what was there"


def test_the_old_file_is_there_until_all_has_come(storing, root):
    intake = storing.begin("PUT", "/old", body_bytes=6)
    intake.take(b"new", 0.0)
    assert (root / "old").read_bytes() == b"what was there"
    intake.take(b"est", 0.0)
    assert (root / "old").read_bytes() == b"what was there"
    assert storing.wait(intake.end(0.0)).status == 204
    assert (root / "old").read_bytes() == b"newest"


def test_an_interrupted_upload_leaves_nothing(storing, root):
    intake = storing.begin("PUT", "/new", body_bytes=6)
    intake.take(b"new", 0.0)
    assert storing.left() != []
    intake.abandon()
    assert storing.left() == []
    assert not (root / "new").exists()


def test_a_client_that_leaves_while_its_file_is_synced_leaves_no_part(storing, root):
    intake = storing.begin("PUT", "/new", body_bytes=3)
    intake.take(b"new", 0.0)
    later = intake.end(0.0)
    later.abandon()
    while storing.left():
        os.sched_yield()
    assert not (root / "new").exists()


def test_what_a_killed_host_left_is_swept_up_by_the_next(storing, root):
    intake = storing.begin("PUT", "/new", body_bytes=6)
    intake.take(b"new", 0.0)
    area = UploadArea(root)
    area.sweep()
    assert storing.left() != [], "somebody is still writing it"
    intake._part.close()  # As the system does with a killed process.
    area.sweep()
    assert storing.left() == []


def test_parts_with_a_resource_are_kept_for_a_day(storing, root):
    storing.ask("PUT", "/new", ("Upload-Complete", "?0"), content=b"beginning")
    area = UploadArea(root)
    area.sweep()
    assert len(storing.left()) == 2
    modified = max(path.stat().st_mtime for path in (root / ".uploads").iterdir())
    area.sweep(modified + KEPT_SECONDS + 1)
    assert storing.left() == []


# --- Conditions -----------------------------------------------------------------------------


def test_if_none_match_any_makes_a_file_and_replaces_none(storing, root):
    condition = ("If-None-Match", "*")
    assert storing.ask("PUT", "/new", condition, content=b"1").status == 201
    assert storing.ask("PUT", "/new", condition, content=b"2").status == 412
    assert (root / "new").read_bytes() == b"1"


def test_if_match_replaces_the_version_it_names_only(storing, root):
    known = etag(storing, "/old")
    assert storing.ask("PUT", "/old", ("If-Match", known), content=b"mine").status == 204
    assert storing.ask("PUT", "/old", ("If-Match", known), content=b"too late").status == 412
    assert (root / "old").read_bytes() == b"mine"
    assert storing.ask("PUT", "/none", ("If-Match", "*"), content=b"x").status == 412
    assert not (root / "none").exists()


def test_a_condition_is_looked_at_again_when_all_has_come(storing, root):
    intake = storing.begin("PUT", "/new", (("If-None-Match", "*"),), 6)
    intake.take(b"slower", 0.0)
    assert storing.ask("PUT", "/new", content=b"faster").status == 201
    assert storing.wait(intake.end(0.0)).status == 412
    assert (root / "new").read_bytes() == b"faster"
    assert storing.left() == []


# --- What the content is said to be ---------------------------------------------------------


@pytest.mark.parametrize("field", ["Content-Digest", "Repr-Digest"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_content_with_its_digest_is_stored(storing, root, field, algorithm):
    answer = storing.ask("PUT", "/new", (field, digest(b"right", algorithm)), content=b"right")
    assert answer.status == 201


@pytest.mark.parametrize("field", ["Content-Digest", "Repr-Digest"])
def test_content_with_another_digest_never_becomes_visible(storing, root, field):
    answer = storing.ask("PUT", "/old", (field, digest(b"right")), content=b"wrong")
    assert answer.status == 400
    assert (root / "old").read_bytes() == b"what was there"
    assert storing.left() == []


@pytest.mark.parametrize("malformed", ["sha-256=abc", "sha-256=:a:", "=::", "sha-256"])
def test_a_malformed_digest_is_refused_before_the_content(storing, malformed):
    begun = storing.begin("PUT", "/new", (("Content-Digest", malformed),), 5)
    assert begun.status == 400


def test_a_digest_of_an_unknown_algorithm_is_passed_over(storing):
    headers = ("Content-Digest", "md5=:AAAA:, sha-256=:" + digest(b"right").split(":")[1] + ":")
    assert storing.ask("PUT", "/new", headers, content=b"right").status == 201


def test_a_part_is_not_stored_as_a_whole(storing):
    begun = storing.begin("PUT", "/new", (("Content-Range", "bytes 0-4/10"),), 5)
    assert begun.status == 400


def test_coded_content_is_refused(storing):
    begun = storing.begin("PUT", "/new", (("Content-Encoding", "gzip"),), 5)
    assert begun.status == 415


# --- Limits and names -----------------------------------------------------------------------


def test_more_than_is_taken_is_refused_before_it_comes(storing):
    begun = storing.begin("PUT", "/new", (), LIMIT_BYTES + 1)
    assert begun.status == 413
    assert value(begun, "upload-limit") == f"max-size={LIMIT_BYTES}"


def test_more_than_is_taken_is_refused_when_it_comes_in_chunks(storing, root):
    intake = storing.begin("PUT", "/new", (), -1)
    assert intake.take(bytes(LIMIT_BYTES), 0.0) is None
    assert intake.take(b"x", 0.0).status == 413
    assert storing.left() == []
    assert not (root / "new").exists()


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/folder",
        "/folder/",
        "/none/new",
        "/old/new",
        "/a/../b",
        "/%2e%2e/b",
        "/a%00b",
        "/.uploads/x",
        "/" + "x" * 256,
    ],
)
def test_what_cannot_be_a_file_is_refused_and_leaves_nothing(storing, root, target):
    assert storing.ask("PUT", target, content=b"x").status == 409
    assert storing.left() == []
    assert sorted(path.name for path in root.iterdir()) == [".uploads", "folder", "old"]


def test_a_link_is_no_way_out(storing, root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (root / "link").symlink_to(outside)
    (outside / "file").write_bytes(b"theirs")
    (root / "file-link").symlink_to(outside / "file")
    assert storing.ask("PUT", "/link/new", content=b"x").status == 409
    assert storing.ask("PUT", "/file-link", content=b"x").status == 409
    assert storing.ask("DELETE", "/link/file").status == 409
    assert storing.ask("DELETE", "/file-link").status in (404, 409)
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (outside / "file").read_bytes() == b"theirs"


# --- DELETE ---------------------------------------------------------------------------------


def test_delete_removes_a_file(storing, root):
    assert storing.ask("DELETE", "/old").status == 204
    assert not (root / "old").exists()
    assert storing.ask("DELETE", "/old").status == 404


def test_delete_of_another_version_removes_nothing(storing, root):
    assert storing.ask("DELETE", "/old", ("If-Match", '"another"')).status == 412
    assert storing.ask("DELETE", "/old", ("If-Match", etag(storing, "/old"))).status == 204


def test_a_directory_is_not_deleted(storing, root):
    assert storing.ask("DELETE", "/folder").status == 409
    assert storing.ask("DELETE", "/folder/").status == 409
    assert (root / "folder").is_dir()
