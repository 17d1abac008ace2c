"""Upload resources: content that arrives in several requests, and survives who sends and who takes it.

A resource (draft-ietf-httpbis-resumable-upload) is two files of the upload area: what has arrived, and
what the creating request said. Nothing else is remembered, so an upload survives a killed host as it
does a killed client. What a request brought before it broke off stays. When the content is whole, it
becomes a file as with any PUT, by the conditions and the digest of the request that created it.

A client that asks about an upload, or goes on with it, has given up what it sent before: a request of
the same upload that is still being read in this process ends, and one in another process makes it wait
(503). `servers.uploads_methods` has the requests.
"""

from __future__ import annotations

import functools

import msgspec

from servers.answers import Answer, text
from servers.http1 import UNKNOWN_LENGTH, Headers, Request
from servers.methods import Later
from servers.uploads import Declined, Store, failure
from servers.uploads_area import STATE_SUFFIX, BusyElsewhere, Part, Target
from servers.uploads_digest import DigestCheck
from servers.uploads_state import (
    RESOURCES,
    UploadState,
    about,
    decode_state,
    encode_state,
    integer,
    limits,
    problem,
    resource_of,
)
from servers.uploads_work import Steps, sync, sync_and_check
from testbed.node import Payload

_TRY_AGAIN: Headers = (("Retry-After", "1"),)


class Resumable:
    """All upload resources of one host."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._active: dict[str, Append] = {}

    # --- What is there ----------------------------------------------------------------------

    def create(self, request: Request) -> tuple[UploadState, Part]:
        """Make a resource.

        Raises:
          OSError: it cannot be made.
        """
        part = self.store.area.new_part()
        state = UploadState.of(request)
        try:
            self.keep(part.token, state)
        except OSError:
            part.discard()
            raise
        return state, part

    def keep(self, token: str, state: UploadState) -> None:
        """Write down what a resource remembers."""
        self.store.area.write_state(token, encode_state(state))

    def state(self, request_target: str) -> tuple[str, UploadState]:
        """Find the resource that a request names, and end what else is being sent to it.

        Raises:
          Declined: there is none, or it cannot be disturbed just now.
        """
        token = resource_of(request_target)
        try:
            if token is None:
                raise FileNotFoundError
            state = decode_state(self.store.area.read_state(token))
        except (FileNotFoundError, msgspec.DecodeError):
            raise Declined(text(404, "no such upload")) from None
        active = self._active.get(token)
        if active is not None and not active.give_way():
            raise Declined(text(503, "the upload is being completed", _TRY_AGAIN))
        return token, state

    def open(self, token: str) -> Part:
        """Open the part of a resource.

        Raises:
          Declined: it is gone, or another process is busy with it.
        """
        try:
            return self.store.area.open_part(token)
        except FileNotFoundError:
            self.forget(token)
            raise Declined(text(410, "the upload was lost")) from None
        except BusyElsewhere:
            raise Declined(text(503, "the upload is being written", _TRY_AGAIN)) from None

    def forget(self, token: str) -> None:
        """Remove what a resource remembers: it is one no more."""
        self.store.area.remove(token + STATE_SUFFIX)

    # --- What is being sent -----------------------------------------------------------------

    def begin(self, append: Append) -> None:
        """Count a request as the one that sends to its resource."""
        self._active[append.token] = append

    def end(self, append: Append) -> None:
        """Count it no more."""
        if self._active.get(append.token) is append:
            del self._active[append.token]


class Append:
    """Takes in one request's content for an upload resource, the creating one's or a later one's."""

    def __init__(
        self, uploads: Resumable, request: Request, state: UploadState, part: Part, *, complete: bool
    ) -> None:
        self.token = part.token
        self.interim: Headers = ()
        """For a client that can resume: where, before its content is read (status 104)."""
        self._uploads = uploads
        self._state = state
        self._part = part
        self._complete = complete
        self._began_at = part.size_bytes
        self._finishing = False
        self._creates = request.method != "PATCH"
        self._check: DigestCheck = uploads.store.digest_check(request.headers, "content-digest")
        self._target: Target = uploads.store.target(state.target)
        uploads.begin(self)

    # --- The content ------------------------------------------------------------------------

    def take(self, payload: Payload, now: float) -> Answer | None:
        """Write content to the part."""
        if self._part.descriptor < 0:
            return text(409, "the client has gone on elsewhere")
        try:
            self._part.append(payload)
        except OSError as error:
            self.abandon()
            return failure(error)
        self._check.update(payload)
        size = self._part.size_bytes
        try:
            self._uploads.store.check_size(size)
        except Declined as declined:
            self._drop()
            return declined.answer
        if self._state.length is not None and size > self._state.length:
            self._drop()
            return inconsistent()
        return None

    def end(self, now: float) -> Answer | Later:
        """Acknowledge it, or let the whole be the file."""
        if self._part.descriptor < 0:
            return text(409, "the client has gone on elsewhere")
        wrong = self._check.wrong()
        if wrong is not None:
            # The client heard of no offset beyond where this request began.
            self._part.truncate(self._began_at)
            self.abandon()
            return text(400, f"content has another {wrong} digest")
        if self._complete and self._state.length not in (None, self._part.size_bytes):
            self._drop()
            return inconsistent()
        self._finishing = True
        descriptor = self._part.descriptor
        if not self._complete:
            return Steps(functools.partial(sync, descriptor), self._acknowledge, self.abandon)
        whole = self._uploads.store.digest_check(tuple(self._state.headers), "repr-digest")
        work = functools.partial(sync_and_check, descriptor, whole)
        return Steps(work, functools.partial(self._publish, whole), self.abandon)

    def abandon(self) -> None:
        """What has come stays: the client may go on with it."""
        self._part.close()
        self._uploads.end(self)

    def give_way(self) -> bool:
        """End for a newer request of the same upload; False if it is too late for that."""
        if self._finishing:
            return False
        self.abandon()
        return True

    # --- The end ----------------------------------------------------------------------------

    def _acknowledge(self, error: OSError | None) -> Answer:
        offset = self._part.size_bytes
        self.abandon()
        if error is not None:
            return failure(error)
        headers = about(offset, self._state.length, complete=False)
        if not self._creates:
            return Answer(204, headers)
        where = ("Location", RESOURCES + self.token)
        limit = limits(self._uploads.store.size_limit_bytes)
        return text(201, "go on at Location", (*headers, where, limit))

    def _publish(self, whole: DigestCheck, error: OSError | None) -> Answer | Steps:
        if error is not None:
            self.abandon()
            return failure(error)
        wrong = whole.wrong()
        if wrong is not None:
            self._drop()
            return self._completed(text(400, f"content has another {wrong} digest"))
        state = self._state
        answer = self._uploads.store.publish(
            self._part, self._target, tuple(state.headers), state.target, self._placed
        )
        if isinstance(answer, Answer):
            self._drop()
            return self._completed(answer)
        self._uploads.end(self)
        return answer.followed_by(self._completed)

    def _placed(self) -> None:
        """Remember that the upload is complete, before the part is given up."""
        self._state.completed_bytes = self._part.size_bytes
        self._uploads.keep(self.token, self._state)

    def _completed(self, answer: Answer) -> Answer:
        headers = (*answer.headers, ("Upload-Complete", "?1"))
        return Answer(answer.status, headers, answer.content)

    def _drop(self) -> None:
        self._part.discard()
        self._uploads.forget(self.token)
        self._uploads.end(self)


def inconsistent() -> Answer:
    """Answer a client whose lengths contradict each other."""
    return problem(400, "inconsistent-upload-length", "inconsistent length values for upload")


def note_length(state: UploadState, request: Request, offset: int, *, complete: bool) -> bool:
    """Take what a request says of the whole length; False if that contradicts itself."""
    said = [state.length, integer(request.headers, "upload-length")]
    if complete and request.body_bytes != UNKNOWN_LENGTH:
        said.append(offset + request.body_bytes)
    known = {length for length in said if length is not None}
    if len(known) > 1:
        return False
    if known:
        state.length = known.pop()
        return offset <= state.length
    return True
