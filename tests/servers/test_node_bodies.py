"""How the file host takes in the bodies of requests, and waits for answers that take a while."""

from __future__ import annotations

import pytest

from servers.answers import Answer, text
from servers.files import OneFile
from servers.http1 import UNKNOWN_LENGTH, BadRequest, Body, BodyEnd, Encoded, Request, find
from servers.limits import Limits
from servers.node import TICK_SECONDS
from servers.waiting import POLL_SECONDS
from testbed.node import Departed, LinkDown, LinkId, Stopping, Woken
from testbed.storage import SharedStorage
from tests.servers.helpers import (
    CONTENT,
    HOST,
    ask,
    bodies,
    connect,
    encoded,
    get,
    hang_ups,
    heads,
    host_of,
    one_file_host,
)


class Taking:
    """A method, and the only intake it gives: keeps what comes, and refuses what is too much."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.outcome = text(201, "stored")
        self.limit = 100
        self.taken = b""

    def begin(self, request, now):
        self.events.append("begin")
        if request.target == "/refused":
            return text(403, "not here")
        return self

    def take(self, payload, now):
        self.taken += bytes(payload)
        if len(self.taken) > self.limit:
            return text(413, "too large")
        return None

    def end(self, now):
        self.events.append("end")
        return self.outcome

    def abandon(self):
        self.events.append("abandon")


class Slow:
    """An answer that is there when it is told to be."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.abandoned = False

    def poll(self, now):
        return self.answer

    def abandon(self):
        self.abandoned = True


@pytest.fixture
def taking():
    return Taking()


@pytest.fixture
def node(taking):
    files = OneFile("file", SharedStorage(memoryview(CONTENT)), "v1")
    node = host_of(files, methods={"PUT": taking}, finishes=True, limits=Limits(body_grace_seconds=5))
    connect(node, 1, 2)
    return node


def put(*headers: tuple[str, str], target="/file", size=10, keep_alive=True):
    return Request("PUT", target, (HOST, *headers), keep_alive, size)


def statuses(effects):
    return [head.status for head in heads(effects)]


def test_body_is_taken_in_and_answered_when_it_is_whole(node, taking):
    assert ask(node, 1, put(), Body(b"hello "), Body(memoryview(b"file"))) == []
    assert statuses(ask(node, 1, BodyEnd())) == [201]
    assert (taking.taken, taking.events) == (b"hello file", ["begin", "end"])


def test_request_without_content_is_answered_at_once(node, taking):
    assert statuses(ask(node, 1, put(size=0))) == [201]
    assert taking.events == ["begin", "end"]


def test_body_of_unknown_length_is_taken_in(node, taking):
    assert statuses(ask(node, 1, put(size=UNKNOWN_LENGTH), Body(b"x"), BodyEnd())) == [201]


def test_methods_there_are_are_told(node):
    (head,) = heads(ask(node, 1, get(method="OPTIONS")))
    assert find(head.headers, "allow") == "GET, HEAD, PUT, OPTIONS"


def test_client_that_waits_is_told_to_continue_once(node):
    wait = ("Expect", "100-continue")
    assert statuses(ask(node, 1, put(wait))) == [100]
    assert statuses(ask(node, 1, Body(b"x"), BodyEnd())) == [201]


def test_client_is_told_to_continue_after_the_answers_before(node):
    effects = ask(node, 1, get("/file", ("Range", "bytes=0-0")), put(("Expect", "100-continue")))
    assert statuses(effects) == [206]
    assert statuses(node.handle(Departed(LinkId(1), True), 0.0)) == [100]


def test_refused_body_is_not_read_and_the_connection_ends(node, taking):
    effects = ask(node, 1, put(("Expect", "100-continue"), target="/refused"))
    assert statuses(effects) == [403]
    assert find(heads(effects)[0].headers, "connection") == "close"
    assert hang_ups(effects)
    assert ask(node, 1, Body(b"x")) == []
    assert taking.taken == b""


def test_body_that_becomes_too_large_is_refused_in_its_middle(node, taking):
    effects = ask(node, 1, put(size=UNKNOWN_LENGTH), Body(bytes(101)), Body(bytes(101)), BodyEnd())
    assert statuses(effects) == [413]
    assert hang_ups(effects)
    assert len(taking.taken) == 101


def test_body_arrives_while_an_earlier_answer_is_sent_and_is_stored_after_it(node, taking):
    ask(node, 1, get("/file", ("Range", "bytes=0-0")), put(), Body(b"x"), BodyEnd())
    assert taking.events == ["begin"]
    assert statuses(node.handle(Departed(LinkId(1), True), 0.0)) == [201]
    assert taking.events == ["begin", "end"]


@pytest.mark.parametrize("ending", ["gone", "malformed"])
def test_body_that_will_never_be_whole_is_abandoned(node, taking, ending):
    ask(node, 1, put(), Body(b"x"))
    if ending == "gone":
        assert node.handle(LinkDown(LinkId(1), "gone"), 0.0) == []
    else:
        assert statuses(ask(node, 1, BadRequest(400, "malformed chunk"))) == [400]
    assert taking.events == ["begin", "abandon"]
    assert ask(node, 1, BodyEnd()) == []


def test_body_that_is_too_slow_is_answered_408_and_abandoned(node, taking):
    taking.limit = 100_000
    ask(node, 1, put(size=100_000), now=0.0)
    ask(node, 1, Body(bytes(3000)), now=4.0)
    # 5 s of grace, then 1024 bytes a second: 3000 bytes last until 7.93 s.
    node.handle(LinkDown(LinkId(2), "gone"), 0.0)
    assert node.handle(Woken(), 7.9) == []
    effects = node.handle(Woken(), 9.0)
    assert statuses(effects) == [408]
    assert hang_ups(effects)[0].violation
    assert taking.events == ["begin", "abandon"]


def test_stopping_host_takes_a_body_to_its_end(node, taking):
    ask(node, 1, put(), Body(b"x"))
    assert [h.link for h in hang_ups(node.handle(Stopping(), 0.0))] == [2]
    assert not node.is_idle
    effects = ask(node, 1, BodyEnd())
    assert statuses(effects) == [201]
    assert find(heads(effects)[0].headers, "connection") == "close"
    assert hang_ups(effects)
    assert node.is_idle


# --- Answers that take a while --------------------------------------------------------------


def test_answer_is_sent_when_it_is_there_and_others_are_served_meanwhile(node, taking):
    taking.outcome = slow = Slow()
    assert ask(node, 1, put(size=0), get("/none"), now=1.0) == []
    assert node.deadline == TICK_SECONDS or node.deadline == 1.0 + POLL_SECONDS
    assert statuses(ask(node, 2, get("/none"))) == [404]
    assert node.handle(Woken(), 1.0 + POLL_SECONDS) == []
    slow.answer = text(201, "stored")
    assert statuses(node.handle(Woken(), 1.0 + 2 * POLL_SECONDS)) == [201, 404]
    assert node.is_idle


def test_nobody_works_for_a_client_that_is_gone(node, taking):
    taking.outcome = slow = Slow()
    ask(node, 1, put(size=0), now=1.0)
    node.handle(LinkDown(LinkId(1), "gone"), 1.0)
    assert slow.abandoned
    assert node.handle(Woken(), 1.0 + POLL_SECONDS) == []


def test_client_that_waits_for_us_is_not_overdue(node, taking):
    taking.outcome = Slow()
    ask(node, 1, put(size=0), now=0.0)
    node.handle(LinkDown(LinkId(2), "gone"), 0.0)
    assert not heads(node.handle(Woken(), 1000.0))


def test_added_delay_holds_every_answer_back_by_just_that():
    node = one_file_host(service_delay_seconds=0.02)
    connect(node, 1)
    assert ask(node, 1, get(), now=1.0) == []
    assert node.deadline == TICK_SECONDS
    node.handle(Woken(), TICK_SECONDS)
    assert node.deadline == pytest.approx(1.02)
    assert node.handle(Woken(), 1.019) == []
    effects = node.handle(Woken(), node.deadline)
    assert statuses(effects) == [200]
    assert bodies(effects)


# --- Answers that are bytes already ---------------------------------------------------------


@pytest.fixture
def direct():
    node = one_file_host(block_bytes=None, encodes=True)
    connect(node, 1)
    return node


def test_head_and_content_leave_in_one_message(direct):
    (message,) = encoded(ask(direct, 1, get()))
    assert message.framing.startswith(b"HTTP/1.1 200 OK\r\n")
    assert message.framing.endswith(b"\r\n\r\n")
    assert bytes(message.payload) == CONTENT
    assert direct.handle(Departed(LinkId(1), True), 0.0) == []
    assert direct.tally.requests_served == 1


def test_several_parts_leave_one_after_another(direct):
    effects = ask(direct, 1, get("/file", ("Range", "bytes=0-1,5-6")))
    effects += direct.handle(Departed(LinkId(1), True), 0.0)
    effects += direct.handle(Departed(LinkId(1), True), 0.0)
    first, second, last = encoded(effects)
    assert b"multipart/byteranges" in first.framing
    assert [bytes(part.payload) for part in (first, second, last)] == [CONTENT[:2], CONTENT[5:7], b""]
    length = int(first.framing.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    _, _, rest = first.framing.partition(b"\r\n\r\n")
    sent = len(rest) + first.payload_bytes + second.size_bytes + last.size_bytes
    assert sent == length
    assert direct.is_idle


def test_shaped_parts_are_the_same_bytes():
    node = one_file_host(block_bytes=4)
    connect(node, 1)
    effects = list(ask(node, 1, get("/file", ("Range", "bytes=0-9,20-21"))))
    for effect in effects:
        if isinstance(effect.message, Body):
            effects += node.handle(Departed(LinkId(1), True), 0.0)
    data = b""
    for effect in effects[1:]:
        message = effect.message
        data += message.framing if isinstance(message, Encoded) else bytes(message.payload)
    assert find(heads(effects)[0].headers, "content-length") == str(len(data))
    assert data.count(CONTENT[:10]) == 1
    assert node.is_idle
