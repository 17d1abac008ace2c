"""The announce with which a peer that runs by hand takes itself off its tracker's list.

`PeerNode` does not send it: in a measured trial all nodes stop at once, at the end.
"""

from __future__ import annotations

import random
import secrets

import trio

from peers.announce import AnnounceError, AnnounceRequest
from peers.plan import TrackerPlace
from peers.udp_link import datagram_socket
from peers.udp_tracker import MAX_DATAGRAM_BYTES, UdpAnnounce


async def say_stopped(tracker: TrackerPlace, request: AnnounceRequest, local_host: str) -> None:
    """Send one announce and wait until the tracker has taken note; one that is gone keeps no list.

    Args:
      tracker: Where to send it.
      request: The announce, with event `stopped`.
      local_host: Where the peer lives: a tracker knows it by the host that announces come from.
    """
    try:
        if tracker.udp:
            await _over_udp(tracker, request, local_host)
        else:
            await _over_http(tracker, request, local_host)
    except (OSError, trio.BrokenResourceError, AnnounceError):
        return


async def _over_http(tracker: TrackerPlace, request: AnnounceRequest, local_host: str) -> None:
    host, port = tracker.address
    named = f"[{host}]" if ":" in host else host
    text = (
        f"GET {tracker.path}?{request.to_query()} HTTP/1.1\r\n"
        f"Host: {named}:{port}\r\nConnection: close\r\n\r\n"
    )
    same_family = (":" in local_host) == (":" in host)
    local = local_host if same_family else None
    async with await trio.open_tcp_stream(host, port, local_address=local) as stream:
        await stream.send_all(text.encode("ascii"))
        await stream.receive_some(1)


async def _over_udp(tracker: TrackerPlace, request: AnnounceRequest, local_host: str) -> None:
    announce = UdpAnnounce(request, tracker.address, random.Random(secrets.randbits(64)))
    with trio.socket.from_stdlib_socket(datagram_socket(tracker.address, local_host)) as sock:
        await sock.send(announce.first())
        while announce.response is None:
            reply = announce.take(await sock.recv(MAX_DATAGRAM_BYTES))
            if reply is not None:
                await sock.send(reply)
