"""What a client of the file host does that downloads again, or wants the file's beginning only."""

from __future__ import annotations

import hashlib

import pytest

from servers.downloader import Downloader
from servers.http1 import Body, ResponseHead, find
from testbed.node import Dial, Finished, HangUp, LinkId, LinkUp, Observe, Received, Send, Started
from tests.servers.helpers import CONTENT

ORIGIN = ("127.0.0.9", 80)
PART = 1000


class Memory:
    """Storage that keeps what is written."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.content = bytearray(size_bytes)

    def write(self, offset, parts):
        for part in parts:
            self.content[offset : offset + len(part)] = part
            offset += len(part)


@pytest.fixture
def storage():
    return Memory(PART)


@pytest.fixture
def node(storage):
    digest = hashlib.sha256(CONTENT[:PART]).hexdigest()
    return Downloader(ORIGIN, "/file", storage, digest, file_bytes=len(CONTENT))


def begin(node, link, due, now):
    """Order it to start, and let its link come up; gives the request."""
    assert node.handle(Started(("127.0.0.2", 0), due), now) == [Dial(ORIGIN, "http")]
    (send,) = node.handle(LinkUp(LinkId(link), ORIGIN, True, "http"), now)
    assert isinstance(send, Send)
    return send.message


def partial(first=0, last=PART - 1, total=None):
    total = len(CONTENT) if total is None else total
    headers = (("Content-Range", f"bytes {first}-{last}/{total}"), ("ETag", '"1"'))
    return ResponseHead(206, headers, b"")


def take(node, link, message, now):
    return node.handle(Received(LinkId(link), message), now)


def test_who_wants_a_part_asks_for_the_beginning_and_is_done_with_it(node, storage):
    request = begin(node, 1, 0.5, 1.0)
    assert find(request.headers, "range") == f"bytes=0-{PART - 1}"
    assert find(request.headers, "if-range") is None
    assert take(node, 1, partial(), 1.1) == []
    observed, finished, hang_up = take(node, 1, Body(CONTENT[:PART]), 2.0)
    assert isinstance(observed, Observe)
    assert (observed.transfer.scheduled_seconds, observed.transfer.payload_bytes) == (0.5, PART)
    assert finished == Finished(True)
    assert isinstance(hang_up, HangUp)
    assert storage.content == CONTENT[:PART]


@pytest.mark.parametrize(
    "head", [partial(last=PART), partial(first=1), partial(total=PART), ResponseHead(200, (), b"")]
)
def test_an_answer_with_anything_else_is_not_taken(node, head):
    begin(node, 1, 0.5, 1.0)
    finished = take(node, 1, head, 1.1)[0]
    assert isinstance(finished, Finished)
    assert not finished.verified


def test_who_is_done_downloads_anew_over_a_new_connection_when_told_to(node):
    for link in (1, 2, 3):
        request = begin(node, link, float(link), link + 0.1)
        assert find(request.headers, "range") == f"bytes=0-{PART - 1}"
        take(node, link, partial(), link + 0.2)
        observed, finished, _ = take(node, link, Body(CONTENT[:PART]), link + 0.5)
        assert finished == Finished(True)
        assert observed.transfer.scheduled_seconds == link
        assert observed.transfer.started_seconds == link + 0.1
        assert observed.transfer.first_byte_seconds == link + 0.5
        assert take(node, link, Body(b"late"), link + 0.6) == []
    assert node.tally.requests_made == 3
    assert node.tally.wasted_payload_bytes == 0
