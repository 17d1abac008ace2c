"""The sending end of a live connection: what waits to be sent, and how it gets to the kernel."""

from __future__ import annotations

import os
import socket
from collections import deque
from typing import TYPE_CHECKING

from testbed.node import Address, FileSlice, LinkId, Message
from testbed.sockets import cork, limit_unsent, unacknowledged_bytes
from testbed.station import Link
from testbed.wire import FramedSlice, Part, Wire

if TYPE_CHECKING:
    from testbed.live import LiveStation

#: Slices up to this size are read into memory and leave together with what surrounds them; larger
#: ones leave by sendfile. For 32 KiB that takes half of the processor time, for 8 KiB a fifth more.
SENDFILE_FROM_BYTES = 16 * 1024

#: How many buffers go into one sendmsg at most (the kernel's limit is 1024).
BUFFERS_A_SEND = 64

#: So much of a framed slice is read and sent at a time.
SEND_BUFFER_BYTES = 1024 * 1024

#: A reader that never reads leaves up to 4 MB in the kernel. Once so many links wait for theirs, those
#: that begin a large slice, or go on with one, may have so much unsent there. For others such a limit
#: costs up to 40 % of the speed.
SPARED_UNSENT_BYTES = 128 * 1024
SPARING_FROM_WAITING_LINKS = 48

#: Every link that was accepted begins with the limit, until its remote has proved to read: by more than
#: its own buffers take.
PROVED_BYTES = 1024 * 1024

#: The system's own limit, which is none.
NO_UNSENT_LIMIT = 0

#: A link sends at most so much before others have their turn. A reader on loopback takes it as fast as
#: it is sent: without a limit everybody else waited for the whole file.
SENT_A_TURN_BYTES = 8 * 1024 * 1024

#: Slices from this size on leave in full segments only (TCP_CORK). An acknowledgement makes the kernel
#: send what it has, a whole segment or not; that was a tenth of the processor time for a large file.
CORK_FROM_BYTES = 256 * 1024


class SendingLink(Link):
    """The half of a live link that sends; `LiveLink` is the whole."""

    __slots__ = (
        "_closing",
        "_connecting",
        "_corked",
        "_flush_asked",
        "_had_its_turn",
        "_readable",
        "_sent_bytes",
        "_shut",
        "_sparing",
        "_taken_bytes",
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
        wire: Wire,
        *,
        sparing: bool,
    ) -> None:
        super().__init__(station, link_id, remote)
        self.sock = sock
        self.fileno = sock.fileno()
        self.wire = wire
        self.outbox: deque[tuple[Part, bool]] = deque()
        """What the kernel has not taken yet; whether it is payload."""
        self.stalled_since: float | None = None
        """Since when the remote has not taken enough of what waits for it; None: nothing waits."""
        self._taken_bytes = 0
        """What it had taken then."""
        self._connecting = False
        self._readable = False
        """The kernel may have something to read."""
        self._closing = False
        self._shut = False
        self._corked = False
        self._had_its_turn = False
        """It has sent all that it may in this turn, and more waits."""
        self._flush_asked = False
        self._sent_bytes = 0
        self._sparing = sparing
        """The kernel keeps little unsent for this link; set on the listening socket."""
        self._spare_or_not()

    def fail(self, reason: str, *, violation: bool = False) -> None:
        """End the link at once: the network, or a fault of the remote, has ended it."""
        raise NotImplementedError

    def read(self) -> None:
        """Go on reading, which waited for what was to be sent."""
        raise NotImplementedError

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
            is_payload = payload and (place == last or not isinstance(part, bytes))
            if isinstance(part, FileSlice) and part.nbytes <= SENDFILE_FROM_BYTES:
                try:
                    whole = os.pread(part.file, part.nbytes, part.offset)
                except OSError as error:
                    self.fail(f"cannot read the file: {error.strerror}")
                    return
                if len(whole) != part.nbytes:
                    self.fail("file was truncated")
                    return
            outbox.append((whole, is_payload))
        if payload:
            self.flush()
        elif not self._flush_asked:
            self._flush_asked = True
            self.station.world.flush_soon(self)

    def _spare_or_not(self) -> None:
        """Let the kernel keep much for this link, unless many wait for the same."""
        if self._sparing and self._sent_bytes < PROVED_BYTES:
            return
        sparing = self.station.world.waiting_links >= SPARING_FROM_WAITING_LINKS
        if sparing != self._sparing and not self.station.shaped:
            self._sparing = sparing
            limit_unsent(self.sock, SPARED_UNSENT_BYTES if sparing else NO_UNSENT_LIMIT)

    def answer_at_once(
        self, received_bytes: int, data: bytes, payload_bytes: int, file: FileSlice | None
    ) -> bool:
        """Send bytes past the node, in one call; nothing else waits to be sent. For a shortcut.

        What the kernel does not take waits as anything else does: the node meets a link without room.

        Args:
          received_bytes: What this is the answer to.
          payload_bytes: How much of the data is file content: its end.
          file: What leaves behind the data, by sendfile.

        Returns:
          Whether all is with the kernel. If not, and the link is not down, the rest will follow.
        """
        ledger = self.station.ledger
        ledger.downloaded_wire_bytes += received_bytes
        size = len(data)
        try:
            sent = self.sock.send(data) if file is None else self.sock.send(data, socket.MSG_MORE)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.fail(error.strerror or type(error).__name__)
            return False
        if sent == size and file is None:
            ledger.uploaded_wire_bytes += sent
            ledger.uploaded_payload_bytes += payload_bytes
            self._sent_bytes += sent
            return True
        head_bytes = size - payload_bytes
        self.outbox.append((data[:head_bytes], False))
        if payload_bytes:
            self.outbox.append((memoryview(data)[head_bytes:], True))
        if file is not None:
            self.outbox.append((file, True))
        self._account(sent)
        self.flush()
        return self.has_room and self.fileno >= 0

    def flush(self) -> None:
        """Give the kernel what it takes."""
        self._flush_asked = False
        if self.fileno < 0 or self._connecting or self._had_its_turn:
            return
        outbox = self.outbox
        more = bool(outbox)
        pause_at = self._sent_bytes + SENT_A_TURN_BYTES
        while more:
            if self._sent_bytes >= pause_at:
                self._had_its_turn = True
                self.station.world.flush_next_turn(self)
                break
            try:
                more = self._send_some() and bool(outbox)
            except BlockingIOError:
                break
            except OSError as error:
                self.fail(error.strerror or type(error).__name__)
                return
        if outbox:
            if self.stalled_since is None:
                self.station.world.waiting_links += 1
                self.stalled_since = self.station.clock.now()
                self._taken_bytes = self._sent_bytes - unacknowledged_bytes(self.sock)
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

    def begin_turn(self) -> None:
        """Go on sending: everybody else has had a turn."""
        self._had_its_turn = False
        self._spare_or_not()
        self.flush()

    def is_stalled(self, now: float, seconds: float) -> bool:
        """Whether the remote took too little of what waits for it in so many seconds; looked at often.

        What counts is what it has acknowledged. The kernel makes room by the megabyte, so a slow remote
        that reads all the time would seem to take nothing for minutes.
        """
        if self.stalled_since is None:
            return False
        taken = self._sent_bytes - unacknowledged_bytes(self.sock)
        if taken - self._taken_bytes >= self.station.least_taken_bytes:
            self._taken_bytes = taken
            self.stalled_since = now
        return now - self.stalled_since > seconds

    def _wait_no_more(self) -> None:
        self.stalled_since = None
        self.station.world.waiting_links -= 1

    def _send_some(self) -> bool:
        """Send once. False: the kernel took less than it was offered, and will say when it has room."""
        first = self.outbox[0][0]
        if isinstance(first, FramedSlice):
            framed, offered = first.read(self.station.world.send_buffer)
            sent = self.sock.sendmsg(framed)
            self._account(sent)
            return sent == offered
        if isinstance(first, FileSlice):
            if not self._corked and first.nbytes >= CORK_FROM_BYTES:
                self._corked = cork(self.sock, on=True)
                self._spare_or_not()
            offered = min(first.nbytes, SENT_A_TURN_BYTES)
            sent = os.sendfile(self.fileno, first.file, first.offset, offered)
            if sent < offered and os.fstat(first.file).st_size < first.offset + first.nbytes:
                raise OSError("file was truncated")
            if self._corked and sent == first.nbytes:
                self._corked = cork(self.sock, on=False)
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
            if isinstance(part, FileSlice | FramedSlice):
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
            if isinstance(part, FramedSlice):
                taken = min(part.nbytes - part.sent_bytes, sent)
                sent -= taken
                ledger.uploaded_payload_bytes += part.account(taken)
                if part.sent_bytes == part.nbytes:
                    outbox.popleft()
                continue
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

    def _shut_down(self) -> None:
        if self._shut:
            return
        self._shut = True
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.fail("the remote was faster")
