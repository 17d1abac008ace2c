"""Trackers over UDP: both sides by datagrams, and what strangers send."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.announce import MAX_NUMWANT, AnnounceError, AnnounceRequest, AnnounceResponse
from peers.registry import MAX_SCRAPED, Registry
from peers.udp_tracker import (
    ANNOUNCE,
    CONNECTION_SECONDS,
    ERROR,
    PROTOCOL_ID,
    SCRAPE,
    UdpAnnounce,
    UdpTracker,
)

HASH = b"h" * 20
HOST, HOST6 = "10.0.0.1", "fd00::1"
Address = tuple[str, int]


def tracker() -> UdpTracker:
    return UdpTracker(Registry(rng=Random(0)), b"secret")


def request(number: int, **fields: int | str) -> AnnounceRequest:
    return AnnounceRequest(HASH, b"-XX0001-%012d" % number, 6881, **fields)


def announce(server: UdpTracker, asked: AnnounceRequest, host: str = HOST, now: float = 0.0):
    """Let one peer announce, datagram by datagram."""
    client = UdpAnnounce(asked, (host, 1), Random(now))
    datagram: bytes | None = client.first()
    for _ in range(2):
        assert datagram is not None
        answer = server.answer(datagram, (host, 5000), now)
        assert answer is not None
        datagram = client.take(answer)
    assert client.response is not None
    return client.response


def connection(server: UdpTracker, host: str = HOST, now: float = 0.0) -> bytes:
    """A connection id, as it is on the wire."""
    answer = server.answer(PROTOCOL_ID.to_bytes(8, "big") + bytes(4) + b"tran", (host, 5000), now)
    assert answer is not None
    assert answer[:8] == bytes(4) + b"tran"
    return answer[8:]


def head(action: int) -> bytes:
    return action.to_bytes(4, "big") + b"tran"


@pytest.mark.parametrize(("first", "second"), [(HOST, "10.0.0.2"), (HOST6, "fd00::2")])
def test_each_peer_is_told_of_those_that_came_before(first, second):
    server = tracker()
    assert announce(server, request(1, left=0), first).peers == ()
    told = announce(server, request(2, left=5), second)
    assert told.peers == ((first, 6881),)
    assert (told.complete, told.incomplete) == (1, 1)


def test_a_peer_is_told_of_its_own_family_only():
    server = tracker()
    announce(server, request(1, left=0), HOST6)
    assert announce(server, request(2, left=5), HOST).peers == ()


def test_events_and_amounts_arrive_as_they_were_sent():
    server = tracker()
    announce(server, request(1, left=5, event="started"))
    announce(server, request(1, left=0, event="completed"))
    answer = server.answer(connection(server) + head(SCRAPE) + HASH, (HOST, 5000), 0.0)
    assert answer == head(SCRAPE) + bytes([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0])
    announce(server, request(1, left=0, event="stopped"))
    assert announce(server, request(2, left=1), "10.0.0.2").peers == ()


def test_what_the_tracker_refuses_is_said():
    server = UdpTracker(Registry(rng=Random(0)), b"secret")
    client = UdpAnnounce(request(1, left=1), (HOST, 1), Random(0))
    datagram = client.take(server.answer(client.first(), (HOST, 1), 0.0) or b"")
    assert datagram is not None
    without_port = datagram[:96] + bytes(2)
    answer = server.answer(without_port, (HOST, 1), 0.0)
    assert answer is not None
    client.take(answer)
    assert client.response is not None
    assert "port in 1..65535" in client.response.failure_reason


@pytest.mark.parametrize("action", [ANNOUNCE, SCRAPE])
def test_a_forged_or_old_connection_id_gets_no_answer(action):
    server = tracker()
    body = head(action) + bytes(82)
    good = connection(server)
    assert server.answer(good + body, (HOST, 9), CONNECTION_SECONDS) is not None
    assert server.answer(good + body, (HOST, 9), 2 * CONNECTION_SECONDS) is None
    assert server.answer(good + body, ("10.0.0.2", 9), 0.0) is None
    assert server.answer(bytes(8) + body, (HOST, 9), 0.0) is None
    assert UdpTracker(Registry(rng=Random(0)), b"other").answer(good + body, (HOST, 9), 0.0) is None


def test_a_short_or_overlong_request_is_answered_with_an_error():
    server = tracker()
    good = connection(server)
    for body in (
        head(ANNOUNCE) + bytes(81),
        head(SCRAPE),
        head(SCRAPE) + bytes(19),
        head(SCRAPE) + bytes(20 * (MAX_SCRAPED + 1)),
        head(9),
    ):
        answer = server.answer(good + body, (HOST, 9), 0.0)
        assert answer is not None
        assert answer[:8] == head(ERROR)


@given(data=st.binary(max_size=200), action=st.integers(0, 4), known=st.booleans())
def test_any_datagram_is_answered_shortly_or_not_at_all(data, action, known):
    server = tracker()
    prefix = connection(server) + head(action) if known else b""
    answer = server.answer(prefix + data, (HOST, 9), 0.0)
    assert answer is None or len(answer) <= 20 + 6 * MAX_NUMWANT + 12 * MAX_SCRAPED


@given(datagrams=st.lists(st.binary(max_size=60), max_size=5), tell=st.booleans())
def test_a_tracker_can_say_anything(datagrams, tell):
    client = UdpAnnounce(request(1), (HOST, 1), Random(0))
    transaction = client.first()[12:16]
    for datagram in datagrams:
        if tell:  # With the right number it is listened to.
            datagram = datagram[:4] + transaction + datagram[4:]
        try:
            reply = client.take(datagram)
        except AnnounceError:
            return
        if reply is not None:
            assert len(reply) == 98
            transaction = reply[12:16]
    assert client.response is None or isinstance(client.response, AnnounceResponse)


def test_a_strangers_datagram_changes_nothing():
    server = tracker()
    client = UdpAnnounce(request(1, left=1), (HOST, 1), Random(0))
    answer = server.answer(client.first(), (HOST, 1), 0.0)
    assert answer is not None
    assert client.take(answer[:4] + b"else" + answer[8:]) is None
    assert client.take(answer[:12]) is None
    datagram = client.take(answer)
    assert datagram is not None
    assert client.take(answer) is None  # It was taken before.
    assert client.response is None
