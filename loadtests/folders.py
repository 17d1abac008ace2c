"""Temporary folders: made for a run, gone with it, and swept up after one that was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from testbed.errors import ScenarioError

PREFIX = "swarm-or-server-"


def make_folder() -> Path:
    """Make a temporary folder that names its process. Whoever makes it removes it.

    Folders of processes that were killed before they could clean up are removed first.

    Raises:
      ScenarioError: it cannot be made.
    """
    root = Path(tempfile.gettempdir())
    _remove_leftovers(root)
    try:
        return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=root))
    except OSError as error:
        raise ScenarioError(
            f"{root}: expected a folder that can be written to: {error.strerror}"
        ) from None


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Lend a folder for content and downloads; it goes whatever happens.

    Raises:
      ScenarioError: it cannot be made.
    """
    folder = make_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(root: Path) -> None:
    for folder in root.glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
