"""Which request is whose on a host that also stores: files here, upload resources there."""

from __future__ import annotations

from pathlib import Path

from servers.answers import Answer
from servers.files import Files
from servers.http1 import Request
from servers.methods import Intake, Later, Method
from servers.uploads import Delete, Store
from servers.uploads_area import UploadArea
from servers.uploads_methods import Cancel, OffsetOf, Patch, ResumablePut
from servers.uploads_resumable import Resumable
from servers.uploads_state import PARTIAL_UPLOAD, RESOURCES, limits

#: The largest file that is taken unless somebody says otherwise.
SIZE_LIMIT_BYTES = 16 << 30


class _Routed:
    """A method that means one thing for upload resources and another for files."""

    def __init__(self, of_uploads: Method, of_files: Method) -> None:
        self._of_uploads = of_uploads
        self._of_files = of_files

    def begin(self, request: Request, now: float) -> Answer | Later | Intake:
        """Let the right one answer."""
        mine = request.target.startswith(RESOURCES)
        return (self._of_uploads if mine else self._of_files).begin(request, now)


class _Options:
    """OPTIONS: that uploads can be resumed here, and how large they may be (section 4.1.4)."""

    def __init__(self, allowed: list[str], size_limit_bytes: int) -> None:
        headers = (("Allow", ", ".join(allowed)), ("Accept-Patch", PARTIAL_UPLOAD))
        self._answer = Answer(204, (*headers, limits(size_limit_bytes)))

    def begin(self, request: Request, now: float) -> Answer | Later | Intake:
        """Say so."""
        return self._answer


def storing_methods(
    directory: Path, files: Files, reading: Method, size_limit_bytes: int
) -> dict[str, Method]:
    """The methods of a host that may be written to. What a killed one left behind is removed.

    Raises:
      OSError: the directory cannot be written to.
    """
    area = UploadArea(directory)
    area.sweep()
    store = Store(area, files, size_limit_bytes)
    uploads = Resumable(store)
    reads = _Routed(OffsetOf(uploads), reading)
    methods: dict[str, Method] = {
        "GET": reads,
        "HEAD": reads,
        "PUT": ResumablePut(uploads),
        "PATCH": Patch(uploads),
        "DELETE": _Routed(Cancel(uploads), Delete(store)),
    }
    methods["OPTIONS"] = _Options([*methods, "OPTIONS"], size_limit_bytes)
    return methods
