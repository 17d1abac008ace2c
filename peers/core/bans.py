"""Who is not spoken to any more: peers that sent a corrupt piece, and in the end their hosts.

A peer is known by its id and, if it was dialled, its address. Both are easily changed, its host is
not; but others live at the same host: behind one NAT, or all of them on one machine. So a host is
banned only when peers of it have sent several corrupt pieces.
"""

from __future__ import annotations

from peers.core.session import Session
from peers.limits import Limits
from testbed.node import Address


class Bans:
    """Those that one peer has banned."""

    __slots__ = ("_banned", "_limits", "_strikes")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._strikes: dict[str, int] = {}
        """Corrupt pieces by host."""
        self._banned: frozenset[bytes | Address] = frozenset()
        """Peer ids, and addresses that were dialled."""

    def sent_corrupt_piece(self, session: Session) -> None:
        """A peer sent a whole piece, all by itself, that is not what the torrent says."""
        if not self._limits.ban:
            return
        host = session.remote[0]
        self._strikes[host] = self._strikes.get(host, 0) + 1
        self._banned |= {session.peer_id}
        if session.dialled:
            self._banned |= {session.remote}

    def knows_id(self, peer_id: bytes) -> bool:
        """Whether the peer of this id is banned."""
        return peer_id in self._banned

    def knows_address(self, remote: Address) -> bool:
        """Whether whoever is at this address is banned, by the address or by its host."""
        strikes = self._strikes.get(remote[0], 0)
        return remote in self._banned or strikes >= self._limits.corrupt_pieces_a_host
