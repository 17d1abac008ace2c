"""What a client may send before it is refused, and how long it may take.

Beyond a limit the answer says so: 408, 413, 414, 429, 431 or 503, and the connection ends.
"""

from __future__ import annotations

from dataclasses import dataclass

#: nginx allows 8 KiB a line and 32 KiB in all; a download needs a few hundred bytes.
HEAD_LIMIT_BYTES = 16 * 1024
HEADER_LIMIT = 100
TARGET_LIMIT_BYTES = 8 * 1024

#: A request line: the target, and room for method and version.
LINE_LIMIT_BYTES = TARGET_LIMIT_BYTES + 64

#: Bodies that nobody wants are read and thrown away up to here; beyond, it is not worth our downlink.
REQUEST_BODY_LIMIT_BYTES = 64 * 1024

#: A chunk's size line with its extensions, and the trailer section behind the last chunk.
CHUNK_LINE_LIMIT_BYTES = 256
TRAILER_LIMIT_BYTES = 4 * 1024

#: Answers that are no file content: error pages, a tracker's answer.
CONTENT_LIMIT_BYTES = 1024 * 1024

#: Requests that may wait on one connection behind the one being answered.
PIPELINE_LIMIT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one file host allows its clients."""

    connections: int = 4096
    """In all; one more is answered 503."""

    connections_per_address: int = 1024
    """From one address, behind which may be a whole office; one more is answered 429."""

    head_seconds: float = 10.0
    """For a whole head, from the connection or from the first byte of a later request: 408."""

    idle_seconds: float = 60.0
    """Without a further request; then the connection is closed without a word."""

    body_bytes_per_second: float = 1024.0
    """What the body of a request must keep up on average, after `body_grace_seconds`: 408."""

    body_grace_seconds: float = 10.0
    """For which a body may come at any pace."""

    read_bytes_per_second: float = 1024.0
    """What a client must take of a response that waits for it, on average of the world's stall time:
    30 s. One that takes less is cut."""
