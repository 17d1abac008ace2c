"""The extension protocol as bytes: handshake, metadata, peer exchange, from friends and strangers."""

import contextlib
from hashlib import sha1
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers import bencoding
from peers.exchange import MAX_NAMED, ExchangeMessage, ExchangeState, worth_dialling
from peers.extension import EXCHANGE, METADATA, ExtensionHandshake
from peers.metadata import (
    PART_BYTES,
    MetadataCopy,
    MetadataKind,
    MetadataMessage,
    answer,
    part_count,
)
from peers.priority import canonical_priority
from peers.torrent import MAX_TORRENT_BYTES
from testbed.errors import ProtocolViolation

hosts = st.sampled_from(["127.0.0.1", "10.255.0.9", "::1", "fd00::7"])
addresses = st.tuples(hosts | st.ip_addresses().map(str), st.integers(1, 65535))
noise = st.binary(max_size=80) | st.recursive(
    st.integers(-(2**40), 2**40) | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([b"m", b"p", b"v", b"added", b"added.f", b"msg_type", b"piece", METADATA]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
).map(bencoding.encode)


# --- Handshake ------------------------------------------------------------------------------


@given(
    st.builds(
        ExtensionHandshake,
        ids=st.dictionaries(st.sampled_from([METADATA, EXCHANGE]), st.integers(0, 255)),
        metadata_bytes=st.none() | st.integers(1, MAX_TORRENT_BYTES),
        port=st.none() | st.integers(1, 65535),
        request_queue=st.none() | st.integers(0, 1 << 20),
        upload_only=st.none() | st.booleans(),
        your_host=st.just("") | st.ip_addresses().map(str),
    )
)
def test_a_handshake_says_what_it_was_made_of(said):
    assert ExtensionHandshake.decode(said.encode().payload) == said


@given(noise)
def test_any_handshake_is_read_or_a_violation(data):
    with contextlib.suppress(ProtocolViolation):
        ExtensionHandshake.decode(data)


def test_numbers_out_of_range_say_nothing():
    data = (
        b"d1:md5:otheri9e11:ut_metadatai256ee13:metadata_sizei999999999e1:pi0e4:reqqi-1e6:yourip3:abce"
    )
    assert ExtensionHandshake.decode(data) == ExtensionHandshake()


def test_a_later_handshake_changes_what_it_names_and_nothing_else():
    first = ExtensionHandshake(ids={METADATA: 3, EXCHANGE: 4}, port=7, upload_only=False)
    then = first.updated(ExtensionHandshake(ids={EXCHANGE: 0}, upload_only=True))
    assert then == ExtensionHandshake(ids={METADATA: 3, EXCHANGE: 0}, port=7, upload_only=True)


# --- Metadata -------------------------------------------------------------------------------


@given(
    kind=st.sampled_from(MetadataKind), part=st.integers(0, 1000), data=st.binary(max_size=PART_BYTES)
)
def test_a_metadata_message_says_what_it_was_made_of(kind, part, data):
    if kind is not MetadataKind.DATA:
        data = b""
    message = MetadataMessage(kind, part, data, len(data))
    assert MetadataMessage.decode(message.encode()) == message


@given(noise, st.binary(max_size=30))
def test_any_metadata_message_is_read_or_a_violation(data, rest):
    with contextlib.suppress(ProtocolViolation):
        MetadataMessage.decode(data + rest)


def test_a_kind_that_is_not_known_passes():
    assert MetadataMessage.decode(b"d8:msg_typei7e5:piecei0ee") is None


def test_a_part_that_is_too_long_is_a_violation():
    with pytest.raises(ProtocolViolation):
        MetadataMessage.decode(MetadataMessage(MetadataKind.DATA, 0, bytes(PART_BYTES + 1), 1).encode())


@given(st.integers(1, 5 * PART_BYTES), st.integers(1, 4), st.randoms())
def test_a_copy_comes_together_in_any_order(size, under_way, rng):
    info = Random(size).randbytes(size)
    copy = MetadataCopy(sha1(info).digest(), size)
    waiting = []
    whole = None
    for _ in range(2 * part_count(size)):
        while (request := copy.next_request(under_way)) is not None:
            waiting.append(request)
        assert len(waiting) <= under_way
        if waiting:
            whole = copy.take(answer(info, waiting.pop(rng.randrange(len(waiting)))))
    assert whole == info


def test_what_was_not_asked_for_or_does_not_fit_is_the_sources_fault():
    info = bytes(PART_BYTES + 5)
    first = MetadataMessage(MetadataKind.DATA, 0, bytes(PART_BYTES))
    copy = MetadataCopy(sha1(b"other").digest(), len(info))
    with pytest.raises(ProtocolViolation, match="not asked for"):
        copy.take(first)
    copy.next_request(2)
    copy.next_request(2)
    with pytest.raises(ProtocolViolation, match="wrong length"):
        copy.take(MetadataMessage(MetadataKind.DATA, 1, bytes(6)))
    copy.take(first)
    with pytest.raises(ProtocolViolation, match="not asked for"):
        copy.take(first)
    with pytest.raises(ProtocolViolation, match="wrong metadata"):
        copy.take(MetadataMessage(MetadataKind.DATA, 1, bytes(5)))


def test_a_part_beyond_the_end_is_refused():
    request = MetadataMessage(MetadataKind.REQUEST, 1)
    assert answer(bytes(PART_BYTES), request).kind is MetadataKind.REJECT


# --- Peer exchange --------------------------------------------------------------------------


@given(
    added=st.dictionaries(addresses, st.integers(0, 255), max_size=MAX_NAMED),
    dropped=st.sets(addresses, max_size=MAX_NAMED),
)
def test_an_exchange_says_what_it_was_made_of(added, dropped):
    read = ExchangeMessage.decode(ExchangeMessage(added, tuple(dropped)).encode())
    assert read.added == added
    assert set(read.dropped) == dropped


@given(noise)
def test_any_exchange_is_read_or_a_violation(data):
    with contextlib.suppress(ProtocolViolation):
        ExchangeMessage.decode(data)


@given(st.lists(st.sets(st.integers(1, 80), max_size=80), min_size=1, max_size=8), st.integers(0, 3))
def test_a_neighbour_that_hears_every_message_knows_who_is_there(changes, extra):
    state = ExchangeState(0.0)
    known: set[tuple[str, int]] = set()
    now = 0.0
    for there in (*changes, *([changes[-1]] * (2 + extra))):
        neighbours = {("10.0.0.1", number): 0 for number in sorted(there)}
        message = state.message(neighbours, now)
        assert state.message(neighbours, now + 1.0) is None or message is None
        if message is not None:
            assert len(message.added) <= MAX_NAMED
            assert len(message.dropped) <= MAX_NAMED
            known |= message.added.keys()
            known -= set(message.dropped)
        now += 120.0
    assert known == neighbours.keys()


def test_a_seed_does_not_dial_seeds():
    message = ExchangeMessage({("10.0.0.1", 1): 0x02, ("10.0.0.2", 1): 0x10})
    assert list(worth_dialling(message, leeching=False)) == [("10.0.0.2", 1)]
    assert len(list(worth_dialling(message, leeching=True))) == 2


# --- Priority -------------------------------------------------------------------------------


def test_priorities_are_those_of_bep_40():
    one = ("123.213.32.10", 0)
    assert canonical_priority(one, ("98.76.54.32", 0)) == 0xEC2D7224
    assert canonical_priority(one, ("123.213.32.234", 0)) == 0x99568189


@given(addresses, addresses)
def test_both_ends_compute_the_same_priority(one, other):
    assert canonical_priority(one, other) == canonical_priority(other, one)


def test_names_have_the_lowest_priority():
    assert canonical_priority(("host", 1), ("10.0.0.1", 1)) == 0
