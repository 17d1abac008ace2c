"""One end of a live connection: a socket, its decoder, and what waits to be sent.

Reading is paced by the node's downlink, shared by all its links. Bytes that hold payload wait until
the downlink has taken them; a read with nothing but control messages is charged but not held, as
control messages overtake payload on the uplink. A link that is held reads no further, so the sender
meets full buffers.
"""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from typing import TYPE_CHECKING

from testbed.errors import ProtocolViolation
from testbed.node import Address, DialFailed, FileSlice, LinkId, Message
from testbed.sockets import limit_unsent
from testbed.station import Link
from testbed.wire import Part

if TYPE_CHECKING:
    from testbed.live import LiveStation

#: A shaped reader takes at most so much at a time: it is the grain of the downlink's fairness.
SHAPED_READ_BYTES = 16 * 1024

#: Slices up to this size are read into memory and leave together with what surrounds them; larger
#: ones leave by sendfile.
SENDFILE_FROM_BYTES = 64 * 1024

#: How many buffers go into one sendmsg at most (the kernel's limit is 1024).
BUFFERS_A_SEND = 64

#: A link with so many parts waiting to be sent is not read from: answers to a client that asks and
#: never reads would fill the memory.
OUTBOX_LIMIT = 256

#: A reader that never reads leaves up to 4 MB in the kernel. A link may have so much unsent there until
#: its remote has proved to read, by more than its own buffers take, and from then on if many links wait
#: for theirs; for all others such a limit costs up to 40 % of the speed.
UNPROVED_UNSENT_BYTES = 128 * 1024
PROVED_BYTES = 1024 * 1024
SPARING_FROM_WAITING_LINKS = 64

#: The system's own limit, which is none.
_NO_UNSENT_LIMIT = 0

#: The kernel sends at most 2 GiB in one call; asked for less, a short answer means a full socket.
SENDFILE_LIMIT_BYTES = 1 << 30

#: How long a link that was hung up waits for the remote to do the same.
CLOSE_SECONDS = 2.0

#: How many full reads one link may do in a turn before the others get theirs.
READS_A_TURN = 4

NEWS_END = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
NEWS_IN = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class LiveLink(Link):
    """One end of a connection on a real socket."""

    __slots__ = (
        "_closing",
        "_connecting",
        "_dialled",
        "_end_seen",
        "_flush_asked",
        "_held",
        "_readable",
        "_sent_bytes",
        "_shut",
        "_sparing",
        "_up",
        "_wire_name",
        "decoder",
        "fileno",
        "outbox",
        "sock",
        "stalled_since",
        "wire",
    )

    station: LiveStation

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
        super().__init__(station, link_id, remote)
        self.sock = sock
        self.fileno = sock.fileno()
        self.wire = station.wires[wire]
        self.decoder = self.wire.decoder(dialled=dialled)
        self.outbox: deque[tuple[Part, bool]] = deque()
        """What the kernel has not taken yet; whether it is payload."""
        self.stalled_since: float | None = None
        self._wire_name = wire
        self._dialled = dialled
        self._connecting = False
        self._up = False
        self._readable = False
        self._end_seen = False
        self._held: tuple[list[Message], int] | None = None
        self._flush_asked = False
        self._closing = False
        self._shut = False
        self._sent_bytes = 0
        self._sparing = not dialled
        """The kernel keeps little unsent for this link; set on the listening socket."""
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

    # --- Writing ----------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """The kernel took all: what the far end has not read fits its buffers and ours."""
        return not self.outbox

    def transmit(self, message: Message) -> None:
        """Encode a message and give it to the kernel: payload now, the rest with its moment."""
        if self._shut or self.fileno < 0:
            return
        parts = self.wire.encode(message)
        outbox = self.outbox
        payload = message.payload_bytes > 0
        last = len(parts) - 1
        for place, part in enumerate(parts):
            whole: Part = part
            if isinstance(part, FileSlice) and part.nbytes <= SENDFILE_FROM_BYTES:
                try:
                    whole = os.pread(part.file, part.nbytes, part.offset)
                except OSError as error:
                    self.fail(f"cannot read the file: {error.strerror}")
                    return
                if len(whole) != part.nbytes:
                    self.fail("file was truncated")
                    return
            outbox.append((whole, payload and place == last))
        if payload:
            self.flush()
        elif not self._flush_asked:
            self._flush_asked = True
            self.station.world.flush_soon(self)

    def _spare_or_not(self) -> None:
        """Let the kernel keep much for a remote that reads, unless many wait for the same."""
        if self._sent_bytes < PROVED_BYTES:
            return
        sparing = self.station.world.waiting_links >= SPARING_FROM_WAITING_LINKS
        if sparing != self._sparing and not self.station.shaped:
            self._sparing = sparing
            limit_unsent(self.sock, UNPROVED_UNSENT_BYTES if sparing else _NO_UNSENT_LIMIT)

    def answer_at_once(self, received_bytes: int, data: bytes, payload_bytes: int) -> bool:
        """Send bytes past the node, in one call; nothing else waits to be sent. For a shortcut.

        What the kernel does not take waits as anything else does: the node meets a link without room.

        Args:
          received_bytes: What this is the answer to.
          payload_bytes: How much of the data is file content: its end.

        Returns:
          Whether all is with the kernel. If not, and the link is not down, the rest will follow.
        """
        ledger = self.station.ledger
        ledger.downloaded_wire_bytes += received_bytes
        size = len(data)
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.fail(error.strerror or type(error).__name__)
            return False
        if sent == size:
            ledger.uploaded_wire_bytes += sent
            ledger.uploaded_payload_bytes += payload_bytes
            self._sent_bytes += sent
            return True
        head_bytes = size - payload_bytes
        self.outbox.append((data[:head_bytes], False))
        if payload_bytes:
            self.outbox.append((memoryview(data)[head_bytes:], True))
        self._account(sent)
        self.flush()
        return False

    def flush(self) -> None:
        """Give the kernel what it takes."""
        self._flush_asked = False
        if self.fileno < 0 or self._connecting:
            return
        outbox = self.outbox
        sent_any = False
        more = bool(outbox)
        while more:
            try:
                more = self._send_some() and bool(outbox)
            except BlockingIOError:
                break
            except OSError as error:
                self.fail(error.strerror or type(error).__name__)
                return
            sent_any = True
        if outbox:
            if self.stalled_since is None:
                self.station.world.waiting_links += 1
                self.stalled_since = self.station.clock.now()
            elif sent_any:
                self.stalled_since = self.station.clock.now()
            return
        if self.stalled_since is not None:
            self._wait_no_more()
        if self._closing:
            self._shut_down()
            return
        if self.blocked:
            self.station.has_room_again(self)
        if self._readable:
            self.station.world.read_soon(self)

    def _wait_no_more(self) -> None:
        self.stalled_since = None
        self.station.world.waiting_links -= 1

    def _send_some(self) -> bool:
        """Send once. False: the kernel took less than it was offered, and will say when it has room."""
        first = self.outbox[0][0]
        if isinstance(first, FileSlice):
            offered = min(first.nbytes, SENDFILE_LIMIT_BYTES)
            sent = os.sendfile(self.fileno, first.file, first.offset, offered)
            if sent < offered and os.fstat(first.file).st_size < first.offset + first.nbytes:
                raise OSError("file was truncated")
            self._account(sent)
            return sent == offered
        if len(self.outbox) == 1:
            offered = len(first)
            sent = self.sock.send(first)
            self._account(sent)
            return sent == offered
        buffers: list[bytes | bytearray | memoryview] = []
        flags = 0
        offered = 0
        for part, _ in self.outbox:
            if isinstance(part, FileSlice):
                flags = socket.MSG_MORE  # The head leaves in one segment with the file's start.
                break
            buffers.append(part)
            offered += len(part)
            if len(buffers) == BUFFERS_A_SEND:
                break
        sent = self.sock.sendmsg(buffers, [], flags)
        self._account(sent)
        return sent == offered

    def _account(self, sent: int) -> None:
        """Take `sent` bytes off the outbox and into the ledger."""
        ledger = self.station.ledger
        ledger.uploaded_wire_bytes += sent
        self._sent_bytes += sent
        outbox = self.outbox
        while sent:
            part, is_payload = outbox[0]
            size = part.nbytes if isinstance(part, (FileSlice, memoryview)) else len(part)
            taken = size if size <= sent else sent
            sent -= taken
            if is_payload:
                ledger.uploaded_payload_bytes += taken
            if taken == size:
                outbox.popleft()
            elif isinstance(part, FileSlice):
                rest = FileSlice(part.file, part.offset + taken, size - taken)
                outbox[0] = (rest, is_payload)
            else:
                outbox[0] = (memoryview(part)[taken:], is_payload)

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

    def _shut_down(self) -> None:
        if self._shut:
            return
        self._shut = True
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()  # The remote was faster.

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
        if self._held is not None:
            discarded = sum(message.payload_bytes for message in self._held[0])
            self.station.ledger.discarded_payload_bytes += discarded
            self._held = None
            self.station.links_held -= 1
