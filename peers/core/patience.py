"""How long a peer waits for others: what it is owed in time, and who is of no use.

Pure questions about sessions; what follows from the answers is done by the peer.
"""

from __future__ import annotations

from collections.abc import Iterable

from peers.core.session import Phase, Session
from peers.core.state import PeerConfig

TALKING = 3
"""A peer that talks, but sends no block, has so many times as long for its answer as a silent one: on
the slowest lines anybody has, 5 KB/s shared by 16, a block takes 50 s."""


def ends_for(session: Session, config: PeerConfig, now: float) -> str:
    """Why a link ends because nothing came; empty: it goes on."""
    silent = now - session.heard_at
    if session.phase is Phase.AWAITING_HANDSHAKE and silent > config.limits.handshake_seconds:
        return "no handshake"
    return "silent" if silent > config.limits.silence_seconds else ""


def calm_seconds(config: PeerConfig) -> float:
    """How long after its last word there is nothing to look after in a quiet session."""
    limits = config.limits
    return min(limits.handshake_seconds, limits.silence_seconds, config.request_seconds)


def may_be_asked(session: Session, config: PeerConfig, now: float) -> bool:
    """Whether a peer that was put off may be asked again: who did not answer first has to speak."""
    answers = not session.unanswered or now - session.heard_at <= config.request_seconds
    return now >= session.slow_until and answers


def has_lapsed(session: Session, config: PeerConfig, now: float) -> bool:
    """Whether what a peer was asked for is overdue."""
    if not session.outstanding:
        return False
    longest = config.request_seconds
    silent = now - session.heard_at > longest
    stuck = now - session.block_at > TALKING * longest
    return (silent or stuck) and now - min(session.outstanding.values()) > longest


def of_least_use(sessions: Iterable[Session], config: PeerConfig, now: float) -> Session | None:
    """The neighbour that wants nothing and has nothing that is wanted, idle longest and too long."""
    since = now - config.limits.idle_seconds
    useless: Session | None = None
    for session in sessions:
        wanted = session.am_interested or session.peer_interested
        last = max(session.block_at, session.granted_at)
        if not wanted and last < since:
            useless, since = session, last
    return useless
