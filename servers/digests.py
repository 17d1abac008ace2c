"""SHA-256 of what is served (RFC 9530), computed once for each version of a file.

A small file is hashed on the spot: 64 KiB take some 40 us. A larger one is hashed by one thread
beside the event loop. Reading and hashing let go of the interpreter's lock for each MiB, so the loop
goes on meanwhile; answers carry the digest from when it is known. A client that says that it wants
one waits for it, up to `WAIT_SECONDS`.

A digest belongs to a file's identity (device, inode, size, times). It is kept only if that was the
same before and after the file was read.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor

from servers.files import Identity, Resource, identity_of
from testbed.node import FileSlice
from testbed.storage import Storage, StorageFault

#: Files up to this size are hashed on the spot.
SMALL_BYTES = 64 * 1024

#: How much is read and hashed between two looks at whether to stop.
READ_BYTES = 1 << 20

#: Digests kept: 64 KiB of memory for a thousand.
DIGESTS_KEPT = 4096

#: Files that wait to be hashed. More of them get theirs when they are asked for again.
WAITING_LIMIT = 64

#: A client that wants a digest waits so long for it at most, and then gets the file without.
WAIT_SECONDS = 10.0

_WISH = re.compile(r"[ \t]*sha-256[ \t]*=[ \t]*([0-9]{1,2})[ \t]*(?:;.*)?\Z")


def wants_digest(value: str | None) -> bool | None:
    """What Want-Repr-Digest says of SHA-256: wanted, not wanted (0), or nothing (None)."""
    for item in (value or "").split(","):
        match = _WISH.match(item)
        if match is not None:
            return int(match[1]) > 0
    return None


class Digests:
    """Digests of the files that were asked for."""

    def __init__(self) -> None:
        self._known: OrderedDict[Identity, str | None] = OrderedDict()
        """None: the file changed while it was read, or cannot be read."""
        self._under_way: dict[Identity, Future[str | None]] = {}
        self._thread: ThreadPoolExecutor | None = None
        self._stopping = threading.Event()

    def of(self, resource: Resource) -> str | None:
        """The value of Repr-Digest, or None if it is not known yet; then it is being computed."""
        identity = resource.identity
        if identity is None:
            return None
        if identity in self._known:
            self._known.move_to_end(identity)
            return self._known[identity]
        if resource.storage.size_bytes <= SMALL_BYTES:
            return self._keep(identity, self._compute(resource.storage, identity))
        future = self._under_way.get(identity)
        if future is None:
            self._begin(resource.storage, identity)
        elif future.done():
            del self._under_way[identity]
            return self._keep(identity, future.result())
        return None

    def is_coming(self, resource: Resource) -> bool:
        """Whether it is worth waiting: the digest is not known and is being computed."""
        return resource.identity in self._under_way

    def close(self) -> None:
        """Stop hashing; returns when the thread has ended, within a read."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def _begin(self, storage: Storage, identity: Identity) -> None:
        if self._stopping.is_set() or len(self._under_way) >= WAITING_LIMIT:
            self._collect()
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "digests")
        self._under_way[identity] = self._thread.submit(self._compute, storage, identity)

    def _collect(self) -> None:
        """Take in what nobody came back for."""
        for identity in [key for key, future in self._under_way.items() if future.done()]:
            self._keep(identity, self._under_way.pop(identity).result())

    def _keep(self, identity: Identity, digest: str | None) -> str | None:
        self._known[identity] = digest
        if len(self._known) > DIGESTS_KEPT:
            self._known.popitem(last=False)
        return digest

    def _compute(self, storage: Storage, identity: Identity) -> str | None:
        """Read and hash a file; in the thread, unless it is small."""
        try:
            part = storage.read(0, storage.size_bytes)
            if not isinstance(part, FileSlice):
                return None
            digest = hashlib.sha256()
            offset = 0
            while chunk := os.pread(part.file, READ_BYTES, offset):
                digest.update(chunk)
                offset += len(chunk)
                if self._stopping.is_set():
                    return None
            if identity_of(os.fstat(part.file)) != identity:
                return None
        except (OSError, StorageFault):
            return None
        return f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
