"""Runs: requests and blocks that follow each other are one message here and many frames on the wire."""

import os
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers import messages as m
from peers.torrent import BLOCK_BYTES
from peers.wire import PeerWire, encode
from peers.wire.runs import LANDING_BYTES
from testbed.errors import LocalMisuse, ProtocolViolation
from testbed.node import FileSlice, Message
from testbed.wire import FrameBuffer, FramedSlice
from tests.peers.test_wire import HANDSHAKE, after_handshake, feed_all, join, split_at, stream_of

PIECE_BYTES = 4 * BLOCK_BYTES
CONTENT = Random(5).randbytes(PIECE_BYTES)

begins = st.integers(0, 3).map(lambda place: place * BLOCK_BYTES)
pieces = st.integers(0, 2)


@st.composite
def block_runs(draw):
    begin = draw(begins)
    length = draw(st.integers(1, PIECE_BYTES - begin))
    return m.BlockRun(draw(pieces), begin, length, CONTENT[begin : begin + length])


@st.composite
def request_runs(draw):
    begin = draw(begins)
    return m.RequestRun(draw(pieces), begin, draw(st.integers(1, PIECE_BYTES - begin)))


def one_by_one(messages: Iterable[Message]) -> list[Message]:
    """What remotes would see of these."""
    seen: list[Message] = []
    for message in messages:
        if isinstance(message, m.RequestRun):
            seen += message.requests()
        elif isinstance(message, m.BlockRun):
            seen += message.blocks()
        else:
            seen.append(message)
    return seen


def outcome(wire: PeerWire, chunks: Iterable[bytes]) -> list[Message] | str:
    """Give all messages one by one, or why they are a violation."""
    decoder = wire.decoder(dialled=True)
    try:
        return one_by_one(feed_all(decoder, chunks))
    except ProtocolViolation as violation:
        return violation.reason


@given(st.one_of(block_runs(), request_runs()))
def test_a_run_is_as_long_as_it_says_and_its_frames_are_those_of_its_messages(run):
    assert len(join(encode(run))) == run.size_bytes
    assert join(encode(run)) == stream_of(one_by_one([run]))


@given(
    st.lists(st.one_of(block_runs(), request_runs(), after_handshake), max_size=8),
    st.lists(st.integers(0, 400_000), max_size=12),
)
def test_any_split_of_the_bytes_gives_the_same_as_without_runs(sent, cuts):
    chunks = split_at(stream_of([HANDSHAKE, *sent]), cuts)
    with_runs = outcome(PeerWire(run_piece_bytes=PIECE_BYTES), chunks)
    assert with_runs == outcome(PeerWire(), chunks) == [HANDSHAKE, *one_by_one(sent)]


@given(st.binary(max_size=400), st.lists(st.integers(0, 400)))
def test_whatever_comes_is_the_same_violation_as_without_runs(noise, cuts):
    start = stream_of([HANDSHAKE, m.RequestRun(0, 0, PIECE_BYTES)])
    chunks = [start, *split_at(noise, cuts)]
    with_runs = outcome(PeerWire(run_piece_bytes=PIECE_BYTES), chunks)
    assert with_runs == outcome(PeerWire(), chunks)


def test_what_comes_together_is_one_message_and_lies_side_by_side():
    run = m.BlockRun(1, 0, PIECE_BYTES, CONTENT)
    asked = m.RequestRun(2, BLOCK_BYTES, 2 * BLOCK_BYTES)
    decoder = PeerWire(run_piece_bytes=PIECE_BYTES).decoder(dialled=True)
    stream = stream_of([HANDSHAKE, run, asked, m.CHOKE])
    assert feed_all(decoder, [stream]) == [HANDSHAKE, run, asked, m.CHOKE]


def test_a_run_that_comes_in_two_reads_lands_in_one_buffer():
    decoder = PeerWire(run_piece_bytes=PIECE_BYTES).decoder(dialled=True)
    stream = stream_of([HANDSHAKE, m.BlockRun(1, 0, PIECE_BYTES, CONTENT)])
    received = feed_all(decoder, [stream[:40_000], stream[40_000:]])[1:]
    assert b"".join(bytes(part.payload) for part in received) == CONTENT
    assert len({id(part.payload.obj) for part in received}) == 1


def test_a_block_keeps_no_more_than_a_part_of_its_piece_in_memory():
    decoder = PeerWire(run_piece_bytes=16 * LANDING_BYTES).decoder(dialled=True)
    feed_all(decoder, [stream_of([HANDSHAKE])])
    begin = 5 * LANDING_BYTES + BLOCK_BYTES
    [block] = feed_all(decoder, [stream_of([m.Block(0, begin, BLOCK_BYTES, CONTENT[:BLOCK_BYTES])])])
    assert block.payload == CONTENT[:BLOCK_BYTES]
    assert len(block.payload.obj) == LANDING_BYTES


def test_a_run_with_a_payload_of_another_length_is_our_own_bug():
    with pytest.raises(LocalMisuse):
        encode(m.BlockRun(0, 0, 20_000, bytes(19_999)))


# --- Out of a file --------------------------------------------------------------------------


@pytest.fixture
def content_file(tmp_path):
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    descriptor = os.open(path, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("begin", [0, BLOCK_BYTES])
@pytest.mark.parametrize("length", [PIECE_BYTES - BLOCK_BYTES, 2 * BLOCK_BYTES + 1, 5])
@pytest.mark.parametrize("taken_bytes", [1_000_000, 16_390, 12_345, 13])
def test_a_run_leaves_a_file_whole_however_little_the_kernel_takes(
    content_file, begin, length, taken_bytes
):
    run = m.BlockRun(3, begin, length, FileSlice(content_file, begin, length))
    [part] = encode(run)
    assert isinstance(part, FramedSlice)
    buffer, left, content_bytes = FrameBuffer(40_000), bytearray(), 0
    while part.sent_bytes < part.nbytes:
        parts, offered_bytes = part.read(buffer)
        assert offered_bytes == sum(map(len, parts))
        offered = b"".join(parts)[:taken_bytes]
        left += offered
        content_bytes += part.account(len(offered))
    in_memory = m.BlockRun(3, begin, length, CONTENT[begin : begin + length])
    assert bytes(left) == join(encode(in_memory))
    assert len(left) == part.nbytes == run.size_bytes
    assert content_bytes == length


def test_a_file_that_was_truncated_gives_no_bytes(content_file):
    run = m.BlockRun(0, 0, PIECE_BYTES, FileSlice(content_file, 0, PIECE_BYTES))
    [part] = encode(run)
    os.ftruncate(content_file, PIECE_BYTES - 1)
    with pytest.raises(OSError, match="truncated"):
        part.read(FrameBuffer(PIECE_BYTES))
