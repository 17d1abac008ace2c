"""Announces and their answers survive the wire, and hostile ones are refused."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers import bencoding
from peers.announce import (
    DEFAULT_INTERVAL_SECONDS,
    DEFAULT_NUMWANT,
    EVENTS,
    MAX_INTERVAL_SECONDS,
    MAX_NUMWANT,
    MAX_RESPONSE_BYTES,
    MAX_RESPONSE_PEERS,
    AnnounceError,
    AnnounceRequest,
    AnnounceResponse,
)
from peers.bencoding import MAX_INTEGER
from testbed.errors import LocalMisuse

identities = st.binary(min_size=20, max_size=20)
amounts = st.integers(0, MAX_INTEGER)
requests = st.builds(
    AnnounceRequest,
    identities,
    identities,
    st.integers(1, 65535),
    amounts,
    amounts,
    amounts,
    st.sampled_from(EVENTS),
    st.integers(0, MAX_NUMWANT),
)
ipv4_peers = st.tuples(st.ip_addresses(v=4).map(str), st.integers(1, 65535))
ipv6_peers = st.tuples(st.ip_addresses(v=6).map(str), st.integers(1, 65535))
responses = st.builds(
    lambda fours, sixes, *rest: AnnounceResponse(tuple(fours + sixes), *rest),
    st.lists(ipv4_peers, max_size=5),
    st.lists(ipv6_peers, max_size=5),
    st.integers(1, MAX_INTERVAL_SECONDS),
    amounts,
    amounts,
)

GOOD = f"info_hash={'%01' * 20}&peer_id={'p' * 20}&port=6881&left=0"


@given(requests)
def test_a_request_survives_the_query(request):
    assert AnnounceRequest.from_query(request.to_query()) == request


@given(requests)
def test_a_query_has_only_characters_of_a_url(request):
    assert set(request.to_query()) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%=&"
    )


@given(responses)
def test_a_response_survives_its_body(response):
    assert AnnounceResponse.decode(response.encode()) == response


@given(st.binary(max_size=80))
def test_any_body_is_an_answer_or_refused(data):
    try:
        AnnounceResponse.decode(data)
    except AnnounceError as error:
        assert str(error)  # noqa: PT017  # Either way out is right.


@given(st.text(max_size=60) | st.lists(st.sampled_from(GOOD.split("&"))).map("&".join))
def test_any_query_is_a_request_or_refused(query):
    try:
        request = AnnounceRequest.from_query(query)
    except AnnounceError as error:
        assert str(error)  # noqa: PT017  # Either way out is right.
    else:
        assert request.port == 6881


def test_an_info_hash_may_have_any_bytes_and_a_plus_is_a_plus():
    request = AnnounceRequest.from_query(GOOD.replace("%01" * 20, "%00%ff%26%3D+" * 4))
    assert request.info_hash == b"\x00\xff&=+" * 4


def test_what_a_client_leaves_out_or_adds_does_no_harm():
    request = AnnounceRequest.from_query(GOOD + "&key=1f&no_peer_id=1&event=paused&uploaded=")
    assert request.numwant == DEFAULT_NUMWANT
    assert request.event == ""
    assert request.uploaded == 0


@pytest.mark.parametrize(("asked", "given_"), [("-1", 50), ("", 50), ("0", 0), ("9999", 200)])
def test_numwant_is_cut_to_what_anybody_gets(asked, given_):
    assert AnnounceRequest.from_query(f"{GOOD}&numwant={asked}").numwant == given_


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("", "info_hash must have 20 bytes, not 0"),
        (GOOD.replace("%01", "%01%02"), "info_hash must have 20 bytes, not 40"),
        (GOOD.replace("ppp", "p"), "peer_id must have 20 bytes"),
        (GOOD + "&port=1", "port is given twice"),
        (GOOD.replace("6881", "0"), "port must be a number in 1..65535"),
        (GOOD.replace("6881", "65536"), "port must be a number"),
        (GOOD.replace("6881", ""), "port must be a number"),
        (GOOD.replace("left=0", "left=-1"), "left must be a number"),
        (GOOD.replace("left=0", "left=1_000"), "left must be a number"),
        (GOOD.replace("left=0", f"left={'9' * 3000}"), "left must be a number"),
        (GOOD + "&x=" + "y" * 5000, "at most 4096"),
        (GOOD + "&x=é", "ASCII"),
    ],
)
def test_a_bad_request_is_refused_with_its_fault(query, fault):
    with pytest.raises(AnnounceError, match=fault):
        AnnounceRequest.from_query(query)


def body(**fields: object) -> bytes:
    return bencoding.encode({key.encode(): value for key, value in fields.items()})  # type: ignore[misc]


def test_peers_may_be_listed_as_dictionaries():
    listed = [
        {b"ip": b"127.0.0.1", b"peer id": bytes(20), b"port": 6881},
        {b"ip": b"::1", b"port": 6882},
        {b"ip": b"peer.example", b"port": 6883},
    ]
    response = AnnounceResponse.decode(body(interval=60, peers=listed))
    assert response.peers == (("127.0.0.1", 6881), ("::1", 6882), ("peer.example", 6883))


def test_the_compact_form_is_that_of_the_specifications():
    response = AnnounceResponse(peers=(("127.0.0.1", 258), ("::1", 3)))
    decoded = bencoding.decode(response.encode(), max_bytes=1000)
    assert isinstance(decoded, dict)
    assert decoded[b"peers"] == IPv4Address("127.0.0.1").packed + b"\1\2"
    assert decoded[b"peers6"] == IPv6Address("::1").packed + b"\0\3"


def test_a_refusal_carries_its_reason():
    refused = AnnounceResponse(failure_reason="unknown torrent")
    assert AnnounceResponse.decode(refused.encode()).failure_reason == "unknown torrent"
    long = AnnounceResponse(failure_reason="x" * 10_000)
    assert len(AnnounceResponse.decode(long.encode()).failure_reason) == 512


def test_a_peer_that_nobody_can_dial_is_left_out():
    assert AnnounceResponse.decode(body(peers=b"\x7f\0\0\1\0\0")).peers == ()


def test_a_tracker_that_names_no_interval_is_not_asked_each_second():
    assert AnnounceResponse.decode(body(peers=b"")).interval_seconds == DEFAULT_INTERVAL_SECONDS


@pytest.mark.parametrize(("said", "kept"), [(0, 1), (60, 60), (10**15, MAX_INTERVAL_SECONDS)])
def test_an_interval_is_cut_to_its_bounds(said, kept):
    assert AnnounceResponse.decode(body(interval=said, peers=b"")).interval_seconds == kept


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"<html>", "not bencoded"),
        (b"i1e", "a dictionary"),
        (bytes(MAX_RESPONSE_BYTES + 1), "at most"),
        (body(peers=b"12345"), "6 bytes for each"),
        (body(peers6=b"12345"), "18 bytes for each"),
        (body(peers=7), "must be a string"),
        (body(peers=bytes(6 * (MAX_RESPONSE_PEERS + 1))), "at most 1000 peers"),
        (body(peers=[{b"ip": b"1.1.1.1", b"port": 1}] * 1001), "at most 1000 peers"),
        (body(peers=[b"1.1.1.1"]), "must be a dictionary"),
        (body(peers=[{b"ip": b"a b", b"port": 1}]), "ip of a listed peer"),
        (body(peers=[{b"ip": b"1.1.1.1\n", b"port": 1}]), "ip of a listed peer"),
        (body(peers=[{b"ip": b"1.1.1.1", b"port": 65536}]), "port of a listed peer"),
        (body(peers=b"", interval=-1), "interval must be a number"),
        (body(peers=b"", complete=b"x"), "complete must be a number"),
        (bencoding.encode({b"failure reason": 1}), "failure reason must be a string"),
    ],
)
def test_a_bad_response_is_refused_with_its_fault(data, fault):
    with pytest.raises(AnnounceError, match=fault):
        AnnounceResponse.decode(data)


def test_a_host_that_is_no_ip_address_is_our_own_bug():
    with pytest.raises(LocalMisuse):
        AnnounceResponse(peers=(("peer.example", 1),)).encode()
