"""The tracker answers announces over HTTP, and says what is wrong with others."""

from random import Random

import pytest

from peers.announce import AnnounceRequest, AnnounceResponse
from peers.registry import Registry
from peers.tracker import TrackerNode
from servers.http1 import BadRequest, Request, ResponseHead
from testbed.node import Effect, HangUp, LinkDown, LinkId, LinkUp, Message, Received, Send, Woken


class Table:
    """A tracker and those who ask it, each on a link of its own."""

    def __init__(self, **limits: float) -> None:
        self.tracker = TrackerNode(Registry(rng=Random(0)), **limits)
        self.links = 0

    def ask(self, message: Message, host: str = "10.0.0.1") -> list[Effect]:
        self.links += 1
        link = LinkId(self.links)
        assert self.tracker.handle(LinkUp(link, (host, 5000), False, "tracker"), 0.0) == []
        return self.tracker.handle(Received(link, message), 0.0)

    def announce(self, number: int, **fields: int | str) -> AnnounceResponse:
        request = AnnounceRequest(b"h" * 20, b"-XX0001-%012d" % number, 6881, **fields)
        head = answer(self.ask(get(f"/announce?{request.to_query()}"), f"10.0.0.{number}"))
        assert head.status == 200
        return AnnounceResponse.decode(head.content)


def get(target: str, method: str = "GET", connection: str = "close") -> Request:
    return Request(
        method, target, (("Host", "tracker"), ("Connection", connection)), connection == "keep-alive"
    )


def answer(effects: list[Effect]) -> ResponseHead:
    first = effects[0]
    assert isinstance(first, Send)
    assert isinstance(first.message, ResponseHead)
    return first.message


def test_each_peer_is_told_of_those_that_came_before():
    table = Table()
    assert table.announce(1, left=0).peers == ()
    assert table.announce(2, left=5).peers == (("10.0.0.1", 6881),)
    third = table.announce(3, left=5)
    assert set(third.peers) == {("10.0.0.1", 6881), ("10.0.0.2", 6881)}
    assert (third.complete, third.incomplete) == (1, 2)


def test_peer_that_stopped_is_told_to_nobody():
    table = Table()
    table.announce(1, left=0)
    assert table.announce(1, left=0, event="stopped").peers == ()
    assert table.announce(2, left=5).peers == ()


def test_link_ends_after_the_answer_and_not_as_a_violation():
    effects = Table().ask(get("/announce"))
    assert effects[1] == HangUp(LinkId(1), "answered")


def test_link_that_is_kept_alive_may_ask_again():
    table = Table()
    assert len(table.ask(get("/announce", connection="keep-alive"))) == 1
    assert len(table.tracker.handle(Received(LinkId(1), get("/announce")), 0.0)) == 2


def test_wrong_announce_is_answered_with_a_reason():
    head = answer(Table().ask(get("/announce?port=1")))
    assert head.status == 200
    assert "info_hash must have 20 bytes" in AnnounceResponse.decode(head.content).failure_reason


@pytest.mark.parametrize(
    ("request_", "status"), [(get("/announce", "POST"), 405), (get("/stats"), 404), (get("/"), 404)]
)
def test_other_requests_are_refused(request_, status):
    assert answer(Table().ask(request_)).status == status


def test_what_is_not_http_is_answered_and_ends_the_link_as_a_violation():
    effects = Table().ask(BadRequest(400, "malformed request"))
    assert answer(effects).status == 400
    assert effects[1] == HangUp(LinkId(1), "malformed request", violation=True)


def test_link_that_is_gone_is_not_answered():
    table = Table()
    table.ask(get("/announce", connection="keep-alive"))
    table.tracker.handle(LinkDown(LinkId(1), "closed"), 0.0)
    assert table.tracker.handle(Received(LinkId(1), get("/announce")), 0.0) == []


def come(table: Table, now: float) -> list[Effect]:
    """Somebody connects and says nothing."""
    table.links += 1
    return table.tracker.handle(LinkUp(LinkId(table.links), ("10.0.0.1", 5000), False, "tracker"), now)


def test_links_without_a_request_end_in_time_and_those_that_ask_stay():
    table = Table(idle_seconds=10)
    assert table.tracker.deadline is None
    for now in (0.0, 1.0, 2.0):
        assert not come(table, now)
    assert table.tracker.deadline == 10.0
    table.tracker.handle(Received(LinkId(1), get("/announce", connection="keep-alive")), 5.0)
    assert table.tracker.handle(Woken(), 11.5) == [HangUp(LinkId(2), "idle", violation=True)]
    assert table.tracker.deadline == 12.0
    table.tracker.handle(Woken(), 12.0)
    assert table.tracker.deadline == 15.0


def test_one_link_too_many_ends_the_one_that_has_been_idle_longest():
    table = Table(connections=2)
    assert not come(table, 0.0)
    assert not come(table, 1.0)
    table.tracker.handle(Received(LinkId(1), get("/announce", connection="keep-alive")), 2.0)
    assert come(table, 3.0) == [HangUp(LinkId(2), "too many connections", violation=True)]
