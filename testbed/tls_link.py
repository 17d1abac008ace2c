"""A live connection under TLS, by the standard library's `ssl`; only for the accepting side.

Everything else of a link stays as it is: the socket below is replaced by one that speaks TLS, and
payload is read and encrypted in parts instead of leaving by sendfile. The handshake happens with the
first reads and writes; a client that does not come to its end has no request sent, and is timed out
by the node like any other.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import ssl
from pathlib import Path

from testbed.errors import LocalMisuse
from testbed.live import LiveStation
from testbed.live_link import LiveLink
from testbed.node import Address, FileSlice, LinkId
from testbed.wire import FramedSlice

#: What is encrypted at a time: four records of TLS.
ENCRYPT_BYTES = 64 * 1024


def server_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """Make the TLS settings of a server: TLS 1.2 and later, HTTP/1.1.

    Args:
      certificate: PEM, with the chain, and the private key too if `key` is None.

    Raises:
      OSError: a file cannot be read, or is no certificate or key, or the two do not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # A key with a password would otherwise ask for it on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        what = f"expected a certificate and its key in PEM: {error.reason or 'there is none'}"
        raise OSError(errno.EINVAL, what, str(certificate)) from None
    return context


class TlsSocket:
    """A connected socket under TLS that blocks and fails as plain ones do."""

    def __init__(self, context: ssl.SSLContext, sock: socket.socket) -> None:
        """Take over a socket.

        Raises:
          OSError: the remote is gone already; the socket is closed.
        """
        self._sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._sock.setblocking(False)

    def fileno(self) -> int:
        """The descriptor below."""
        return self._sock.fileno()

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Set an option of the socket below."""
        self._sock.setsockopt(level, option, value)

    def recv_into(self, buffer: memoryview, limit: int) -> int:
        """Read until there is nothing more or the limit is reached; one record is 16 KiB at most.

        Raises:
          BlockingIOError: nothing has arrived.
          OSError: the connection, or its TLS, is broken.
        """
        count = 0
        while count < limit:
            try:
                read = self._sock.recv_into(buffer[count:limit])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if count:
                    return count
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
            except ssl.SSLError as error:
                if count:
                    return count  # The next read says it again.
                raise _broken(error) from None
            if not read:
                return count
            count += read
        return count

    def send(self, data: bytes | bytearray) -> int:
        """Encrypt and send all of it.

        Raises:
          BlockingIOError: it did not go out, or not all of it. The next call must begin with the
            same bytes: a part of them is encrypted already.
          OSError: the connection, or its TLS, is broken.
        """
        try:
            return self._sock.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
        except ssl.SSLError as error:
            raise _broken(error) from None

    def shutdown(self, how: int) -> None:
        """Say that no more will come, in TLS and below it.

        Raises:
          OSError: the remote was faster.
        """
        with contextlib.suppress(OSError, ValueError):
            self._sock.unwrap()  # Sends our end; that the remote's has not come is an error here.
        socket.socket.shutdown(self._sock, how)

    def close(self) -> None:
        """Close the socket below."""
        self._sock.close()


def _broken(error: ssl.SSLError) -> OSError:
    return OSError(errno.EPROTO, f"TLS failed: {error.reason or type(error).__name__}")


class TlsLink(LiveLink):
    """The accepting end of a connection under TLS."""

    __slots__ = ()

    def on_news(self, mask: int) -> None:
        """Take epoll's word. Under TLS a read may have waited for room to write."""
        super().on_news(mask | select.EPOLLIN if mask & select.EPOLLOUT else mask)

    def read(self) -> None:
        """Read, and write if that had waited for something to be read: the handshake."""
        super().read()
        if self.outbox and self.fileno >= 0:
            self.flush()

    def _send_some(self) -> bool:
        data = bytearray()
        for part, _ in self.outbox:
            if isinstance(part, FramedSlice):
                raise LocalMisuse("only HTTP goes over TLS, and it has no framed slices")
            if isinstance(part, FileSlice):
                wanted = min(part.nbytes, ENCRYPT_BYTES - len(data))
                read = os.pread(part.file, wanted, part.offset)
                if len(read) < wanted:
                    raise OSError(errno.EIO, "file was truncated")
                data += read
            else:
                data += memoryview(part)[: ENCRYPT_BYTES - len(data)]
            if len(data) >= ENCRYPT_BYTES:
                break
        self._account(self.sock.send(data))
        return True


def accept_tls(station: LiveStation, context: ssl.SSLContext) -> None:
    """Let a station speak TLS on every connection that it accepts from now on."""

    def link(
        station: LiveStation,
        link_id: LinkId,
        remote: Address,
        sock: socket.socket,
        wire: str,
        *,
        dialled: bool,
    ) -> TlsLink:
        # All that a link asks of a socket once it is connected.
        encrypted: socket.socket = TlsSocket(context, sock)  # type: ignore[assignment]
        return TlsLink(station, link_id, remote, encrypted, wire, dialled=dialled)

    station.accepted_link = link
