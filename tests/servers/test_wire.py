"""Bytes to messages: limits, refusals, and no dependence on how the network cuts bytes."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from servers.http1 import (
    UNKNOWN_LENGTH,
    BadRequest,
    Body,
    BodyEnd,
    Encoded,
    Request,
    RequestBegun,
    ResponseHead,
)
from servers.limits import (
    CONTENT_LIMIT_BYTES,
    HEAD_LIMIT_BYTES,
    HEADER_LIMIT,
    REQUEST_BODY_LIMIT_BYTES,
    TARGET_LIMIT_BYTES,
)
from servers.wire import Http
from testbed.errors import ProtocolViolation

HEAD = b"GET /a HTTP/1.1\r\nHost: h\r\n"


def feed(data, *, cuts=(), dialled=False, **options: Any):
    """Feed bytes cut at these places, from a buffer that is overwritten after each call."""
    decoder = Http(**options).decoder(dialled=dialled)
    messages = []
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        lent = bytearray(data[start:end])
        for message in decoder.feed(memoryview(lent)):
            kept = Body(bytes(message.payload)) if isinstance(message, Body) else message
            messages.append(replace(kept, head_bytes=0) if isinstance(kept, Request) else kept)
        lent[:] = b"\xff" * len(lent)
    return messages


def decode(data, **options: Any):
    """What arrived in the end; that a head has begun depends on how bytes are cut."""
    return [message for message in feed(data, **options) if not isinstance(message, RequestBegun)]


def joined(messages):
    """Neighbouring bodies as one: they may be cut anywhere."""
    out = []
    for message in messages:
        if isinstance(message, Body) and out and isinstance(out[-1], Body):
            out[-1] = Body(bytes(out[-1].payload) + bytes(message.payload))
        else:
            out.append(message)
    return out


def test_request_is_read_with_its_headers():
    data = b"GET /a%20b?c HTTP/1.1\r\nHost: h\r\nRange:  bytes=0-1 \r\n\r\n"
    assert decode(data) == [Request("GET", "/a%20b?c", (("Host", "h"), ("Range", "bytes=0-1")))]


def test_what_is_encoded_is_decoded():
    request = Request("GET", "/x", (("Host", "h"), ("A", "b")))
    head = ResponseHead(404, (("Content-Length", "2"),), b"no")
    assert decode(b"".join(Http().encode(request))) == [request]
    assert decode(b"".join(Http().encode(head)), dialled=True) == [head]


@pytest.mark.parametrize(
    ("line", "headers", "keep_alive"),
    [
        (b"GET / HTTP/1.1", b"", True),
        (b"GET / HTTP/1.1", b"Connection: close\r\n", False),
        (b"GET / HTTP/1.0", b"", False),
        (b"GET / HTTP/1.0", b"Connection: keep-alive\r\n", False),
    ],
)
def test_connection_stays_open_unless_the_client_or_its_version_says_otherwise(
    line, headers, keep_alive
):
    (request,) = decode(line + b"\r\nHost: h\r\n" + headers + b"\r\n")
    assert request.keep_alive is keep_alive


def test_nothing_is_read_after_the_last_request_of_a_connection():
    assert len(decode(HEAD + b"Connection: close\r\n\r\n" + HEAD + b"\r\n")) == 1


def test_body_that_nobody_wants_is_passed_over():
    data = HEAD + b"Content-Length: 5\r\n\r\nGET /" + b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
    assert [message.target for message in decode(data)] == ["/a", "/b"]


def test_head_that_is_not_whole_is_told_of_once_and_to_hosts_only():
    data = HEAD + b"\r\n"
    assert feed(data, cuts=[5, 9]) == [RequestBegun(), *decode(data)]
    assert feed(data, cuts=[5, 9], bodies_are_payload=False) == decode(data)
    assert not [m for m in feed(data + data, cuts=[len(data)]) if isinstance(m, RequestBegun)]


def test_request_whose_unwanted_body_is_not_whole_has_begun_too():
    data = HEAD + b"Content-Length: 5\r\n\r\nhello"
    assert feed(data, cuts=[len(data) - 5, len(data) - 2]) == [RequestBegun(), *decode(data)]


def test_same_words_again_are_the_same_request():
    decoders = [Http().decoder(dialled=False)] * 2
    first, second = [decoder.feed(memoryview(HEAD + b"\r\n"))[0] for decoder in decoders]
    assert first is second
    assert first.head_bytes == len(HEAD) + 2


def test_empty_lines_before_a_request_are_passed_over():
    assert [m.target for m in decode(b"\r\n\r\n" + HEAD + b"\r\n")] == ["/a"]


def test_offer_to_upgrade_is_passed_over():
    data = HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + HEAD + b"\r\n"
    assert [message.target for message in decode(data)] == ["/a", "/a"]


REFUSED = [
    (b"\x16\x03\x01\x02\x00", 400, "not HTTP"),
    (b"hello\r\n", 400, "malformed request line"),
    (b"GET /a b HTTP/1.1\r\n", 400, "malformed request line"),
    (b"GET /\xc3\xa9 HTTP/1.1\r\n", 400, "malformed request line"),
    (b"GET /a\n", 400, "malformed request line"),
    (b"GET / HTTP/2.0\r\n", 505, "version not supported"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version not supported"),
    (b"GET / HTTP/1.7\r\n", 505, "version not supported"),
    (b"GET /" + b"a" * TARGET_LIMIT_BYTES + b" HTTP/1.1\r\n", 414, "target too long"),
    (b"GET /" + b"a" * 2 * TARGET_LIMIT_BYTES, 414, "target too long"),
    (b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501, "unknown method"),
    (b"GET / HTTP/1.1\r\n\r\n", 400, "not one Host"),
    (HEAD + b"Host: i\r\n\r\n", 400, "not one Host"),
    (HEAD + b"A b: c\r\n\r\n", 400, "malformed header"),
    (HEAD + b"A : c\r\n\r\n", 400, "malformed header"),
    (HEAD + b"A: c\r\n d\r\n\r\n", 400, "malformed header"),
    (HEAD + b"A: c\n\n", 400, "malformed header"),
    (HEAD + b"A: \x00\r\n\r\n", 400, "malformed header"),
    (HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400, "ambiguous length"),
    (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "ambiguous length"),
    (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "ambiguous length"),
    (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400, "ambiguous length"),
    (HEAD + b"Content-Length: -1\r\n\r\n", 400, "malformed header"),
    (HEAD + b"Content-Length: 1, 1\r\n\r\n", 400, "malformed header"),
    (HEAD + b"Content-Length: 0x10\r\n\r\n", 400, "malformed header"),
    (HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", 400, "malformed header"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411, "body without a length"),
    (HEAD + b"Content-Length: %d\r\n\r\n" % (REQUEST_BODY_LIMIT_BYTES + 1), 413, "body too large"),
    (HEAD + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n", 417, "expectation failed"),
    (
        HEAD + b"Upgrade: x\r\nConnection: upgrade\r\nContent-Length: 9\r\n\r\n",
        400,
        "upgrade with a body",
    ),
    (HEAD + b"A: b\r\n" * HEADER_LIMIT + b"\r\n", 431, "too many headers"),
    (HEAD + b"A: " + b"b" * HEAD_LIMIT_BYTES + b"\r\n\r\n", 431, "head too large"),
    (HEAD + b"A: b\r\n" * HEAD_LIMIT_BYTES, 431, "head too large"),
]


@pytest.mark.parametrize(("data", "status", "reason"), REFUSED)
def test_malformed_request_is_refused_with_its_status(data, status, reason):
    assert decode(data) == [BadRequest(status, reason)]


@pytest.mark.parametrize("data", [item[0] for item in REFUSED])
def test_refusal_does_not_depend_on_how_bytes_are_cut(data):
    whole = decode(data)
    assert decode(data, cuts=range(len(data)) if len(data) < 300 else range(0, len(data), 97)) == whole


def test_nothing_is_read_after_a_refusal():
    assert len(decode(b"hello\r\n" + HEAD + b"\r\n", cuts=[7])) == 1


def test_head_of_exactly_the_limit_is_accepted_and_one_byte_more_is_not():
    def head_of(size):
        return HEAD + b"A: " + b"b" * (size - len(HEAD) - 7) + b"\r\n\r\n"

    (request,) = decode(head_of(HEAD_LIMIT_BYTES))
    assert isinstance(request, Request)
    assert decode(head_of(HEAD_LIMIT_BYTES + 1)) == [BadRequest(431, "head too large")]


# --- Bodies that somebody wants -------------------------------------------------------------

PUT = b"PUT /a HTTP/1.1\r\nHost: h\r\n"
CHUNKED = PUT + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD_CHUNKS = b'5\r\nhello\r\n00A;x="y"\r\n, chunked \r\n0\r\nT: v\r\n\r\n'


def take(data, *cuts: int):
    return joined(decode(data, cuts=cuts, takes_bodies=True))


def test_body_that_somebody_wants_is_given_between_its_head_and_its_end():
    data = PUT + b"Content-Length: 5\r\n\r\nhello" + HEAD + b"\r\n"
    request, body, end, following = take(data)
    assert (request.method, request.body_bytes) == ("PUT", 5)
    assert (body, end) == (Body(b"hello"), BodyEnd())
    assert following.method == "GET"


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"]
)
def test_body_stays_as_it_came_when_what_it_came_in_is_used_again(framing):
    decoder = Http(takes_bodies=True).decoder(dialled=False)
    lent = bytearray(b"PUT /x HTTP/1.1\r\nHost: a\r\n" + framing)
    messages = decoder.feed(memoryview(lent))
    lent[:] = bytes(len(lent))
    assert b"hello" in [bytes(one.payload) for one in messages if isinstance(one, Body)]


def test_chunks_are_put_together():
    request, body, end = take(CHUNKED + GOOD_CHUNKS)
    assert request.body_bytes == UNKNOWN_LENGTH
    assert (body, end) == (Body(b"hello, chunked "), BodyEnd())


def test_put_without_content_ends_with_its_head():
    assert [m.method for m in take(PUT + b"Content-Length: 0\r\n\r\n" + PUT + b"\r\n")] == ["PUT"] * 2


def test_client_may_wait_to_be_told_to_continue():
    (request,) = take(PUT + b"Expect: 100-Continue\r\nContent-Length: 9\r\n\r\n")
    assert request.body_bytes == 9


@pytest.mark.parametrize(
    "chunks",
    [
        b"x\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n",
        b"5\nhello\r\n",
        b" 5\r\nhello\r\n",
        b"5\r\nhelloo\r\n",
        b"5\r\nhello\n",
        b"5_0\r\n",
        b"\r\n",
        b"1" * 16 + b"\r\n",
        b"5;" + b"x" * 300,
        b"0\r\nno trailer\r\n\r\n",
        b"0\r\n" + b"A: b\r\n" * 1000,
    ],
)
def test_malformed_chunk_is_refused(chunks):
    for cuts in ((), range(0, len(CHUNKED) + len(chunks), 7)):
        assert take(CHUNKED + chunks, *cuts)[-1] == BadRequest(400, "malformed chunk")


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        (b"Transfer-Encoding: gzip, chunked", 501, "unknown transfer coding"),
        (b"Transfer-Encoding: gzip", 400, "malformed header"),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400, "malformed header"),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked", 400, "ambiguous length"),
        (b"Content-Length: 5\r\nExpect: miracles", 417, "expectation failed"),
    ],
)
def test_body_that_cannot_be_delimited_or_wished_for_is_refused(headers, status, reason):
    assert take(PUT + headers + b"\r\n\r\nhello") == [BadRequest(status, reason)]


@given(
    parts=st.lists(
        st.sampled_from([CHUNKED + GOOD_CHUNKS, HEAD + b"\r\n", CHUNKED + b"zz\r\n"]), max_size=3
    ),
    cuts=st.lists(st.integers(0, 1000), max_size=10),
)
def test_any_split_of_bodies_gives_the_same_messages(parts, cuts):
    data = b"".join(parts)
    assert take(data, *cuts) == take(data)


@given(chunks=st.binary(max_size=100), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_any_bytes_in_a_body_give_content_or_one_refusal(chunks, cuts):
    assert take(CHUNKED + chunks, *cuts) == take(CHUNKED + chunks)


def test_what_was_made_ahead_is_sent_as_it_is():
    message = Encoded(b"HTTP/1.1 200 OK\r\n\r\n", b"hello")
    assert b"".join(Http().encode(message)) == b"HTTP/1.1 200 OK\r\n\r\nhello"
    assert (message.size_bytes, message.payload_bytes) == (24, 5)
    assert list(Http().encode(Encoded(b"--x--"))) == [b"--x--"]


# --- Any requests ---------------------------------------------------------------------------

REQUESTS = st.lists(
    st.sampled_from(
        [
            HEAD + b"\r\n",
            HEAD + b"Content-Length: 12\r\n\r\nHello\r\n\r\nGET",
            b"\r\nHEAD /b HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            b"GET /last HTTP/1.0\r\n\r\n",
            *(data for data, _, _ in REFUSED if len(data) < 200),
        ]
    ),
    max_size=5,
).map(b"".join)


@given(data=REQUESTS, cuts=st.lists(st.integers(0, 2000), max_size=10))
def test_any_split_of_requests_gives_the_same_messages(data, cuts):
    assert decode(data, cuts=cuts) == decode(data)


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=5))
@example(b"GET / HTTP/1.1\r\nHost: a\r\n\xff: b\r\n\r\n", [])
def test_any_bytes_give_requests_or_one_refusal(data, cuts):
    messages = decode(data, cuts=cuts)
    assert messages == decode(data)
    assert all(isinstance(message, Request) for message in messages[:-1])


@given(tail=st.binary(max_size=100), cuts=st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_in_a_head_give_requests_or_one_refusal(tail, cuts):
    data = HEAD + tail + b"\r\n\r\n"
    messages = decode(data, cuts=cuts)
    assert messages == decode(data)
    assert all(isinstance(message, Request) for message in messages[:-1])


# --- Responses ------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef"
LENGTH_6 = (("Content-Length", "6"),)


def test_file_content_arrives_as_it_comes_and_stays_valid():
    messages = decode(OK, dialled=True, cuts=range(len(OK)))
    assert joined(messages) == [ResponseHead(200, LENGTH_6), Body(b"abcdef")]
    assert sum(message.payload_bytes for message in messages) == 6


def test_error_page_is_no_payload_and_arrives_whole():
    data = OK.replace(b"200 OK", b"404 Not Found")
    assert decode(data, dialled=True, cuts=[50, 52]) == [ResponseHead(404, LENGTH_6, b"abcdef")]


def test_tracker_answer_is_no_payload_and_arrives_whole():
    (head,) = decode(OK, dialled=True, cuts=[45], bodies_are_payload=False)
    assert head == ResponseHead(200, LENGTH_6, b"abcdef")
    assert head.payload_bytes == 0


def test_chunked_answer_is_understood():
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
    (head,) = decode(data, dialled=True, bodies_are_payload=False)
    assert head.content == b"abcdef"


def test_interim_answer_is_passed_over():
    assert decode(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, dialled=True) == decode(OK, dialled=True)


def test_unknown_status_is_passed_on():
    (head,) = decode(b"HTTP/1.1 799 What\r\nContent-Length: 0\r\n\r\n", dialled=True)
    assert (head.status, head.phrase) == (799, "")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"SSH-2.0-x\r\n", "malformed response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "malformed response"),
        (b"HTTP/1.1 101 Up\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n??", "malformed response"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * (HEADER_LIMIT + 1) + b"\r\n", "too many headers"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * HEAD_LIMIT_BYTES + b"\r\n\r\n", "head too large"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 3 * HEAD_LIMIT_BYTES, "head too large"),
        (
            b"HTTP/1.1 500 No\r\nContent-Length: 9999999\r\n\r\n" + b"a" * (CONTENT_LIMIT_BYTES + 1),
            "content too large",
        ),
    ],
)
def test_broken_response_is_a_violation(data, reason):
    for cuts in ([], range(0, len(data), 1 + len(data) // 50)):
        with pytest.raises(ProtocolViolation) as caught:
            decode(data, dialled=True, cuts=cuts)
        assert caught.value.reason == reason


@given(cuts=st.lists(st.integers(0, 300), max_size=10))
def test_any_split_of_responses_gives_the_same_messages(cuts):
    data = OK + OK.replace(b"200 OK", b"404 Not Found") + OK.replace(b"200", b"206")
    assert joined(decode(data, dialled=True, cuts=cuts)) == joined(decode(data, dialled=True))


@given(data=st.binary(max_size=200), start=st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n"]))
def test_any_bytes_of_a_server_give_messages_or_a_violation(data, start):
    with contextlib.suppress(ProtocolViolation):
        decode(start + data, dialled=True)
