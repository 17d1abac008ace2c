"""The announce with which a peer that runs by hand takes itself off its tracker's list.

`PeerNode` does not send it: in a measured trial all nodes stop at once, at the end.
"""

from __future__ import annotations

import trio

from peers.announce import AnnounceRequest
from testbed.node import Address


async def say_stopped(
    tracker: Address, announce_path: str, request: AnnounceRequest, local_host: str
) -> None:
    """Send one announce and wait until the tracker has taken note; one that is gone keeps no list.

    Args:
      request: The announce, with event `stopped`.
      local_host: Where the peer lives: a tracker knows it by the host that announces come from.
    """
    host, port = tracker
    text = (
        f"GET {announce_path}?{request.to_query()} HTTP/1.1\r\n"
        f"Host: {host}:{port}\r\nConnection: close\r\n\r\n"
    )
    try:
        async with await trio.open_tcp_stream(host, port, local_address=local_host) as stream:
            await stream.send_all(text.encode("ascii"))
            await stream.receive_some(1)
    except (OSError, trio.BrokenResourceError):
        return
