"""One end of a live connection: how it comes up, what it reads, and how it ends.

Its sending half is in `testbed.live_sending`. Reading is paced by the node's downlink, shared by all
its links. Bytes that hold payload wait until the downlink has taken them; a read with nothing but
control messages is charged but not held, as control messages overtake payload on the uplink. A link
that is held reads no further, so the sender meets full buffers.
"""

from __future__ import annotations

import os
import select
import socket
from typing import TYPE_CHECKING

from testbed.errors import ProtocolViolation
from testbed.live_sending import SendingLink
from testbed.node import Address, DialFailed, LinkId, Message

if TYPE_CHECKING:
    from testbed.live import LiveStation

#: A shaped reader takes at most so much at a time: it is the grain of the downlink's fairness.
SHAPED_READ_BYTES = 16 * 1024

#: A link with so many parts waiting to be sent is not read from: answers to a client that asks and
#: never reads would fill the memory.
OUTBOX_LIMIT = 256

#: How long a link that was hung up waits for the remote to do the same.
CLOSE_SECONDS = 2.0

#: A read of so many messages without payload is chatter: 256 KiB of four-byte messages take a second to
#: handle. Its link has had its turn, and reads little the next time.
CHATTER_MESSAGES = 512
CHATTER_READ_BYTES = 4 * 1024

#: How many full reads one link may do in a turn before the others get theirs.
READS_A_TURN = 4

NEWS_END = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
NEWS_IN = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class LiveLink(SendingLink):
    """One end of a connection on a real socket."""

    __slots__ = ("_chatters", "_dialled", "_end_seen", "_held", "_up", "_wire_name", "decoder")

    def __init__(
        self,
        station: LiveStation,
        link_id: LinkId,
        remote: Address,
        sock: socket.socket,
        wire: str,
        *,
        dialled: bool,
    ) -> None:
        super().__init__(station, link_id, remote, sock, station.wires[wire], sparing=not dialled)
        self.decoder = self.wire.decoder(dialled=dialled)
        self._wire_name = wire
        self._dialled = dialled
        self._up = False
        self._end_seen = False
        self._held: tuple[list[Message], int] | None = None
        self._chatters = False
        station.world.open_links.add(self)
        station.world.watch(sock, self.on_news)

    # --- Coming up --------------------------------------------------------------------------

    def come_up(self) -> None:
        """Tell the node that the link is open, and read what may be there already."""
        if self.fileno < 0 or self._closing:
            return
        self._up = True
        self.station.link_is_up(self, dialled=self._dialled, wire=self._wire_name)
        if self._readable:
            self.read()

    def await_connection(self, seconds: float) -> None:
        """Wait for the connection to be made; the node hears of it either way."""
        self._connecting = True
        self.station.world.call_at(self.station.clock.now() + seconds, self._dial_timed_out)

    def _dial_timed_out(self) -> None:
        if self._connecting:
            self._dial_failed("timed out")

    def _dial_failed(self, reason: str) -> None:
        self._connecting = False
        self.close()
        self.station.feed(DialFailed(self.remote, self._wire_name, reason))

    def _finish_connecting(self) -> None:
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._dial_failed(os.strerror(code))
            return
        try:
            self.sock.getpeername()
        except OSError:
            return  # Stale news of a descriptor that was closed and given to us in the same turn.
        self._connecting = False
        # Dialling costs one round trip: there and back.
        round_trip = 2 * self.latency_seconds
        if round_trip:
            self.station.world.call_at(self.station.clock.now() + round_trip, self.come_up)
        else:
            self.come_up()

    # --- News from the kernel ---------------------------------------------------------------

    def on_news(self, mask: int) -> None:
        """Take epoll's word that something changed."""
        if self._connecting:
            self._finish_connecting()
            if self.fileno < 0:
                return
        if mask & NEWS_IN:
            self._readable = True
            if mask & NEWS_END:
                self._end_seen = True
            self.read()
        if mask & select.EPOLLOUT and self.outbox:
            self._spare_or_not()
            self.flush()

    # --- Reading ----------------------------------------------------------------------------

    def read(self) -> None:
        """Read while there is something to read and the downlink takes it."""
        if not self._up:
            return
        station = self.station
        shaped = station.shaped_down and not self._closing
        buffer = station.world.buffer
        limit = SHAPED_READ_BYTES if shaped else len(buffer)
        if self._chatters:
            limit = CHATTER_READ_BYTES
        shortcut = station.shortcut
        for _ in range(READS_A_TURN):
            if not self._readable or self._held is not None or self.fileno < 0:
                return
            if len(self.outbox) > OUTBOX_LIMIT and not self._closing:
                return  # It asks and does not read the answers; `flush` goes on when it has.
            try:
                count = self.sock.recv_into(buffer, limit)
            except BlockingIOError:
                self._readable = False
                return
            except OSError as error:
                self.fail(error.strerror or type(error).__name__)
                return
            if count == 0:
                self._ended_by_remote()
                return
            if count < limit and not self._end_seen:
                # Drained; the next byte, or the end, is a new edge. An end that came with the
                # last bytes had its edge: it is read for.
                self._readable = False
            data = buffer[:count]
            if shortcut is not None and not self.outbox and not self._closing and shortcut(self, data):
                continue
            self._take(data, shaped)
            if self._chatters:
                break
        if self._readable and self._held is None:
            station.world.read_soon(self)

    def _take(self, data: memoryview, shaped: bool) -> None:
        station = self.station
        ledger = station.ledger
        count = len(data)
        ledger.downloaded_wire_bytes += count
        try:
            messages = self.decoder.feed(data)
        except ProtocolViolation as violation:
            self.fail(violation.reason, violation=not self._closing)
            return
        payload = 0
        for message in messages:
            payload += message.payload_bytes
        ledger.downloaded_payload_bytes += payload
        self._chatters = not payload and len(messages) > CHATTER_MESSAGES
        if self._closing:
            ledger.discarded_payload_bytes += payload
            return
        if shaped:
            now = station.clock.now()
            passes_at = station.downlink.reserve(count, now)
            if payload or self.decoder.in_payload:
                self._held = (messages, count)
                station.links_held += 1
                station.downlink.backlogged = True
                if passes_at > now:
                    station.world.call_at(passes_at, self._release)
                else:
                    self._release()
                return
            station.downlink_passed_bytes += count
        for message in messages:
            station.receive(self, message)

    def _release(self) -> None:
        """The downlink has taken the bytes that were held: they have arrived."""
        if self._held is None:
            return
        messages, count = self._held
        self._held = None
        station = self.station
        station.links_held -= 1
        station.downlink_passed_bytes += count
        station.downlink_meter.passed(station.downlink_passed_bytes, station.clock.now())
        for message in messages:
            station.receive(self, message)
        if self._readable:
            self.read()
        if not station.links_held:
            station.downlink.backlogged = False
            station.downlink_meter.idle()

    def _ended_by_remote(self) -> None:
        self._readable = False
        if self._closing:
            self.close()
            return
        self.station.link_is_down(self, "closed by the remote")
        self.hang_up()
        if not self.outbox:
            self.close()

    # --- The end ----------------------------------------------------------------------------

    def hang_up(self) -> None:
        """Send what waits, say that no more will come, and wait a while for the remote's end."""
        if self._closing or self.fileno < 0:
            return
        self._closing = True
        self._drop_held()
        self.station.world.call_at(self.station.clock.now() + CLOSE_SECONDS, self.close)
        if self.outbox:
            self.flush()
        else:
            self._shut_down()
        if self._readable and self.fileno >= 0:
            self.read()

    def fail(self, reason: str, *, violation: bool = False) -> None:
        """End the link at once: the network, or a fault of the remote, has ended it."""
        was_closing = self._closing
        self.close()
        if not was_closing:
            self.station.link_is_down(self, reason, violation=violation)

    def close(self) -> None:
        """Close the socket, whatever waits."""
        if self.fileno < 0:
            return
        self._drop_held()
        self._closing = True
        self.outbox.clear()
        if self.stalled_since is not None:
            self._wait_no_more()
        self.station.world.open_links.discard(self)
        self.station.world.forget(self.sock)
        self.fileno = -1

    def _drop_held(self) -> None:
        """Give up what the downlink is taking in: its time on the line is spent, and shows no rate."""
        if self._held is None:
            return
        messages, count = self._held
        self._held = None
        station = self.station
        station.ledger.discarded_payload_bytes += sum(message.payload_bytes for message in messages)
        station.downlink_passed_bytes += count
        station.downlink_meter.idle()
        station.links_held -= 1
        if not station.links_held:
            station.downlink.backlogged = False
