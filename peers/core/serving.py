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
from random import Random
from typing import Protocol

from peers.core.session import Session
from peers.core.state import PATIENCE_SECONDS

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

    def newcomer(self, session: Session) -> None:
        """Place a peer that was never served: before all that were, in random order."""
        session.last_served = self._rng.random() - 1.0

    def waiting(self, sessions: Iterable[Session], ours: int) -> Session | None:
        """Say who is next among those who want something and are not being served."""
        best: Session | None = None
        best_step, best_served, step_size = 0, 0.0, self._step
        for session in sessions:
            if session.am_choking and not session.granted:
                pieces, served = session.pieces, session.last_served
                step = pieces.bit_count() // step_size
                if best is not None and (
                    step > best_step or (step == best_step and served >= best_served)
                ):
                    continue
                if session.could_use(ours):
                    best, best_step, best_served = session, step, served
        return best

    def anybody_waits(self, sessions: Iterable[Session], ours: int) -> bool:
        """Whether `waiting` would name somebody."""
        for session in sessions:
            if session.am_choking and not session.granted and session.could_use(ours):
                return True
        return False

    def room(self, now: float) -> bool:
        """Whether another grant is needed to keep the uplink full."""
        granted = self.granted
        if len(granted) < self._wanted:
            return True
        if len(granted) >= self._wanted * OVERCOMMIT:
            return False
        in_use = 0
        since = now - self._patience_seconds
        for session in granted:
            if session.writable if session.queue else session.granted_at > since:
                in_use += 1
                if in_use == self._wanted:
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
        session.refused = False
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
