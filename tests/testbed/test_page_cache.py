"""What the kernel keeps of a file: as far as the file system of the test's folder lets it be seen."""

from __future__ import annotations

import os

import pytest

from testbed.page_cache import cached_fraction
from testbed.storage import FileStorage, StorageFault

SIZE = 40 * os.sysconf("SC_PAGESIZE") + 1


@pytest.fixture
def storage(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(os.urandom(SIZE))
    storage = FileStorage.of(path)
    yield storage
    storage.close()


def test_file_that_was_read_is_all_there(storage):
    storage.fill_cache()
    assert storage.cached_fraction() == 1.0


def test_file_that_was_dropped_is_not_there_unless_its_file_system_keeps_everything(storage):
    storage.fill_cache()
    storage.forget()
    assert storage.cached_fraction() in (0.0, 1.0)
    assert storage.sha256()  # The content is another matter.
    assert storage.cached_fraction() == 1.0


def test_empty_file_has_no_pages(tmp_path):
    with (tmp_path / "empty").open("wb+") as file:
        assert cached_fraction(file.fileno()) is None


def test_what_is_no_file_on_a_disk_is_a_fault_of_the_medium():
    reading, writing = os.pipe()
    os.close(writing)
    storage = FileStorage(reading, 1)
    with pytest.raises(StorageFault):
        storage.forget()
    assert storage.cached_fraction() is None
    storage.close()
