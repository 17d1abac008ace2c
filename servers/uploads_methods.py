"""The requests of resumable uploads: draft-ietf-httpbis-resumable-upload.

PUT /file             Upload-Complete: ?1 (all of it) or ?0 (a beginning): creates an upload resource
HEAD /-/uploads/…     how much has arrived
PATCH /-/uploads/…    Upload-Offset, application/partial-upload: more; Upload-Complete: ?1 ends it
DELETE /-/uploads/…   never mind
"""

from __future__ import annotations

import functools
from http import HTTPStatus

from servers.answers import Answer, text
from servers.http1 import Request, find
from servers.methods import Intake, Later
from servers.uploads import Declined, Put, failure
from servers.uploads_resumable import Append, Resumable, inconsistent, note_length
from servers.uploads_state import (
    PARTIAL_UPLOAD,
    RESOURCES,
    about,
    boolean,
    integer,
    interop_version,
    limits,
    problem,
    resource_of,
)
from servers.uploads_work import Steps, sync


class ResumablePut:
    """PUT, resumable if the client wants it so."""

    def __init__(self, uploads: Resumable) -> None:
        self._uploads = uploads
        self._plain = Put(uploads.store)

    def begin(self, request: Request, now: float) -> Answer | Later | Intake:
        """Refuse what cannot succeed; take in the rest."""
        complete = boolean(request.headers, "upload-complete")
        if complete is None:
            return self._plain.begin(request, now)
        uploads, store = self._uploads, self._uploads.store
        try:
            store.check_representation(request.headers)
            store.target(request.target)
            store.digest_check(request.headers, "content-digest", "repr-digest")
            store.check_size(max(request.body_bytes, integer(request.headers, "upload-length") or 0))
            store.check_conditions(request.method, request.headers, request.target)
            state, part = uploads.create(request)
        except Declined as declined:
            return declined.answer
        except OSError as error:
            return failure(error)
        if not note_length(state, request, 0, complete=complete):
            part.discard()
            uploads.forget(part.token)
            return inconsistent()
        if state.length is not None:
            uploads.keep(part.token, state)
        append = Append(uploads, request, state, part, complete=complete)
        version = interop_version(request.headers)
        if version is not None:
            append.interim = (
                ("Location", RESOURCES + part.token),
                limits(store.size_limit_bytes),
                ("Upload-Draft-Interop-Version", version),
            )
        return append if request.body_bytes else append.end(now)


class Patch:
    """PATCH: more of an upload."""

    def __init__(self, uploads: Resumable) -> None:
        self._uploads = uploads

    def begin(self, request: Request, now: float) -> Answer | Later | Intake:
        """Refuse what does not continue an upload; take in the rest."""
        try:
            return self._begin(request, now)
        except Declined as declined:
            return declined.answer
        except OSError as error:
            return failure(error)

    def _begin(self, request: Request, now: float) -> Answer | Later | Intake:
        if resource_of(request.target) is None:
            return text(
                405, "only uploads are patched", (("Allow", "GET, HEAD, OPTIONS, PUT, DELETE"),)
            )
        content_type = (find(request.headers, "content-type") or "").partition(";")[0].strip().lower()
        if content_type != PARTIAL_UPLOAD:
            return text(415, f"expected {PARTIAL_UPLOAD}", (("Accept-Patch", PARTIAL_UPLOAD),))
        offset = integer(request.headers, "upload-offset")
        complete = boolean(request.headers, "upload-complete")
        if offset is None or complete is None:
            return text(400, "expected Upload-Offset and Upload-Complete")
        self._uploads.store.digest_check(request.headers, "content-digest")
        token, state = self._uploads.state(request.target)
        if state.completed_bytes is not None:
            return problem(400, "completed-upload", "upload is already completed")
        part = self._uploads.open(token)
        try:
            if offset != part.size_bytes:
                raise Declined(self._mismatch(part.size_bytes, offset))
            known = state.length
            if not note_length(state, request, offset, complete=complete):
                raise Declined(inconsistent())
            self._uploads.store.check_size(max(state.length or 0, offset + max(request.body_bytes, 0)))
            if state.length != known:
                self._uploads.keep(token, state)
            append = Append(self._uploads, request, state, part, complete=complete)
        except BaseException:
            part.close()
            raise
        return append if request.body_bytes else append.end(now)

    @staticmethod
    def _mismatch(expected: int, provided: int) -> Answer:
        return problem(
            HTTPStatus.CONFLICT,
            "mismatching-upload-offset",
            "offset from request does not match offset of resource",
            (("Upload-Offset", str(expected)),),
            expected_offset=expected,
            provided_offset=provided,
        )


class OffsetOf:
    """HEAD of an upload resource: how much has arrived."""

    def __init__(self, uploads: Resumable) -> None:
        self._uploads = uploads

    def begin(self, request: Request, now: float) -> Answer | Later | Intake:
        """Answer with what a client needs to go on."""
        limit = limits(self._uploads.store.size_limit_bytes)
        try:
            token, state = self._uploads.state(request.target)
            if state.completed_bytes is not None:
                size = state.completed_bytes
                return Answer(204, (*about(size, size, complete=True), limit))
            part = self._uploads.open(token)
        except Declined as declined:
            return declined.answer
        except OSError as error:
            return failure(error)
        headers = (*about(part.size_bytes, state.length, complete=False), limit)

        def then(error: OSError | None) -> Answer:
            part.close()
            return Answer(204, headers) if error is None else failure(error)

        # An offset that was told is a promise, so what it counts must be on the medium.
        return Steps(functools.partial(sync, part.descriptor), then, part.close)


class Cancel:
    """DELETE of an upload resource: it ends, and leaves nothing."""

    def __init__(self, uploads: Resumable) -> None:
        self._uploads = uploads

    def begin(self, request: Request, now: float) -> Answer | Later | Intake:
        """Remove what has arrived."""
        try:
            token, state = self._uploads.state(request.target)
            if state.completed_bytes is None:
                self._uploads.open(token).discard()
            self._uploads.forget(token)
        except Declined as declined:
            return declined.answer
        except OSError as error:
            return failure(error)
        return Answer(204)
