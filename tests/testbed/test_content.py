"""The content: what the user gives or a seed makes, and whether there is room for its copies."""

import hashlib
import os
import zlib
from pathlib import Path

import pytest

from testbed import content
from testbed.errors import ScenarioError


def test_made_up_content_depends_on_size_and_seed_alone(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = content.made_up(tmp_path / "a", 3_000_000, seed=7)
    same = content.made_up(tmp_path / "b", 3_000_000, seed=7)
    assert one.path.read_bytes() == same.path.read_bytes()
    assert one.sha256 == same.sha256
    assert content.made_up(tmp_path / "b", 3_000_000, seed=8).sha256 != one.sha256


def test_made_up_content_is_the_same_on_every_machine(tmp_path):
    made = content.made_up(tmp_path, 2_621_440, seed=7)
    assert made.sha256 == "a0a71e2cbf729d9d8125f3e578370500828803fda48c1f6cd8cce6cdfa086708"


def test_made_up_content_has_the_size_and_digest_it_claims(tmp_path):
    made = content.made_up(tmp_path, content.CHUNK_BYTES + 1, seed=1)
    data = made.path.read_bytes()
    assert len(data) == made.size_bytes == content.CHUNK_BYTES + 1
    assert hashlib.sha256(data).hexdigest() == made.sha256


def test_made_up_content_does_not_compress(tmp_path):
    data = content.made_up(tmp_path, 100_000, seed=1).path.read_bytes()
    assert len(zlib.compress(data)) >= len(data)


def test_content_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(ScenarioError, match="cannot write the content: No such file"):
        content.made_up(tmp_path / "absent", 10, seed=1)


def test_the_users_file_is_taken_as_it_is(tmp_path):
    path = tmp_path / "one byte.dat"
    path.write_bytes(b"x")
    taken = content.of_file(path)
    assert taken.path == path.resolve()
    assert (taken.size_bytes, taken.name) == (1, "one byte.dat")
    assert taken.sha256 == hashlib.sha256(b"x").hexdigest()


def test_a_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match=r"absent: expected a readable file: No such file"):
        content.of_file(tmp_path / "absent")


def test_a_path_that_cannot_be_one_is_refused():
    with pytest.raises(ScenarioError, match="expected a path"):
        content.of_file(Path("a\0b"))


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty"
    path.touch()
    with pytest.raises(ScenarioError, match="empty: expected a file with content"):
        content.of_file(path)


def test_a_folder_or_a_pipe_is_no_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe):
        with pytest.raises(ScenarioError, match="expected a regular file"):
            content.of_file(path)


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    path.write_bytes(b"x")

    def refuse(_path, _mode):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # Permissions do not stop root.
    with pytest.raises(ScenarioError, match="secret: expected a readable file: Permission denied"):
        content.of_file(path)


def test_copies_that_fit_pass(tmp_path):
    content.ensure_space(tmp_path, 1)


def test_copies_that_do_not_fit_are_refused_with_both_numbers(tmp_path):
    with pytest.raises(ScenarioError, match=r"expected .* TiB free for the downloads .*, found "):
        content.ensure_space(tmp_path, 1 << 60)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match="expected a folder that can be written to"):
        content.ensure_space(tmp_path / "absent", 1)
