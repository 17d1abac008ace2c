"""What a resumable upload's resource remembers, and how its header fields are read and written.

Fields of draft-ietf-httpbis-resumable-upload, section 4.1; structured fields of RFC 9651, of which
items are integers and booleans here. A field that cannot be read counts as absent, as the draft says.
"""

from __future__ import annotations

import json
import re

import msgspec

from servers.answers import Answer, page
from servers.http1 import Headers, Request, find
from servers.uploads_area import KEPT_SECONDS

#: Where upload resources are; the rest of the path is the part's name.
RESOURCES = "/-/uploads/"

#: Iterations of the draft whose 104 answers look like ours.
INTEROP_VERSIONS = ("8", "9")

PARTIAL_UPLOAD = "application/partial-upload"

_PROBLEMS = "https://iana.org/assignments/http-problem-types#"
_INTEGER = re.compile(r"[0-9]{1,15}\Z")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{24}\Z")

#: Of the request that created an upload, what its end is decided by.
_DECISIVE = ("if-match", "if-none-match", "if-unmodified-since", "repr-digest")


class UploadState(msgspec.Struct):
    """Kept beside the part. How much has arrived is the part's size."""

    target: str
    """Where the content goes once it is whole, as the request had it."""
    headers: list[tuple[str, str]]
    """What of the creating request decides then: conditions and the digest."""
    length: int | None = None
    """What the client said that the whole content has."""
    completed_bytes: int | None = None
    """Size of the content that became a file; None while there is none."""

    @classmethod
    def of(cls, request: Request) -> UploadState:
        """What a request says of the upload it creates."""
        headers = [(name, value) for name, value in request.headers if name.lower() in _DECISIVE]
        return cls(request.target, headers)


def encode_state(state: UploadState) -> bytes:
    """Make a file of it."""
    return msgspec.json.encode(state)


def decode_state(content: bytes) -> UploadState:
    """Read it back.

    Raises:
      msgspec.DecodeError: it is none.
    """
    return msgspec.json.decode(content, type=UploadState)


def resource_of(target: str) -> str | None:
    """The token in the path of an upload resource; None for every other path."""
    token = target.removeprefix(RESOURCES)
    return token if token != target and _TOKEN.match(token) else None


def integer(headers: Headers, name: str) -> int | None:
    """The value of a field that is a non-negative integer, or None."""
    value = find(headers, name)
    if value is None or _INTEGER.match(value.strip()) is None:
        return None
    return int(value)


def boolean(headers: Headers, name: str) -> bool | None:
    """The value of a field that is a boolean, or None."""
    return {"?1": True, "?0": False}.get((find(headers, name) or "").strip())


def interop_version(headers: Headers) -> str | None:
    """The iteration of the draft that a client speaks, if it is one of ours."""
    version = (find(headers, "upload-draft-interop-version") or "").strip()
    return version if version in INTEROP_VERSIONS else None


def limits(size_limit_bytes: int) -> tuple[str, str]:
    """The field that announces limits."""
    return ("Upload-Limit", f"max-size={size_limit_bytes}, max-age={KEPT_SECONDS}")


def about(offset: int, length: int | None, *, complete: bool) -> Headers:
    """What an answer says of an upload."""
    known: Headers = () if length is None else (("Upload-Length", str(length)),)
    return (
        ("Upload-Offset", str(offset)),
        ("Upload-Complete", "?1" if complete else "?0"),
        *known,
        ("Cache-Control", "no-store"),
    )


def problem(status: int, kind: str, title: str, headers: Headers = (), **more: int) -> Answer:
    """Answer with a problem (RFC 9457) of those the draft defines."""
    members = {name.replace("_", "-"): value for name, value in more.items()}
    content = json.dumps({"type": _PROBLEMS + kind, "title": title, **members}).encode()
    return page(status, (*headers, ("Content-Type", "application/problem+json")), content)
