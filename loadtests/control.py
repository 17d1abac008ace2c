"""What Locust and its node hosts say to each other, and how it crosses the socket between them.

A frame is four bytes of length, big-endian, and one msgpack message. `Order`s go to the node host,
`Report`s come back. Each order but `Begin` and `Join` is answered by one report; `Finished`,
`Progress` and `Crashed` come unasked. Orders to one host are answered in the order they were given.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from loadtests.plan import TrialPlan
from loadtests.watching import NodeCounters
from testbed.cast import Role
from testbed.node import Address, Answered, Asked
from testbed.record import NodeRow, SampleRow, TransferRow

#: A trial of 1,000 clients and 1,000 pieces has a million transfers: some 200 MB. More is a bug.
LONGEST_FRAME_BYTES = 1 << 30

_LENGTH_BYTES = 4


# --- Orders -----------------------------------------------------------------------------------


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Get ready to run some of the nodes of this trial. Answered by `Prepared`."""

    plan: TrialPlan
    node_ids: list[int]
    process: int
    """Its number among the processes of the trial."""


class SetUp(msgspec.Struct, frozen=True, tag=True):
    """Make these nodes and let them listen. Answered by `Ready`."""

    node_ids: list[int]
    known: dict[Role, list[Address]]


class Begin(msgspec.Struct, frozen=True, tag=True):
    """The trial's clock starts: seconds count from this monotonic time."""

    started_at: float


class Start(msgspec.Struct, frozen=True, tag=True):
    """Start nodes that are no clients. Answered by `Started`, once they can be found."""

    node_ids: list[int]


class AwaitAnnouncement(msgspec.Struct, frozen=True, tag=True):
    """Wait until this tracker has served its first request. Answered by `Started`."""

    node_id: int


class Join(msgspec.Struct, frozen=True, tag=True):
    """Start a client now. `Finished` follows when it has its file or knows that it never will."""

    node_id: int
    scheduled_seconds: float


class Leave(msgspec.Struct, frozen=True, tag=True):
    """Let these nodes leave, each at its time since the trial's start."""

    at_seconds: dict[int, float]


class Move(msgspec.Struct, frozen=True, tag=True):
    """Let these nodes go on at another address, each from its time since the trial's start."""

    at_seconds: dict[int, float]


class Replace(msgspec.Struct, frozen=True, tag=True):
    """Replace these nodes' files by the other version, each at its time since the trial's start."""

    at_seconds: dict[int, float]


class Drain(msgspec.Struct, frozen=True, tag=True):
    """End the traffic: begin nothing, let arrive what is under way. Answered by `Drained`."""

    seconds: float


class Verify(msgspec.Struct, frozen=True, tag=True):
    """Compare every client's file on disk with the content and delete it. `Verified` follows."""


class Collect(msgspec.Struct, frozen=True, tag=True):
    """Hand over all rows. Answered by `Collected`."""

    addresses: dict[int, Address]
    """Of all nodes of the trial, to name the sources of transfers by."""
    moved: dict[int, list[Address]]
    """Where else nodes have lived that came and went."""


Order = (
    Prepare
    | SetUp
    | Begin
    | Start
    | AwaitAnnouncement
    | Join
    | Leave
    | Replace
    | Move
    | Drain
    | Verify
    | Collect
)


# --- Reports ----------------------------------------------------------------------------------


class Prepared(msgspec.Struct, frozen=True, tag=True):
    """The node host knows its part."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The nodes are there, at these addresses; port 0 means that it does not listen."""

    addresses: dict[int, Address]


class Started(msgspec.Struct, frozen=True, tag=True):
    """The nodes run."""


class Finished(msgspec.Struct, frozen=True, tag=True):
    """A client has what it came for, or never will. All times are the node's own."""

    node_id: int
    verified: bool
    reason: str
    joined_seconds: float
    finished_seconds: float
    first_byte_seconds: float | None
    """When the first byte of content had arrived."""
    downloaded_payload_bytes: int


class Progress(msgspec.Struct, frozen=True, tag=True):
    """Where this host's clients are."""

    done: int
    downloaded_payload_bytes: int
    at_seconds: float = 0.0
    """When this was read, since the trial's start."""
    nodes: list[NodeCounters] = []
    """Of all nodes here, when the trial is watched."""


class Drained(msgspec.Struct, frozen=True, tag=True):
    """The traffic has ended; `clean`: every link ended in time and lost nothing."""

    clean: bool
    moved: dict[int, list[Address]] = {}
    """Where nodes of this host have lived since they came for a second time."""


class Verified(msgspec.Struct, frozen=True, tag=True):
    """Which clients' files on disk are right."""

    correct: list[int]


class Collected(msgspec.Struct, frozen=True, tag=True):
    """All that this host saw."""

    nodes: list[NodeRow]
    transfers: list[TransferRow]
    samples: list[SampleRow]
    violations: dict[str, int]
    cpu_fraction: float
    """Share of a core from the first join to the last completion."""
    memory_bytes: int
    link_rate_windows: int
    link_rate_error_max: float | None
    asked: dict[int, list[Asked]] = {}
    """By node: its half of transactions, where a scenario has their steps recorded."""
    answered: dict[int, list[Answered]] = {}


class Crashed(msgspec.Struct, frozen=True, tag=True):
    """A node raised, or could not be made: the last frame of this host."""

    reason: str


Report = Prepared | Ready | Started | Finished | Progress | Drained | Verified | Collected | Crashed


# --- Frames -----------------------------------------------------------------------------------

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()


class FrameError(Exception):
    """Bytes that are no frame: the two sides are not of one version."""


def encode_frame(message: Order | Report) -> bytes:
    """Give the bytes of one message, length first.

    Raises:
      FrameError: the message is longer than any sensible one.
    """
    buffer = bytearray(_LENGTH_BYTES)
    _encoder.encode_into(message, buffer, _LENGTH_BYTES)
    length = len(buffer) - _LENGTH_BYTES
    if length > LONGEST_FRAME_BYTES:
        raise FrameError(f"expected a message of at most {LONGEST_FRAME_BYTES} bytes, not {length}")
    buffer[:_LENGTH_BYTES] = length.to_bytes(_LENGTH_BYTES, "big")
    return bytes(buffer)


class FrameDecoder(Generic[T]):
    """Bytes, however they were cut, back to messages."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[T]) -> None:
        self._decoder = decoder
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """Take what arrived and give the messages it completes.

        Raises:
          FrameError: no message of this side's version.
        """
        buffer = self._buffer
        buffer += data
        messages = []
        position = 0
        while len(buffer) - position >= _LENGTH_BYTES:
            start = position + _LENGTH_BYTES
            length = int.from_bytes(buffer[position:start], "big")
            if length > LONGEST_FRAME_BYTES:
                raise FrameError(f"expected at most {LONGEST_FRAME_BYTES} bytes, not {length}")
            if len(buffer) - start < length:
                break
            try:
                with memoryview(buffer)[start : start + length] as body:
                    messages.append(self._decoder.decode(body))
            except msgspec.MsgspecError as error:
                raise FrameError(str(error)) from error
            position = start + length
        del buffer[:position]
        return messages


def order_decoder() -> FrameDecoder[Order]:
    """Decode what a node host hears."""
    return FrameDecoder(msgspec.msgpack.Decoder(Order))


def report_decoder() -> FrameDecoder[Report]:
    """Decode what Locust hears."""
    return FrameDecoder(msgspec.msgpack.Decoder(Report))
