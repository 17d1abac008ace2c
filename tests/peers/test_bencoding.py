"""Bencoding of strangers is read strictly and within bounds."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.bencoding import MAX_DEPTH, MAX_INTEGER, MAX_TOKENS, BencodingError, decode, encode

values = st.recursive(
    st.integers(-MAX_INTEGER, MAX_INTEGER) | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_what_is_encoded_is_decoded(value):
    assert decode(encode(value), max_bytes=10_000) == value


@given(st.binary(max_size=60) | st.text("ild0123456789:e-a", max_size=40).map(str.encode))
def test_any_bytes_give_a_value_of_that_encoding_or_an_error(data):
    try:
        value = decode(data, max_bytes=100)
    except BencodingError:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"d1:bi1e1:ai2ee",  # keys out of order
        b"d1:ai1e1:ai2ee",  # a key twice
        b"di1ei2ee",  # a key that is no string
        b"d1:ae",  # a key without a value
        b"i1ejunk",
        b"i01e",
        b"i-0e",
        b"i+1e",
        b"i1_0e",
        b"ie",
        b"02:aa",
        b"1_0:aaaaaaaaaa",
        b"3:aa",
        b"-1:a",
        b"9" * 40 + b":a",
        b"li1e",
    ],
)
def test_what_is_malformed_is_refused(data):
    with pytest.raises(BencodingError, match=r"not bencoded|canonical"):
        decode(data, max_bytes=1000)


def test_deep_nesting_is_refused():
    at_limit = b"l" * MAX_DEPTH + b"e" * MAX_DEPTH
    assert encode(decode(at_limit, max_bytes=1000)) == at_limit
    with pytest.raises(BencodingError, match="deep"):
        decode(b"l" + at_limit + b"e", max_bytes=1000)
    with pytest.raises(BencodingError, match="deep"):
        decode(b"d1:a" * 1_000_000, max_bytes=10_000_000)


@pytest.mark.parametrize("item", [b"de", b"i0e", b"0:"])
def test_too_many_values_are_refused_before_any_is_built(item):
    tracemalloc.start()
    with pytest.raises(BencodingError, match=f"more than {MAX_TOKENS} values"):
        decode(b"l" + item * 1_000_000 + b"e", max_bytes=10_000_000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 10_000_000


def test_the_content_of_strings_does_not_count():
    data = encode([b"l" * 1_000_000])
    assert decode(data, max_bytes=2_000_000) == [b"l" * 1_000_000]


@pytest.mark.parametrize("digits", ["9223372036854775808", "9" * 4000, "9" * 100_000])
def test_integers_beyond_64_bits_are_refused(digits):
    for data in (f"i{digits}e", f"li-{digits}ee", f"d1:ai{digits}ee"):
        with pytest.raises(BencodingError):
            decode(data.encode(), max_bytes=1_000_000)


def test_more_bytes_than_allowed_are_not_looked_at():
    with pytest.raises(BencodingError, match="at most 3 bytes"):
        decode(b"2:aa", max_bytes=3)
