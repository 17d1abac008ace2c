"""Frames between Locust and its node hosts."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.control import (
    LONGEST_FRAME_BYTES,
    AwaitAnnouncement,
    Begin,
    Collect,
    Crashed,
    Drain,
    Drained,
    Finished,
    FrameDecoder,
    FrameError,
    Join,
    Leave,
    Move,
    Prepared,
    Progress,
    Ready,
    SetUp,
    Start,
    Started,
    Verified,
    Verify,
    encode_frame,
    order_decoder,
    report_decoder,
)

node_ids = st.integers(0, 2**40)
seconds = st.floats(0, 1e9)
addresses = st.tuples(st.text(max_size=15), st.integers(0, 65535))
lists = st.lists(node_ids, max_size=5)
moved = st.dictionaries(node_ids, st.lists(addresses, max_size=2), max_size=2)

orders = st.one_of(
    st.builds(
        SetUp, lists, st.dictionaries(st.sampled_from(["origin", "tracker"]), st.lists(addresses))
    ),
    st.builds(Begin, seconds),
    st.builds(Start, lists),
    st.builds(AwaitAnnouncement, node_ids),
    st.builds(Join, node_ids, seconds),
    st.builds(Drain, seconds),
    st.builds(Verify),
    st.builds(Leave, st.dictionaries(node_ids, seconds, max_size=4)),
    st.builds(Move, st.dictionaries(node_ids, seconds, max_size=4)),
    st.builds(Collect, st.dictionaries(node_ids, addresses, max_size=4), moved),
)
reports = st.one_of(
    st.builds(Prepared),
    st.builds(Ready, st.dictionaries(node_ids, addresses, max_size=4)),
    st.builds(Started),
    st.builds(
        Finished, node_ids, st.booleans(), st.text(), seconds, seconds, st.none() | seconds, node_ids
    ),
    st.builds(Progress, node_ids, node_ids),
    st.builds(Drained, st.booleans(), moved),
    st.builds(Verified, lists),
    st.builds(Crashed, st.text()),
)


def feed_in_parts(decoder, data, cuts):
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [message for start, end in pairwise(edges) for message in decoder.feed(data[start:end])]


@given(st.lists(orders, max_size=6), st.lists(st.integers(0, 10**6), max_size=12))
def test_orders_arrive_however_their_bytes_are_cut(messages, cuts):
    data = b"".join(encode_frame(message) for message in messages)
    assert feed_in_parts(order_decoder(), data, cuts) == messages


@given(st.lists(reports, max_size=6), st.lists(st.integers(0, 10**6), max_size=12))
def test_reports_arrive_however_their_bytes_are_cut(messages, cuts):
    data = b"".join(encode_frame(message) for message in messages)
    assert feed_in_parts(report_decoder(), data, cuts) == messages


@given(orders)
def test_half_a_frame_is_no_message_yet(message):
    assert order_decoder().feed(encode_frame(message)[:-1]) == []


def test_a_frame_longer_than_any_message_is_refused_before_it_is_awaited():
    with pytest.raises(FrameError, match="expected at most"):
        order_decoder().feed((LONGEST_FRAME_BYTES + 1).to_bytes(4, "big"))


@given(st.binary(max_size=40))
def test_bytes_that_are_no_message_raise_nothing_but_frame_errors(body):
    decoder = FrameDecoder(msgspec.msgpack.Decoder(Join))
    try:
        messages = decoder.feed(len(body).to_bytes(4, "big") + body)
    except FrameError:
        return
    assert all(isinstance(message, Join) for message in messages)


def test_a_report_is_no_order():
    with pytest.raises(FrameError):
        order_decoder().feed(encode_frame(Prepared()))
