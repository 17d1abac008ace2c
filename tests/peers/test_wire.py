"""Peer messages become bytes and come back, whatever way the bytes are split."""

from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers import messages as m
from peers.wire import PeerDecoder, PeerWire, encode
from peers.wire.frames import MAX_BLOCK_BYTES, MAX_MESSAGE_BYTES
from testbed.errors import LocalMisuse, ProtocolViolation
from testbed.node import FileSlice, Message
from testbed.wire import Part

HANDSHAKE = m.Handshake(b"h" * 20, b"p" * 20)

word = st.integers(0, 2**32 - 1)
handshakes = st.builds(
    m.Handshake,
    st.binary(min_size=20, max_size=20),
    st.binary(min_size=20, max_size=20),
    st.binary(min_size=8, max_size=8),
)
constants = st.sampled_from(
    [
        m.KEEP_ALIVE,
        m.CHOKE,
        m.UNCHOKE,
        m.INTERESTED,
        m.NOT_INTERESTED,
        m.HAVE_ALL,
        m.HAVE_NONE,
    ]
)
blocks = st.builds(
    lambda piece, begin, content: m.Block(piece, begin, len(content), content),
    word,
    word,
    st.binary(min_size=1, max_size=200),
)
after_handshake = st.one_of(
    constants,
    st.builds(m.Have, word),
    st.builds(m.SuggestPiece, word),
    st.builds(m.AllowedFast, word),
    st.builds(m.Request, word, word, word),
    st.builds(m.Cancel, word, word, word),
    st.builds(m.RejectRequest, word, word, word),
    st.builds(m.Port, st.integers(0, 65535)),
    st.builds(m.Bitfield, st.binary(max_size=40)),
    st.builds(m.Extended, st.integers(0, 255), st.binary(max_size=40)),
    blocks,
)


def join(parts: Iterable[Part]) -> bytes:
    joined = bytearray()
    for part in parts:
        assert not isinstance(part, FileSlice)
        joined += part
    return bytes(joined)


def stream_of(messages: Iterable[Message]) -> bytes:
    return b"".join(join(encode(message)) for message in messages)


def feed_all(decoder: PeerDecoder, chunks: Iterable[bytes]) -> list[Message]:
    """Feed as a live link does: from one buffer, overwritten after each call."""
    messages: list[Message] = []
    for chunk in chunks:
        lent = bytearray(chunk)
        messages += decoder.feed(memoryview(lent))
        lent[:] = b"\xff" * len(lent)
    return messages


def split_at(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def open_decoder(piece_count: int | None = None) -> PeerDecoder:
    decoder = PeerWire(piece_count).decoder(dialled=True)
    assert feed_all(decoder, [stream_of([HANDSHAKE])]) == [HANDSHAKE]
    return decoder


def outcome_of(chunks: Iterable[bytes]) -> list[Message] | str:
    """Give the messages in these bytes, or the reason why they are a violation."""
    try:
        return feed_all(open_decoder(), chunks)
    except ProtocolViolation as violation:
        return violation.reason


@given(st.one_of(handshakes, after_handshake))
def test_a_message_is_as_long_as_it_says(message):
    parts = encode(message)
    assert len(join(parts)) == message.size_bytes
    if message.payload_bytes:
        assert len(parts[-1]) == message.payload_bytes


@given(handshakes, st.lists(after_handshake, max_size=12), st.lists(st.integers(0, 10_000)))
def test_any_split_of_the_bytes_gives_the_same_messages(handshake, rest, cuts):
    sent = [handshake, *rest]
    decoder = PeerWire().decoder(dialled=False)
    assert feed_all(decoder, split_at(stream_of(sent), cuts)) == sent
    assert not decoder.in_payload
    assert decoder.unknown_messages == 0


@given(st.lists(after_handshake, max_size=6))
def test_byte_by_byte_gives_the_same_messages(rest):
    sent = [HANDSHAKE, *rest]
    decoder = PeerWire().decoder(dialled=False)
    assert feed_all(decoder, (bytes([byte]) for byte in stream_of(sent))) == sent


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5), st.booleans())
def test_any_bytes_give_messages_or_a_violation(noise, cuts, after_a_handshake):
    decoder = open_decoder(8) if after_a_handshake else PeerDecoder()
    with suppress(ProtocolViolation):
        feed_all(decoder, split_at(noise, cuts))


@given(st.lists(after_handshake, min_size=1, max_size=5), st.data())
def test_one_changed_byte_gives_messages_or_a_violation(rest, data):
    stream = bytearray(stream_of(rest))
    where = data.draw(st.integers(0, len(stream) - 1))
    stream[where] = data.draw(st.integers(0, 255))
    byte_by_byte = [bytes([byte]) for byte in stream]
    assert outcome_of([bytes(stream)]) == outcome_of(byte_by_byte)


def test_the_bytes_are_those_of_the_specifications():
    assert join(encode(HANDSHAKE)) == (
        b"\x13BitTorrent protocol" + b"\0\0\0\0\0\0\0\x04" + b"h" * 20 + b"p" * 20
    )
    assert join(encode(m.KEEP_ALIVE)) == bytes(4)
    assert join(encode(m.UNCHOKE)) == b"\0\0\0\1\1"
    assert join(encode(m.Have(258))) == b"\0\0\0\5\4\0\0\1\2"
    assert join(encode(m.Bitfield(b"\x80"))) == b"\0\0\0\2\5\x80"
    assert join(encode(m.Request(1, 2, 3))) == b"\0\0\0\x0d\6\0\0\0\1\0\0\0\2\0\0\0\3"
    assert join(encode(m.Block(1, 2, 3, b"abc"))) == b"\0\0\0\x0c\7\0\0\0\1\0\0\0\2abc"
    assert join(encode(m.Port(6881))) == b"\0\0\0\3\x09\x1a\xe1"
    assert join(encode(m.HAVE_ALL)) == b"\0\0\0\1\x0e"
    assert join(encode(m.Extended(0, b"de"))) == b"\0\0\0\4\x14\0de"


def test_messages_without_fields_have_one_instance():
    (message,) = feed_all(open_decoder(), [stream_of([m.UNCHOKE])])
    assert message is m.UNCHOKE


def test_a_block_is_encoded_without_being_copied():
    in_file = FileSlice(file=0, offset=32, nbytes=5)
    in_memory = memoryview(b"hello")
    assert encode(m.Block(0, 0, 5, in_file))[-1] is in_file
    assert encode(m.Block(0, 0, 5, in_memory))[-1] is in_memory


def test_a_block_of_another_length_than_its_payload_is_our_own_bug():
    with pytest.raises(LocalMisuse):
        encode(m.Block(0, 0, 4, b"hello"))
    with pytest.raises(LocalMisuse):
        encode(m.Block(0, 0, 4, FileSlice(file=0, offset=0, nbytes=5)))


def test_a_handshake_of_the_wrong_size_is_our_own_bug():
    with pytest.raises(LocalMisuse):
        encode(m.Handshake(b"short", bytes(20)))


def test_a_block_has_a_buffer_of_its_own():
    first = m.Block(0, 0, 4, b"aaaa")
    second = m.Block(0, 4, 4, b"bbbb")
    received = feed_all(open_decoder(), [stream_of([first, second])])
    buffers = [message.payload.obj for message in received if isinstance(message, m.Block)]
    assert [bytes(buffer) for buffer in buffers] == [b"aaaa", b"bbbb"]


def test_in_payload_is_true_only_amid_file_content():
    decoder = open_decoder()
    stream = stream_of([m.Block(0, 0, 10, b"0123456789")])
    seen = []
    for byte in stream:
        decoder.feed(memoryview(bytes([byte])))
        seen.append(decoder.in_payload)
    assert seen == [False] * 13 + [True] * 9 + [False]


def test_unknown_messages_are_skipped_and_counted():
    unknown = b"\0\0\0\4\x63abc" + b"\0\0\0\1\x64"
    stream = stream_of([m.Have(1)]) + unknown + stream_of([m.Have(2)])
    for chunks in ([stream], [stream[:11], stream[11:16], stream[16:]]):
        decoder = open_decoder()
        assert feed_all(decoder, chunks) == [m.Have(1), m.Have(2)]
        assert decoder.unknown_messages == 2


def test_a_long_unknown_message_is_not_kept():
    decoder = open_decoder()
    feed_all(decoder, [MAX_MESSAGE_BYTES.to_bytes(4, "big") + b"\x63", bytes(500_000)])
    assert len(decoder._partial) == 0
    rest = bytes(MAX_MESSAGE_BYTES - 1 - 500_000)
    assert feed_all(decoder, [rest + stream_of([m.CHOKE])]) == [m.CHOKE]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ((MAX_MESSAGE_BYTES + 1).to_bytes(4, "big"), "oversize message"),
        (b"\xff\xff\xff\xff", "oversize message"),
        ((9 + MAX_BLOCK_BYTES + 1).to_bytes(4, "big") + b"\7", "oversize message"),
        (b"\0\0\0\6\x04", "oversize message"),
        (b"\0\0\0\4\x04", "bad length"),
        (b"\0\0\0\x09\x07", "bad length"),
        (b"\0\0\0\1\x14", "bad length"),
        (b"\0\0\0\2\x01", "oversize message"),
        (b"\0\0\0\x0c\x06", "bad length"),
        (b"\0\0\0\3\x05", "bad length"),
        (b"\0\0\0\5\x05", "oversize message"),
    ],
)
def test_a_length_out_of_bounds_is_a_violation_before_anything_is_kept(frame, reason):
    with pytest.raises(ProtocolViolation) as raised:
        feed_all(open_decoder(piece_count=17), [frame])
    assert raised.value.reason == reason


def test_the_greatest_block_is_taken():
    block = m.Block(0, 0, MAX_BLOCK_BYTES, bytes(MAX_BLOCK_BYTES))
    assert feed_all(open_decoder(), [stream_of([block])]) == [block]


@pytest.mark.parametrize("greeting", [b"GET / HTTP/1.1", b"\x13BitTorrent protocoX", b"\x12"])
def test_another_protocol_is_refused_at_its_first_wrong_byte(greeting):
    with pytest.raises(ProtocolViolation) as raised:
        feed_all(PeerDecoder(), [greeting])
    assert raised.value.reason == "bad handshake"
