"""What can be named below a directory, and what cannot."""

from __future__ import annotations

import errno
import gc
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.files import (
    OPEN_FILES,
    Directory,
    Elsewhere,
    Folder,
    OneFile,
    Refusal,
    Resource,
    components,
    path_of,
)
from testbed.storage import SharedStorage


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    return tmp_path


@pytest.fixture
def root(outside):
    root = outside / "root"
    root.mkdir()
    (root / "a.txt").write_bytes(b"hello")
    (root / "sub").mkdir()
    (root / "sub" / "b c&<d>.bin").write_bytes(b"12")
    return root


def content(found):
    payload = found.storage.read(0, found.storage.size_bytes)
    return os.pread(payload.file, payload.nbytes, payload.offset)


def test_regular_file_is_found_with_its_type_and_validators(root):
    found = Directory(root).find("/a.txt?query")
    assert isinstance(found, Resource)
    assert content(found) == b"hello"
    assert found.content_type == "text/plain; charset=utf-8"
    assert found.etag.startswith('"')
    assert found.modified_seconds == (root / "a.txt").stat().st_mtime


def test_name_is_decoded_once(root):
    (root / "sub" / "100%25.bin").write_bytes(b"x")
    files = Directory(root)
    assert content(files.find("/sub/b%20c%26%3Cd%3E.bin")) == b"12"
    assert content(files.find("/sub/100%2525.bin")) == b"x"
    assert files.find("/sub/100%25.bin") is None


def test_target_may_be_a_whole_url(root):
    assert isinstance(Directory(root).find("http://host:80/a.txt"), Resource)
    assert isinstance(Directory(root).find("http://host"), Folder)


@pytest.mark.parametrize(
    "target",
    [
        "/../secret",
        "/sub/../../secret",
        "/%2e%2e/secret",
        "/%2e%2e%2fsecret",
        "/..%2fsecret",
        "/sub/%2e%2e/a.txt",
        "/%252e%252e/secret",
        "/%c0%ae%c0%ae/secret",
        "/..%c0%afsecret",
        "/./a.txt",
        "//a.txt",
        "/sub//b%20c%26%3Cd%3E.bin",
        "/a.txt%00",
        "/a.txt/",
        "/a.txt/x",
        "/missing",
        "/" + "a" * 5000,
        "a.txt",
        "*",
        "",
        "file:///etc/passwd",
    ],
)
def test_nothing_else_can_be_named(root, target):
    assert Directory(root).find(target) is None


def test_links_are_not_followed(root, outside):
    (root / "file_link").symlink_to(outside / "secret")
    (root / "inner_link").symlink_to("a.txt")
    (root / "dir_link").symlink_to(outside)
    files = Directory(root)
    assert files.find("/file_link") is None
    assert files.find("/inner_link") is None
    assert files.find("/dir_link/secret") is None


def test_fifo_and_socket_do_not_hang_the_host(root):
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.open(root, os.O_RDONLY)
        try:
            sock.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
    files = Directory(root)
    assert files.find("/fifo") is None
    assert files.find("/socket") is None


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40))
def test_any_path_is_split_into_names_or_refused(text):
    try:
        names = components(path_of("/" + text))
    except ValueError:
        return
    assert all(name not in ("", ".", "..") and "/" not in name and "\0" not in name for name in names)


def test_changed_file_has_another_etag(root):
    files = Directory(root)
    first = files.find("/a.txt")
    (root / "new").write_bytes(b"HELLO")
    (root / "new").replace(root / "a.txt")
    second = files.find("/a.txt")
    assert first.etag != second.etag
    assert (content(first), content(second)) == (b"hello", b"HELLO")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_forbidden(root):
    (root / "a.txt").chmod(0)
    assert Directory(root).find("/a.txt") == Refusal(403, "not readable")


@pytest.mark.parametrize(
    ("number", "found"),
    [
        (errno.EMFILE, Refusal(503, "too busy")),
        (errno.ENFILE, Refusal(503, "too busy")),
        (errno.EACCES, Refusal(403, "not readable")),
        (errno.EIO, Refusal(500, "cannot be read")),
        (errno.ELOOP, None),
    ],
)
def test_error_of_the_system_becomes_an_answer(root, monkeypatch, number, found):
    files = Directory(root)

    def fail(*args: object, **options: object):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("servers.files.os.open", fail)
    assert files.find("/a.txt") == found


# --- Descriptors ----------------------------------------------------------------------------


def open_descriptors():
    gc.collect()
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open descriptors")


@needs_proc
def test_descriptors_are_bounded_and_let_go(root):
    before = open_descriptors()
    files = Directory(root)
    for number in range(2 * OPEN_FILES):
        (root / f"{number}").write_bytes(b"x")
        assert isinstance(files.find(f"/{number}"), Resource)
        files.find("/sub/")
        files.find("/missing")
    assert open_descriptors() <= before + 1 + OPEN_FILES
    files.close()
    del files
    assert open_descriptors() == before


def test_slice_under_way_keeps_its_file_open_when_everybody_else_forgot_it(root):
    files = Directory(root)
    payload = files.find("/a.txt").storage.read(0, 5)
    files.close()
    (root / "a.txt").unlink()
    for number in range(2 * OPEN_FILES):
        (root / f"{number}").write_bytes(b"wrong")
        files.find(f"/{number}")
    assert os.pread(payload.file, 5, 0) == b"hello"


# --- Directories ----------------------------------------------------------------------------


def test_directory_without_its_slash_is_elsewhere_on_this_host(root):
    (root / "evil.example").mkdir()
    files = Directory(root)
    assert files.find("/sub") == Elsewhere("/sub/")
    assert files.find("//evil.example") is None


def test_directory_has_its_index_if_that_is_a_regular_file(root):
    files = Directory(root)
    assert files.find("/").index is None
    (root / "index.html").write_bytes(b"<p>")
    assert content(files.find("/").index) == b"<p>"
    (root / "sub" / "index.html").mkdir()
    assert files.find("/sub/").index is None


def test_link_is_no_index(root, outside):
    (root / "index.html").symlink_to(outside / "secret")
    assert Directory(root).find("/").index is None


def test_one_file_has_one_name():
    files = OneFile("a b", SharedStorage(memoryview(b"xyz")), "v1")
    assert files.find("/a%20b").storage.size_bytes == 3
    assert files.find("/%61%20b?x").etag == '"v1"'
    assert files.find("/a") is None
    assert files.find("/") is None
    assert files.find("/../a%20b") is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.png", "image/png"),
        ("a.tar.gz", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_content_type_is_of_the_name(root, name, kind):
    (root / name).write_bytes(b"")
    assert Directory(root).find(f"/{name}").content_type == kind
