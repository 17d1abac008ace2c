"""How a response leaves: at once where the uplink is unlimited, block by block where it is shared.

Shared, the next block is chosen when the last has left: round robin over the connections that have
something to send and room to send it (`fair`), or all to the one that asked first (`first come first
served`). Without a limit there is nothing to share: a response leaves whole, by sendfile, its head
and the content of a small file in one message.
"""

from __future__ import annotations

from collections.abc import Mapping

from servers.answers import Answer
from servers.connection import Connection, Response
from servers.envelope import Envelope
from servers.http1 import Body, Encoded, Headers, ResponseHead
from servers.settings import Sharing
from servers.transaction import Transaction
from servers.turns import Turns
from servers.wire import encode_headers
from testbed.node import Effect, LinkId, Message, Payload, Send
from testbed.storage import StorageFault


class Sender:
    """Sends answers. What it sends it appends to `out`.

    Args:
      envelope: What every answer says.
      sharing: How the uplink is shared among responses.
      block_bytes: Grain of a shaped uplink; None for an unlimited one.
      encodes: Whether answers may be bytes already; only where nothing but bytes arrives (live).
    """

    def __init__(
        self, envelope: Envelope, sharing: Sharing, block_bytes: int | None, *, encodes: bool
    ) -> None:
        self._envelope = envelope
        self._block_bytes = block_bytes
        self._at_once = encodes and block_bytes is None
        """Responses leave whole, as bytes that were made ahead."""
        self._turns = Turns(sharing)
        self._responses_begun = 0
        self.uplink_busy = False

    def head(self, answer: Answer, now: float, *, closing: bool, extra: Headers = ()) -> ResponseHead:
        """The head of an answer, with what every answer says."""
        common = self._envelope.headers(now, closing=closing)
        return ResponseHead(answer.status, (*common, *extra, *answer.headers), answer.content)

    def begin(
        self,
        link: LinkId,
        connection: Connection,
        transaction: Transaction,
        answer: Answer,
        now: float,
        out: list[Effect],
        extra: Headers = (),
    ) -> None:
        """Send an answer, or its beginning: then the connection has a response.

        Raises:
          StorageFault: the file cannot be read (any more).
        """
        transaction.status = answer.status
        segments = answer.segments
        if segments:
            self._responses_begun += 1
            connection.response = Response(self._responses_begun, segments, answer.tail)
        if self._at_once:
            end = self._envelope.end(now, closing=connection.closing)
            if extra:
                end = encode_headers(extra) + end
            framing = answer.start + end + answer.content
            if segments:
                framing += segments[0].framing
                self._send_segment(link, connection, transaction, framing, answer.whole, out)
                return
            head: Message = Encoded(framing)
        else:
            head = self.head(answer, now, closing=connection.closing, extra=extra)
        transaction.sent_bytes += head.size_bytes
        out.append(Send(link, head))
        if segments:
            _send_framing(link, transaction, segments[0].framing, out)
            if connection.writable:
                self._turns.wait(link, self._responses_begun)

    def go_on(
        self, link: LinkId, connection: Connection, transaction: Transaction, out: list[Effect]
    ) -> bool:
        """Let a link with room have its next turn. Gives whether all of the response has left.

        Raises:
          StorageFault: the file cannot be read (any more).
        """
        response = connection.response
        if response is None or connection.in_flight or not connection.writable:
            return False
        if not response.remaining:
            framing = response.next_segment()
            if framing is None:
                _send_framing(link, transaction, response.tail, out)
                return True
            if self._at_once:
                self._send_segment(link, connection, transaction, framing, None, out)
                return False
            _send_framing(link, transaction, framing, out)
        self._turns.wait(link, response.number)
        return False

    def leave(self, link: LinkId) -> None:
        """Let a link wait for no turn any more."""
        self._turns.leave(link)

    def pump(self, connections: Mapping[LinkId, Connection], out: list[Effect]) -> LinkId | None:
        """Send the next block, if the uplink is free and somebody is due one.

        Gives a link whose file cannot be read (any more), for which it must be called again.
        """
        while not self.uplink_busy and (link := self._turns.take()) is not None:
            connection = connections[link]
            response, transaction = connection.response, connection.current
            assert response is not None and transaction is not None  # noqa: PT018
            size = min(response.remaining, self._block_bytes or response.remaining)
            try:
                payload = response.segment.storage.read(response.offset, size)
            except StorageFault:
                return link
            self.uplink_busy = connection.in_flight = True
            response.offset += size
            response.remaining -= size
            transaction.sent_bytes += size
            transaction.payload_bytes += size
            out.append(Send(link, Body(payload)))
        return None

    def _send_segment(
        self,
        link: LinkId,
        connection: Connection,
        transaction: Transaction,
        framing: bytes,
        whole: Payload | None,
        out: list[Effect],
    ) -> None:
        """Send a part of a response at once, and what belongs before it."""
        response = connection.response
        assert response is not None  # Only responses have parts.
        size = response.remaining
        if whole is None:
            whole = response.segment.storage.read(response.offset, size)
        response.remaining = 0
        connection.in_flight = True
        transaction.sent_bytes += len(framing) + size
        transaction.payload_bytes += size
        out.append(Send(link, Encoded(framing, whole)))


def _send_framing(link: LinkId, transaction: Transaction, framing: bytes, out: list[Effect]) -> None:
    if framing:
        transaction.sent_bytes += len(framing)
        out.append(Send(link, Encoded(framing)))
