"""What a client of the file host decides."""

from __future__ import annotations

import hashlib

import pytest

from servers.downloader import ATTEMPTS, Downloader
from servers.http1 import Body, ResponseHead, find
from servers.manner import Manner
from testbed.node import (
    Dial,
    DialFailed,
    Finished,
    HangUp,
    LinkDown,
    LinkId,
    LinkUp,
    Observe,
    Received,
    Send,
    Started,
    Stopping,
    Woken,
)
from testbed.storage import FileStorage, StorageFault
from tests.servers.helpers import CONTENT

ORIGIN = ("127.0.0.9", 80)
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Memory:
    """Storage that keeps what is written."""

    size_bytes = SIZE

    def __init__(self) -> None:
        self.content = bytearray(SIZE)

    def write(self, offset, parts):
        for part in parts:
            self.content[offset : offset + len(part)] = part
            offset += len(part)


@pytest.fixture
def storage():
    return Memory()


@pytest.fixture
def node(storage):
    return Downloader(ORIGIN, "/file", storage, SHA256)


def start(node, link=1, now=1.0):
    assert node.handle(Started(("127.0.0.2", 0), 0.5), now) == [Dial(ORIGIN, "http")]
    return up(node, link, now)


def up(node, link, now):
    (send,) = node.handle(LinkUp(LinkId(link), ORIGIN, True, "http"), now)
    assert isinstance(send, Send)
    return send.message


def take(node, message, link=1, now=2.0):
    return node.handle(Received(LinkId(link), message), now)


def whole(etag='"v1"', size=SIZE):
    return ResponseHead(200, (("Content-Length", str(size)), ("ETag", etag)))


def rest(offset, size=SIZE):
    headers = (("Content-Range", f"bytes {offset}-{SIZE - 1}/{size}"), ("ETag", '"v1"'))
    return ResponseHead(206, headers)


def test_file_is_asked_for_kept_and_verified(node, storage):
    request = start(node)
    assert (request.method, request.target) == ("GET", "/file")
    assert find(request.headers, "host") == "127.0.0.9:80"
    assert find(request.headers, "range") is None
    take(node, whole())
    assert take(node, Body(CONTENT[:1000]), now=3.0) == []
    observe, finished, hang_up = take(node, Body(CONTENT[1000:]), now=4.0)
    assert isinstance(observe, Observe)
    transfer = observe.transfer
    assert (transfer.unit, transfer.index, transfer.source) == ("file", 0, ORIGIN)
    assert (transfer.scheduled_seconds, transfer.started_seconds) == (0.5, 1.0)
    assert (transfer.first_byte_seconds, transfer.finished_seconds) == (3.0, 4.0)
    assert (transfer.payload_bytes, transfer.outcome) == (SIZE, "ok")
    assert finished == Finished(True)
    assert hang_up == HangUp(LinkId(1), "done")
    assert bytes(storage.content) == CONTENT
    assert (node.tally.requests_made, node.tally.pieces_held) == (1, 1)


def test_wrong_content_is_not_verified(node):
    start(node)
    take(node, whole())
    observe, finished, _ = take(node, Body(bytes(SIZE)))
    assert observe.transfer.outcome == "digest does not match"
    assert finished == Finished(False, "digest does not match")
    assert node.tally.wasted_payload_bytes == SIZE


def test_cut_off_download_goes_on_where_it_was(node, storage):
    start(node)
    take(node, whole())
    take(node, Body(CONTENT[:1000]))
    assert node.handle(LinkDown(LinkId(1), "closed by the remote"), 3.0) == []
    assert node.deadline is not None
    assert node.handle(Woken(), node.deadline) == [Dial(ORIGIN, "http")]
    request = up(node, 2, 4.0)
    assert find(request.headers, "range") == "bytes=1000-"
    assert find(request.headers, "if-range") == '"v1"'
    take(node, rest(1000), 2)
    effects = take(node, Body(CONTENT[1000:]), 2)
    assert Finished(True) in effects
    assert bytes(storage.content) == CONTENT
    assert node.tally.wasted_payload_bytes == 0


def test_replaced_file_is_fetched_from_its_beginning(node, storage):
    start(node)
    take(node, whole('"v0"'))
    take(node, Body(bytes(1000)))
    node.handle(LinkDown(LinkId(1), "reset"), 3.0)
    node.handle(Woken(), node.deadline)
    up(node, 2, 4.0)
    take(node, whole('"v1"'), 2)
    assert Finished(True) in take(node, Body(CONTENT), 2)
    assert bytes(storage.content) == CONTENT
    assert node.tally.wasted_payload_bytes == 1000


@pytest.mark.parametrize("etag", ['W/"v1"', ""])
def test_part_without_a_strong_validator_is_not_resumed(node, etag):
    start(node)
    take(node, whole(etag))
    take(node, Body(CONTENT[:1000]))
    node.handle(LinkDown(LinkId(1), "reset"), 3.0)
    node.handle(Woken(), node.deadline)
    assert find(up(node, 2, 4.0).headers, "range") is None
    assert node.tally.wasted_payload_bytes == 1000


def test_retries_are_bounded_and_wait_ever_longer(node):
    node.handle(Started(("127.0.0.2", 0)), 0.0)
    now, pauses = 0.0, []
    for _ in range(ATTEMPTS - 1):
        assert node.handle(DialFailed(ORIGIN, "http", "refused"), now) == []
        pauses.append(node.deadline - now)
        now = node.deadline
        assert node.handle(Woken(), now) == [Dial(ORIGIN, "http")]
    assert node.handle(DialFailed(ORIGIN, "http", "refused"), now) == [Finished(False, "refused")]
    assert node.deadline is None
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1]


def test_download_that_makes_progress_is_not_given_up(node):
    start(node)
    for link in range(1, 3 * ATTEMPTS):
        take(node, whole() if link == 1 else rest(link - 1), link)
        assert take(node, Body(CONTENT[link - 1 : link]), link) == []
        assert node.handle(LinkDown(LinkId(link), "reset"), 3.0) == []
        assert node.handle(Woken(), node.deadline) == [Dial(ORIGIN, "http")]
        up(node, link + 1, 4.0)


@pytest.mark.parametrize(
    ("head", "reason", "violation"),
    [
        (ResponseHead(404), "answered 404 Not Found", False),
        (ResponseHead(799), "answered 799", False),
        (whole(size=SIZE + 1), "file has another size", False),
        (ResponseHead(200), "file has another size", False),
        (rest(0), "answered 206 Partial Content", False),
    ],
)
def test_answer_of_no_use_ends_the_download(node, head, reason, violation):
    start(node)
    finished, hang_up = take(node, head)
    assert finished == Finished(False, reason)
    assert hang_up == HangUp(LinkId(1), reason, violation)


@pytest.mark.parametrize("head", [rest(999), rest(1000, SIZE + 1), ResponseHead(206)])
def test_answer_for_another_range_is_a_violation(node, head):
    start(node)
    take(node, whole())
    take(node, Body(CONTENT[:1000]))
    node.handle(LinkDown(LinkId(1), "reset"), 3.0)
    node.handle(Woken(), node.deadline)
    up(node, 2, 4.0)
    finished, hang_up = take(node, head, 2)
    assert not finished.verified
    assert hang_up.violation


def test_more_bytes_than_announced_are_a_violation(node):
    start(node)
    take(node, whole())
    finished, hang_up = take(node, Body(CONTENT + b"x"))
    assert finished == Finished(False, "more bytes than announced")
    assert hang_up.violation


def test_full_disk_ends_the_download_with_its_reason(node, storage, monkeypatch):
    def full(offset, parts):
        raise StorageFault("cannot write: No space left on device")

    monkeypatch.setattr(storage, "write", full)
    start(node)
    take(node, whole())
    finished, _ = take(node, Body(CONTENT))
    assert finished == Finished(False, "cannot write: No space left on device")


def test_stopping_downloader_dials_no_more(node):
    node.handle(Started(("127.0.0.2", 0)), 0.0)
    node.handle(DialFailed(ORIGIN, "http", "refused"), 0.0)
    node.handle(Stopping(), 0.05)
    assert node.deadline is None
    assert node.handle(Woken(), 1.0) == []


def test_content_that_cannot_differ_is_not_hashed():
    node = Downloader(ORIGIN, "/file", Memory(), None)
    start(node)
    take(node, whole())
    assert Finished(True) in take(node, Body(memoryview(bytes(SIZE))))


def test_download_ends_up_on_disk(tmp_path):
    storage = FileStorage.empty(tmp_path / "copy", SIZE)
    node = Downloader(ORIGIN, "/file", storage, SHA256)
    start(node)
    take(node, whole())
    take(node, Body(CONTENT[:7]))
    take(node, Body(CONTENT[7:]))
    storage.close()
    assert (tmp_path / "copy").read_bytes() == CONTENT


# --- A part at a time -----------------------------------------------------------------------

PART = 1000
OTHER = bytes(reversed(CONTENT))
OTHER_SHA256 = hashlib.sha256(OTHER).hexdigest()


def in_parts(storage, **manner: object):
    return Downloader(ORIGIN, "/file", storage, SHA256, manner=Manner(range_bytes=PART, **manner))


def part(offset, etag='"v1"'):
    last = min(offset + PART, SIZE) - 1
    return ResponseHead(206, (("Content-Range", f"bytes {offset}-{last}/{SIZE}"), ("ETag", etag)))


def take_part(node, offset, content=CONTENT, etag='"v1"'):
    """Give a part, and get what is asked for next."""
    take(node, part(offset, etag))
    return take(node, Body(content[offset : offset + PART]))


def test_file_is_asked_for_in_parts_on_one_connection(storage):
    node = in_parts(storage)
    request = start(node)
    assert find(request.headers, "range") == "bytes=0-999"
    assert find(request.headers, "if-range") is None
    (send,) = take_part(node, 0)
    assert find(send.message.headers, "range") == "bytes=1000-1999"
    assert find(send.message.headers, "if-range") == '"v1"'
    for offset in range(PART, SIZE - PART, PART):
        effects = take_part(node, offset)
    assert find(effects[0].message.headers, "range") == f"bytes={SIZE // PART * PART}-"
    assert Finished(True) in take_part(node, SIZE // PART * PART)
    assert bytes(storage.content) == CONTENT
    assert node.tally.requests_made == SIZE // PART + 1


def test_other_version_of_which_we_have_no_beginning_is_taken_whole(storage):
    node = in_parts(storage, replacement_sha256=OTHER_SHA256)
    start(node)
    take_part(node, 0)
    take(node, whole('"v2"'))
    assert Finished(True) in take(node, Body(OTHER))
    assert bytes(storage.content) == OTHER
    assert node.tally.wasted_payload_bytes == PART


def test_without_if_range_the_end_of_another_version_is_put_to_the_beginning(storage):
    node = in_parts(storage, replacement_sha256=OTHER_SHA256, if_range=False)
    start(node)
    (send,) = take_part(node, 0)
    assert find(send.message.headers, "if-range") is None
    for offset in range(PART, SIZE, PART):
        effects = take_part(node, offset, OTHER, '"v2"')
    assert bytes(storage.content) == CONTENT[:PART] + OTHER[PART:]
    assert effects[0].transfer.outcome == "mixed"
    assert Finished(False, "mixed") in effects


def test_answer_for_another_part_is_refused(storage):
    node = in_parts(storage)
    start(node)
    assert Finished(False, "answer is for another range") in take(node, rest(0))


def test_what_there_is_when_a_host_does_not_come_back_is_on_record_as_partial(node):
    start(node)
    take(node, whole())
    take(node, Body(CONTENT[:1000]))
    effects = node.handle(LinkDown(LinkId(1), "reset"), 3.0)
    while not effects or not isinstance(effects[0], Observe):
        node.handle(Woken(), node.deadline)
        effects = node.handle(DialFailed(ORIGIN, "http", "refused"), 4.0)
    transfer = effects[0].transfer
    assert (transfer.outcome, transfer.payload_bytes) == ("partial", 1000)
    assert effects[1] == Finished(False, "refused")
