"""Messages are facts with a size."""

import pytest

from peers.messages import FAST_RESERVED, HAVE_ALL, KEEP_ALIVE, Block, Extended, Handshake, Have
from testbed.node import FileSlice, Message


def test_messages_are_what_a_link_carries():
    assert isinstance(Have(1), Message)
    assert isinstance(KEEP_ALIVE, Message)
    assert isinstance(Block(0, 0, 1, b"x"), Message)


def test_only_a_block_has_payload():
    assert Block(3, 0, 5, b"hello").payload_bytes == 5
    assert HAVE_ALL.payload_bytes == 0
    assert Extended(1, b"hello").payload_bytes == 0


def test_a_block_still_in_a_file_is_charged_like_one_in_memory():
    in_file = Block(3, 0, 16384, FileSlice(file=0, offset=0, nbytes=16384))
    in_memory = Block(3, 0, 16384, bytes(16384))
    assert in_file.size_bytes == in_memory.size_bytes == 13 + 16384


def test_a_handshake_says_which_extensions_its_sender_speaks():
    plain = Handshake(bytes(20), bytes(20), bytes(8))
    fast = Handshake(bytes(20), bytes(20), FAST_RESERVED)
    extended = Handshake(bytes(20), bytes(20), bytes([0, 0, 0, 0, 0, 0x10, 0, 0]))
    assert (plain.supports_fast, plain.supports_extended) == (False, False)
    assert (fast.supports_fast, fast.supports_extended) == (True, False)
    assert (extended.supports_fast, extended.supports_extended) == (False, True)


def test_messages_do_not_change():
    with pytest.raises(AttributeError):
        Have(1).piece = 2  # type: ignore[misc]
