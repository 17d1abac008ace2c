"""Drives the methods that store, without a host: request in, answer out."""

from __future__ import annotations

import os

from servers.answers import Answer
from servers.files import Directory
from servers.http1 import Request
from servers.uploads import Delete, Put, Store
from servers.uploads_area import UploadArea
from servers.uploads_methods import Cancel, OffsetOf, Patch, ResumablePut
from servers.uploads_resumable import Resumable

LIMIT_BYTES = 1 << 20

Header = tuple[str, str]


class Storing:
    """The methods of one host on a directory. Make another one to restart it."""

    def __init__(self, root) -> None:
        self.root = root
        self.files = Directory(root)
        self.area = UploadArea(root)
        self.store = Store(self.area, self.files, LIMIT_BYTES)
        uploads = Resumable(self.store)
        self.methods = {
            "PUT": ResumablePut(uploads),
            "PLAIN PUT": Put(self.store),
            "DELETE": Delete(self.store),
            "PATCH": Patch(uploads),
            "HEAD": OffsetOf(uploads),
            "CANCEL": Cancel(uploads),
        }

    def begin(self, method, target, headers=(), body_bytes=0):
        name = {"PLAIN PUT": "PUT", "CANCEL": "DELETE"}.get(method, method)
        request = Request(name, target, tuple(headers), body_bytes=body_bytes)
        return self.methods[method].begin(request, 0.0)

    def ask(self, method, target, *headers: Header, content=b"", announced=None):
        """The answer to a whole request."""
        size = len(content) if announced is None else announced
        begun = self.begin(method, target, headers, size)
        if size and not isinstance(begun, Answer):
            for start in range(0, len(content), 1000):
                refused = begun.take(memoryview(content)[start : start + 1000], 0.0)
                if refused is not None:
                    return refused
            begun = begun.end(0.0)
        return self.wait(begun)

    def wait(self, begun):
        """The answer, when it comes."""
        while not isinstance(begun, Answer):
            answer = begun.poll(0.0)
            if answer is not None:
                return answer
            os.sched_yield()
        return begun

    def left(self):
        """What lies in the area."""
        return sorted(path.name for path in (self.root / ".uploads").iterdir() if path.name != "lock")


def value(answer, name):
    """A header of an answer, or None."""
    found = [text for key, text in answer.headers if key.lower() == name.lower()]
    assert len(found) <= 1
    return found[0] if found else None
