"""What is said: sizes are those of the encoded messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.http1 import Body, Request, ResponseHead, find
from servers.wire import Http
from testbed.node import FileSlice

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
HEADERS = st.lists(st.tuples(TEXT, TEXT), max_size=5).map(tuple)


def length_of(message):
    parts = Http().encode(message)
    return sum(part.nbytes if isinstance(part, FileSlice) else len(part) for part in parts)


@given(method=TEXT, target=TEXT, headers=HEADERS)
def test_size_of_a_request_is_the_length_of_its_encoding(method, target, headers):
    request = Request(method, target, headers)
    assert length_of(request) == request.size_bytes
    assert request.payload_bytes == 0


@given(status=st.integers(100, 999), headers=HEADERS, content=st.binary(max_size=50))
def test_size_of_a_response_head_is_the_length_of_its_encoding(status, headers, content):
    head = ResponseHead(status, headers, content)
    assert length_of(head) == head.size_bytes
    assert head.payload_bytes == 0


@pytest.mark.parametrize("payload", [b"abc", memoryview(b"abcd"), FileSlice(3, 10, 1 << 33)])
def test_a_body_is_nothing_but_payload(payload):
    body = Body(payload)
    assert length_of(body) == body.size_bytes == body.payload_bytes
    assert Http().encode(body)[-1] is payload


def test_header_is_found_whatever_its_case():
    assert find((("ETag", '"a"'),), "etag") == '"a"'
    assert find((("ETag", '"a"'),), "range") is None
