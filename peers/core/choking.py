"""Whom to serve, in the ways of other clients: a number of unchoke slots, or everybody.

Unlike a grant, an unchoke here is for as many pieces as its peer asks for, until it is choked. The
uplink is shared between those who are unchoked, block by block in turn. Policies to compare with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from peers.core.session import Session
from testbed.node import LinkId

#: BEP 3: who is choked changes once in ten seconds, so that TCP has time to reach its rate.
REVIEW_SECONDS = 10.0

#: Rates are those of the last 20 s, two reviews.
RATE_REVIEWS = 2

#: BEP 3: the optimistic unchoke rotates every 30 s, three reviews.
OPTIMISTIC_REVIEWS = 3

#: BEP 3: new connections are three times as likely to be the optimistic unchoke.
NEWCOMER_WEIGHT = 3


class Everybody:
    """Unchokes all who are interested."""

    shares_blocks = True
    suggests = False

    def __init__(self) -> None:
        self.granted: list[Session] = []
        """Those who are unchoked, or were until now and are still owed blocks; in order of turns."""

    def newcomer(self, session: Session) -> None:
        """A peer has come."""

    def wants(self, session: Session) -> None:
        """A peer has become interested."""

    def waiting(self, sessions: Iterable[Session], ours: int) -> Session | None:
        """Say who is to be unchoked next."""
        for session in sessions:
            if session.am_choking and not session.granted and session.could_use(ours):
                return session
        return None

    def anybody_waits(self, sessions: Iterable[Session], ours: int) -> bool:
        """Whether `waiting` would name somebody."""
        return self.waiting(sessions, ours) is not None

    def room(self, now: float) -> bool:
        """Whether one more may be unchoked, if one is waiting."""
        return True

    def surplus(self, sessions: Iterable[Session], now: float, *, seeding: bool) -> Sequence[Session]:
        """Say who is to be choked."""
        return ()

    def grant(self, session: Session, now: float) -> None:
        """Serve this peer from now on."""
        session.granted = True
        session.granted_at = now
        session.granted_piece = -1
        session.refused = 0
        self.granted.append(session)

    def rotate(self, session: Session) -> None:
        """A block is on its way: the others come before its next."""
        self.granted.remove(session)
        self.granted.append(session)

    def end(self, session: Session) -> None:
        """The peer is choked and owed nothing, or gone."""
        if session.granted:
            session.granted = False
            self.granted.remove(session)


class UnchokeSlots(Everybody):
    """Tit for tat (BEP 3): those who send us most, and one more to find out whether it sends more.

    Of `slots` peers that are interested and unchoked, all but one are those that we received most from
    in the last 20 s; or sent most to, of a peer that has the whole file. The last is the optimistic
    unchoke: a random one, another every 30 s. Who has become interested and has the better rate takes
    the place of the worst at once; otherwise places change every 10 s.
    """

    def __init__(self, slots: int, rng: Random) -> None:
        super().__init__()
        self._slots = slots
        self._rng = rng
        self._reviews = 0
        self._next_review: float | None = None
        self._optimistic: LinkId | None = None
        self._newcomers: set[LinkId] = set()
        self._marks: list[dict[LinkId, tuple[int, int]]] = []
        """Bytes received from and sent to each peer until the last reviews, the oldest first."""
        self._rates: dict[LinkId, int] = {}
        """Bytes in the last window; unknown peers have none."""

    def newcomer(self, session: Session) -> None:
        """A peer has come."""
        session.last_served = self._rng.random()  # Among equals the order is random, and stays.
        self._newcomers.add(session.link)

    def waiting(self, sessions: Iterable[Session], ours: int) -> Session | None:
        """Say who is to be unchoked next: nobody while all slots are taken."""
        if sum(not session.am_choking for session in self.granted) >= self._slots:
            return None
        waiting = [
            session
            for session in sessions
            if session.am_choking and not session.granted and session.could_use(ours)
        ]
        for session in waiting:
            if session.link == self._optimistic:
                return session
        return max(waiting, key=self._rank, default=None)

    def surplus(self, sessions: Iterable[Session], now: float, *, seeding: bool) -> Sequence[Session]:
        """Say who is to be choked, because others have the better claim to a slot."""
        interested = [session for session in sessions if session.peer_interested]
        if self._next_review is None or now >= self._next_review:
            self._next_review = now + REVIEW_SECONDS
            self._review(sessions, interested, seeding=seeding)
        if self._optimistic not in {session.link for session in interested}:
            self._choose_optimistic(interested)
        best = sorted(interested, key=self._rank, reverse=True)
        regular = [session for session in best if session.link != self._optimistic]
        kept = {session.link for session in regular[: self._slots - 1]} | {self._optimistic}
        unchoked = [session for session in self.granted if not session.am_choking]
        # One that is uninterested takes no slot; it is choked when it says so.
        return [session for session in unchoked if session.link not in kept]

    def _rank(self, session: Session) -> tuple[int, bool, float]:
        return self._rates.get(session.link, 0), not session.am_choking, session.last_served

    def _review(self, sessions: Iterable[Session], interested: list[Session], *, seeding: bool) -> None:
        """Look at the rates anew, and at every third time at the optimistic unchoke."""
        marks = {
            session.link: (session.received_payload_bytes, session.sent_payload_bytes)
            for session in sessions
        }
        before = self._marks[0] if self._marks else {}
        way = 1 if seeding else 0
        self._rates = {
            link: total[way] - before.get(link, (0, 0))[way] for link, total in marks.items()
        }
        self._marks.append(marks)
        del self._marks[:-RATE_REVIEWS]
        if self._reviews % OPTIMISTIC_REVIEWS == 0:
            self._choose_optimistic(interested)
        self._reviews += 1

    def _choose_optimistic(self, interested: list[Session]) -> None:
        """Choose among those who would have no slot by their rate."""
        best = sorted(interested, key=self._rank, reverse=True)
        others = best[self._slots - 1 :]
        if not others:
            self._optimistic = None
            return
        weights = [NEWCOMER_WEIGHT if other.link in self._newcomers else 1 for other in others]
        [chosen] = self._rng.choices(others, weights)
        self._optimistic = chosen.link
        self._newcomers.clear()
