"""Sockets as the testbed wants them: small buffers where shaped, one congestion control for all.

Linux: each node has a loopback address of its own (all of 127/8 is local), and congestion control
is chosen per socket. Elsewhere nodes share 127.0.0.1 and the system's congestion control.
"""

from __future__ import annotations

import contextlib
import fcntl
import resource
import socket
import sys
import termios

from testbed.node import Address, NodeId

#: The kernel doubles what is asked for. Default buffers hide about 3 MB for each connection: the
#: sender "has finished" 3 MB before the receiver has. Set before listen and before connect, or the
#: window scale is fixed already.
SHAPED_BUFFER_BYTES = 32 * 1024

#: Some systems default to BBR, which paces even on loopback. After accept it is too late to change.
CONGESTION_CONTROL = b"cubic"

LISTEN_BACKLOG = 1024


def new_socket(*, shaped: bool, host: str = "") -> socket.socket:
    """Make a TCP socket with the testbed's options; not connected, not blocking.

    `host`: where it will listen or connect to. An IPv6 address has a colon, and a family of its own.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if shaped:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SHAPED_BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SHAPED_BUFFER_BYTES)
    congestion = getattr(socket, "TCP_CONGESTION", None)
    if congestion is not None:
        # A kernel that lacks it uses its own, which the environment in run.json names.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, congestion, CONGESTION_CONTROL)
    return sock


def listen(address: Address, *, shaped: bool, shares_port: bool = False) -> socket.socket:
    """Listen at an address; port 0 takes a free one.

    Args:
      shares_port: Others of this user may listen there too; each gets a part of the connections.

    Raises:
      OSError: the port is in use, or the address is not this machine's.
    """
    sock = new_socket(shaped=shaped, host=address[0])
    try:
        if shares_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:  # IPv4 comes by its own name, not as a kind of IPv6.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(LISTEN_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def hold_port(address: Address) -> socket.socket:
    """Take a port that others of this user may listen at, and do not listen; port 0 takes a free one.

    Raises:
      OSError: the port is in use by somebody who does not share it.
    """
    sock = new_socket(shaped=False, host=address[0])
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)  # Without sharing first: a host that is there already is not joined.
    except BaseException:
        sock.close()
        raise
    shared = new_socket(shaped=False, host=address[0])
    try:
        taken = sock.getsockname()[:2]
        sock.close()
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(taken)
    except BaseException:
        shared.close()
        raise
    return shared


def limit_unsent(sock: socket.socket, size_bytes: int) -> None:
    """Let the kernel take no more that is not sent yet than this; 0 for no limit of ours.

    Of a listening socket it holds for what it accepts. Systems without the option take what they take.
    """
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, option, size_bytes)


def cork(sock: socket.socket, *, on: bool) -> bool:
    """Send nothing but full segments until it is taken off; gives whether it is on.

    Systems without the option send as they please.

    Raises:
      OSError: the socket is not connected any more.
    """
    option = getattr(socket, "TCP_CORK", None)
    if option is not None:
        sock.setsockopt(socket.IPPROTO_TCP, option, on)
    return on and option is not None


def unacknowledged_bytes(sock: socket.socket) -> int:
    """How much of what was given to the kernel the remote has not taken yet; 0 where none can tell."""
    answer = bytearray(4)
    try:
        fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, answer)  # SIOCOUTQ has the same number.
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder)


def loopback_host(node_id: NodeId) -> str:
    """Give a node an address of its own where the system has them, so that addresses can differ."""
    if not sys.platform.startswith("linux"):
        return "127.0.0.1"
    high, low = divmod(node_id + 1, 250)
    return f"127.77.{high}.{low + 1}"


def raise_open_file_limit(wanted: int) -> int:
    """Raise the limit on open files as far as needed and allowed; give the limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, max(soft, hard)))
        except (ValueError, OSError):
            soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return soft
