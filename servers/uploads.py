"""Storing: PUT and DELETE (RFC 9110 sections 9.3.4 and 9.3.5).

    head      conditions, length, digest fields are looked at: what cannot succeed is refused at once
    body      goes to a part of the upload area
    end       digests are compared; in a thread the part is synced
    publish   conditions are looked at again, under the area's lock, and the part becomes the file
    answer    after the directory is synced, with the new entity tag

The medium is waited for in a thread, so that other clients are served meanwhile.
"""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable
from http import HTTPStatus

from servers.answers import Answer, text
from servers.conditions import precondition
from servers.files import Files, Resource
from servers.http1 import Headers, Request, find
from servers.methods import Intake, Later
from servers.uploads_area import Part, Target, Unsuitable, UploadArea
from servers.uploads_digest import DigestCheck, MalformedDigest, wanted_digests
from servers.uploads_work import Steps, sync
from testbed.node import Payload

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Declined(Exception):
    """The request ends here, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Store:
    """What is stored where: the files that are served, and the area through which they come.

    Args:
      files: Says what is there now, and what its entity tag is.
      size_limit_bytes: The largest file that is taken.
    """

    def __init__(self, area: UploadArea, files: Files, size_limit_bytes: int) -> None:
        self.area = area
        self.files = files
        self.size_limit_bytes = size_limit_bytes

    def target(self, request_target: str) -> Target:
        """Find where to store.

        Raises:
          Declined: nowhere.
        """
        try:
            return self.area.target(request_target)
        except Unsuitable as unsuitable:
            raise Declined(text(409, unsuitable.reason)) from None

    def check_conditions(self, method: str, headers: Headers, request_target: str) -> None:
        """Look at If-Match and its like, as of now.

        Raises:
          Declined: they do not hold.
        """
        found = self.files.find(request_target)
        resource = found if isinstance(found, Resource) else None
        failed = precondition(method, headers, resource)
        if failed is not None:
            raise Declined(text(failed, "the condition does not hold"))

    def check_size(self, size_bytes: int) -> None:
        """Look at a length that was announced or reached.

        Raises:
          Declined: it is too much.
        """
        if size_bytes > self.size_limit_bytes:
            limit = (("Upload-Limit", f"max-size={self.size_limit_bytes}"),)
            raise Declined(text(413, "larger than what is taken", limit))

    def check_representation(self, headers: Headers) -> None:
        """Look at what the content is said to be.

        Raises:
          Declined: a part (section 14.5), or a coding that would be forgotten with the headers.
        """
        if find(headers, "content-range") is not None:
            raise Declined(text(400, "a part cannot be stored"))
        coding = find(headers, "content-encoding")
        if coding is not None and coding.strip().lower() != "identity":
            raise Declined(text(415, "content is stored as it is", (("Accept-Encoding", "identity"),)))

    def digest_check(self, headers: Headers, *fields: str) -> DigestCheck:
        """Begin to compute what the fields say.

        Raises:
          Declined: a field is malformed, or two fields differ.
        """
        wanted: dict[str, bytes] = {}
        try:
            for field in fields:
                for name, digest in wanted_digests(headers, field).items():
                    if wanted.setdefault(name, digest) != digest:
                        raise Declined(text(400, "digests differ from each other"))
        except MalformedDigest as malformed:
            raise Declined(text(400, str(malformed))) from None
        return DigestCheck(wanted)

    def publish(
        self,
        part: Part,
        target: Target,
        headers: Headers,
        request_target: str,
        placed: Callable[[], None] = lambda: None,
    ) -> Answer | Steps:
        """Let the part be the file, and answer when that is on the medium.

        Args:
          placed: Called when the file is in its place and the part is still there as well.
        """
        try:
            with self.area.deciding():
                self.check_conditions("PUT", headers, request_target)
                replaces = self.area.publish(part, target)
                placed()
                # Before the entity tag is looked at: it counts changes of the file's names too.
                part.discard()
        except Declined as declined:
            return declined.answer
        except Unsuitable as unsuitable:
            return text(409, unsuitable.reason)
        except OSError as error:
            return failure(error)
        found = self.files.find(request_target)
        about = (("ETag", found.etag),) if isinstance(found, Resource) else ()
        if replaces:
            answer = Answer(204, about)
        else:
            answer = text(201, "stored", (*about, ("Location", request_target)))
        return self._when_synced(target, answer)

    def unpublish(
        self, target: Target, method: str, headers: Headers, request_target: str
    ) -> Answer | Steps:
        """Remove a file, and answer when that is on the medium."""
        try:
            with self.area.deciding():
                if self.files.find(request_target) is None:
                    return text(404, "no such file")
                self.check_conditions(method, headers, request_target)
                if not self.area.unpublish(target):
                    return text(404, "no such file")
        except Declined as declined:
            return declined.answer
        except Unsuitable as unsuitable:
            return text(409, unsuitable.reason)
        except OSError as error:
            return failure(error)
        return self._when_synced(target, Answer(204))

    @staticmethod
    def _when_synced(target: Target, answer: Answer) -> Steps:
        def then(error: OSError | None) -> Answer:
            return answer if error is None else failure(error)

        # The target is held, not its descriptor alone, which it closes when it goes.
        return Steps(lambda: sync(target.directory), then, lambda: None)


def failure(error: OSError) -> Answer:
    """Answer for the medium."""
    if error.errno in _NO_ROOM:
        return text(HTTPStatus.INSUFFICIENT_STORAGE, "no room is left")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return text(403, "not writable")
    return text(500, "cannot be stored")


class Put:
    """PUT: the content becomes the file of this name."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, request: Request, now: float) -> Answer | Later | Intake:
        """Refuse what cannot succeed; take in the rest."""
        store = self._store
        try:
            store.check_representation(request.headers)
            target = store.target(request.target)
            store.check_size(request.body_bytes)
            store.check_conditions(request.method, request.headers, request.target)
            check = store.digest_check(request.headers, "content-digest", "repr-digest")
            part = store.area.new_part()
        except Declined as declined:
            return declined.answer
        except OSError as error:
            return failure(error)
        intake = _PutIntake(store, request, target, part, check)
        # Without a body there is nothing to wait for.
        return intake if request.body_bytes else intake.end(now)


class _PutIntake:
    def __init__(
        self, store: Store, request: Request, target: Target, part: Part, check: DigestCheck
    ) -> None:
        self._store = store
        self._request = request
        self._target = target
        self._part = part
        self._check = check

    def take(self, payload: Payload, now: float) -> Answer | None:
        """Write content to the part."""
        try:
            self._part.append(payload)
            self._store.check_size(self._part.size_bytes)
        except Declined as declined:
            self._part.discard()
            return declined.answer
        except OSError as error:
            self._part.discard()
            return failure(error)
        self._check.update(payload)
        return None

    def end(self, now: float) -> Answer | Later:
        """Let it be the file, if it is what the client says it is."""
        wrong = self._check.wrong()
        if wrong is not None:
            self._part.discard()
            return text(400, f"content has another {wrong} digest")
        work = functools.partial(sync, self._part.descriptor)
        return Steps(work, self._publish, self._part.discard)

    def _publish(self, error: OSError | None) -> Answer | Steps:
        try:
            if error is not None:
                return failure(error)
            request = self._request
            return self._store.publish(self._part, self._target, request.headers, request.target)
        finally:
            self._part.discard()

    def abandon(self) -> None:
        """Leave nothing."""
        self._part.discard()


class Delete:
    """DELETE: there is no file of this name any more."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, request: Request, now: float) -> Answer | Later | Intake:
        """Remove the file. A body means nothing here (section 9.3.5)."""
        try:
            target = self._store.target(request.target)
        except Declined as declined:
            return declined.answer
        return self._store.unpublish(target, request.method, request.headers, request.target)
