"""Whom to serve: the contract of all serving policies, and the default, rotating grants.

An uplink that is split among many pieces finishes none of them soon, and a piece can be passed on
only when it is whole. So uploads are served piece by piece: as few grants at a time as keep the
uplink full, each used up before the next peer, the least recently served, gets its turn.
Simulated, this reaches 97-98 % of the ramp-up bound; four unchoke slots .72-.82; everybody unchoked
.39-.77.

On the wire a grant is an UNCHOKE. It is used up when one piece was asked for: a peer with the fast
extension (BEP 6) is choked at that moment, because a choke no longer cancels what was asked; any
other when the last block has been sent. While nobody else waits, grants go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush, heapreplace
from random import Random
from typing import Protocol

from peers.core.session import Session
from peers.core.state import PATIENCE_SECONDS
from testbed.node import LinkId

#: Peers are served in this many classes by how far they have come.
STEPS = 10

#: However many grants lie unused, there are at most this many times the configured number.
OVERCOMMIT = 4


class Serving(Protocol):
    """Decides who is unchoked. `upload` tells it what happens, and does what it decides."""

    granted: list[Session]
    """Those being served, in the order in which their next blocks are sent: unchoked, or choked since
    and still owed blocks."""
    shares_blocks: bool
    """Whether the uplink goes to another peer after each block."""
    suggests: bool
    """Whether an unchoke is for one piece, so that it can come with a suggestion which."""

    def newcomer(self, session: Session) -> None:
        """A peer has come."""

    def wants(self, session: Session) -> None:
        """A peer has become interested."""

    def waiting(self, sessions: Iterable[Session], ours: int) -> Session | None:
        """Say who is to be unchoked next, if there is room."""

    def anybody_waits(self, sessions: Iterable[Session], ours: int) -> bool:
        """Whether `waiting` would name somebody."""

    def room(self, now: float) -> bool:
        """Whether one more may be unchoked."""

    def surplus(self, sessions: Iterable[Session], now: float, *, seeding: bool) -> Sequence[Session]:
        """Say who is to be choked. Asked when somebody becomes interested, and twice a second."""

    def grant(self, session: Session, now: float) -> None:
        """Serve this peer from now on."""

    def rotate(self, session: Session) -> None:
        """Put this peer behind the others that are served."""

    def end(self, session: Session) -> None:
        """Serve this peer no more: choked and owed nothing, or gone."""


class RotatingGrants:
    """Keeps `grants` grants in use and gives the next to the least recently served."""

    shares_blocks = False
    suggests = True

    __slots__ = (
        "_line",
        "_number",
        "_patience_seconds",
        "_rng",
        "_step",
        "_wanted",
        "granted",
    )

    def __init__(
        self, grants: int, pieces: int, rng: Random, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._wanted = grants
        self._patience_seconds = patience_seconds
        self._step = max(1, pieces // STEPS)
        self._rng = rng
        self._number = 0
        self.granted: list[Session] = []
        """Those being served, in the order in which their next blocks are sent."""
        self._line: list[tuple[int, float, LinkId, Session]] = []
        """A heap of those who wait, by how far they have come and when they were last served."""

    def newcomer(self, session: Session) -> None:
        """Place a peer that was never served: before all that were, in random order."""
        session.last_served = self._rng.random() - 1.0

    def wants(self, session: Session) -> None:
        """Take it into the line, unless it is there."""
        if not session.in_line:
            session.in_line = True
            step = session.pieces.bit_count() // self._step
            heappush(self._line, (step, session.last_served, session.link, session))

    def waiting(self, sessions: Iterable[Session], ours: int) -> Session | None:
        """Say who is next among those who want something and are not being served."""
        # The line is not kept up to date: each place in it is looked at when it comes to the front. A
        # walk over all sessions for each choice costs 1,000 bytecodes for each block.
        line, step_size = self._line, self._step
        passed_over: list[tuple[int, float, LinkId, Session]] = []
        found: Session | None = None
        while line:
            place = line[0]
            session = place[3]
            if session.granted or not (session.am_choking and session.peer_interested):
                heappop(line)
                session.in_line = False
                continue
            step = session.pieces.bit_count() // step_size
            if step != place[0] or session.last_served != place[1]:
                heapreplace(line, (step, session.last_served, session.link, session))
                continue
            if ours & ~session.pieces:
                found = session
                break
            passed_over.append(heappop(line))
        for place in passed_over:
            heappush(line, place)
        return found

    def anybody_waits(self, sessions: Iterable[Session], ours: int) -> bool:
        """Whether `waiting` would name somebody."""
        return self.waiting(sessions, ours) is not None

    def room(self, now: float) -> bool:
        """Whether another grant is needed to keep the uplink full."""
        granted, missing = self.granted, self._wanted
        if len(granted) < missing:
            return True
        if len(granted) >= missing * OVERCOMMIT:
            return False
        since = now - self._patience_seconds
        for session in granted:
            if session.writable if session.queue else session.granted_at > since:
                missing -= 1
                if not missing:
                    return False
        return True

    def surplus(self, sessions: Iterable[Session], now: float, *, seeding: bool) -> Sequence[Session]:
        """Nobody: a grant ends by itself."""
        return ()

    def grant(self, session: Session, now: float) -> None:
        """Serve this peer from now on."""
        self._number += 1
        session.last_served = self._number
        session.granted = True
        session.granted_at = now
        session.granted_piece = -1
        session.refused = 0
        self.granted.append(session)

    def rotate(self, session: Session) -> None:
        """A piece is done and nobody waits: the others who are served come before its next."""
        self.granted.remove(session)
        self.granted.append(session)

    def end(self, session: Session) -> None:
        """The grant is used up, lapsed or the peer gone."""
        if session.granted:
            session.granted = False
            self.granted.remove(session)
            if session.peer_interested:
                self.wants(session)
