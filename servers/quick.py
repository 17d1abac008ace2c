"""Answers that are known already: the same request for the same small file, past decoder and node.

Most of what a request costs on its way through decoder, node, sender, link and recorder is to find out
what was found out a moment ago. When a client sends, byte for byte, a request that was answered before,
and the answer still holds, its bytes are sent at once. docs/decisions/0005 has the measurement.

What makes that the node's answer and not a guess:

* What is sent is what the method itself gives for that request: it is asked again in every turn of the
  world in which the answer is used, and looks at the file each time. A turn begins with asking which
  sockets can be read, so a request is answered from what was there after it was sent.
* Only requests are looked up that are the whole of what was read, on a connection on which nothing is
  under way: order, limits, timeouts and everything that is no plain answer are the node's business.
* The record is the same: four steps, the log's line, the counters (`servers.quick_record`).
"""

from __future__ import annotations

import time

from servers.answers import Answer
from servers.envelope import Envelope
from servers.http1 import Request
from servers.methods import Methods
from servers.node import FileHost
from servers.quick_record import QuickRecord, Served
from servers.request_decoder import KnownHeads, RequestDecoder
from testbed.live import LiveWorld
from testbed.live_link import LiveLink
from testbed.node import FileSlice

#: Heads and contents kept, at most. Beyond it all are forgotten: so many have no use for being kept.
KEPT_ANSWERS = 512
KEPT_BYTES = 32 * 1024 * 1024

#: Files up to this size are answered at once: the kernel takes them whole.
FILE_LIMIT_BYTES = 64 * 1024

_METHODS = ("GET", "HEAD")


class _Known:
    """A request, as bytes and as what it means, and its answer."""

    __slots__ = ("answer", "end", "file", "key", "payload_bytes", "reply", "request", "served", "turn")

    def __init__(self, key: bytes, request: Request) -> None:
        self.key = key
        self.request = request
        self.answer: Answer | None = None
        self.end = b""
        self.reply = b""
        self.payload_bytes = 0
        """Of the reply."""
        self.file: FileSlice | None = None
        """What leaves behind the reply."""
        self.served: Served | None = None
        self.turn = -1
        """When the answer was last seen to hold."""


class QuickAnswers:
    """A shortcut (`LiveStation.shortcut`) of one host without a limit on its uplink.

    Args:
      world: Where the host is; its turns are how long an answer holds without being looked at.
      node: Whose connections these are.
      methods: Who answers GET and HEAD.
      known: The heads that the host's decoders have met.
      record: Who writes down what was done.
    """

    def __init__(
        self,
        world: LiveWorld,
        node: FileHost,
        methods: Methods,
        envelope: Envelope,
        known: KnownHeads,
        record: QuickRecord,
    ) -> None:
        self._world = world
        self._started_at = world.started_at
        self._node = node
        self._methods = methods
        self._envelope = envelope
        self._heads = known.requests
        self._record = record
        self._answers: dict[bytes, _Known] = {}
        self._kept_bytes = 0

    def __call__(self, link: LiveLink, data: memoryview) -> bool:
        """Answer, if that takes no thought. Otherwise nothing has happened."""
        now = time.monotonic() - self._started_at
        rested = not self._record.asks_again(link.id, now)
        known = self._answers.get(bytes(data))
        if known is None:
            self._learn(data)
            return False
        connection = self._node.resting(link.id)
        decoder = link.decoder
        if connection is None or type(decoder) is not RequestDecoder:
            return False
        if not decoder.is_between_messages:
            return False
        found = now
        if known.turn != self._world.turn:
            if not self._still_holds(known, now):
                return False
            found = time.monotonic() - self._started_at
        all_sent = link.answer_at_once(len(known.key), known.reply, known.payload_bytes, known.file)
        connection.has_asked = True
        connection.active_at = now
        connection.previous = None
        self._node.tally.requests_served += 1
        assert known.served is not None  # Made with the reply.
        self._record.add(
            link, connection.remote, known.served, now, found, all_sent=all_sent, rested=rested
        )
        return True

    def _learn(self, data: memoryview) -> None:
        """Keep a head whose request the decoder knows: it has been asked before."""
        key = bytes(data)
        request = self._heads.get(key)
        if request is None or request.method not in _METHODS or request.prefers_timing:
            return
        if len(self._answers) >= KEPT_ANSWERS or self._kept_bytes > KEPT_BYTES:
            self._answers.clear()
            self._kept_bytes = 0
        known = _Known(key, request)
        if self._still_holds(known, self._world.now()):
            self._answers[key] = known
            self._kept_bytes += len(key) + len(known.reply)

    def _still_holds(self, known: _Known, now: float) -> bool:
        """Ask for the answer, and bring the bytes of it up to date."""
        answer = self._methods[known.request.method].begin(known.request, now)
        end = self._envelope.end(now, closing=False)
        if answer is not known.answer or end is not known.end:
            content = _content(answer) if isinstance(answer, Answer) else None
            if content is None or not isinstance(answer, Answer):
                self._answers.pop(known.key, None)
                return False
            at_hand, known.file = content
            known.answer = answer
            known.end = end
            known.reply = answer.start + end + at_hand
            known.payload_bytes = len(at_hand) if answer.segments else 0
            file_bytes = 0 if known.file is None else known.file.nbytes
            known.served = Served(
                known.request,
                answer.status,
                len(known.key),
                len(known.reply) + file_bytes,
                known.payload_bytes + file_bytes,
            )
        known.turn = self._world.turn
        return True


def _content(answer: Answer) -> tuple[bytes, FileSlice | None] | None:
    """All that follows the head, if it is not much: what is at hand, and what is still in a file."""
    if not answer.segments:
        return answer.content, None
    whole = answer.whole
    if len(answer.segments) > 1 or answer.tail or answer.segments[0].framing:
        return None
    if isinstance(whole, FileSlice):
        return (b"", whole) if whole.nbytes <= FILE_LIMIT_BYTES else None
    return (whole, None) if isinstance(whole, bytes) else None
