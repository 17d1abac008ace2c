"""How a peer meets others: it announces itself to the tracker and dials those it is told of.

The tracker is spoken to over HTTP on a link of its own, one announce a link. It introduces; it is
not needed once peers are connected: a tracker that does not answer is asked again, ever more rarely,
while the swarm goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from peers.announce import AnnounceError, AnnounceRequest, AnnounceResponse
from peers.core.session import Session
from peers.priority import canonical_priority
from servers.http1 import Request, ResponseHead
from testbed.node import Address, Dial, Effect, HangUp, LinkId, Send

if TYPE_CHECKING:
    from peers.core.state import PeerConfig

#: First pause after a tracker that did not answer; doubled each time, to the longest.
RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0

#: A tracker that has not answered by then counts as one that does not.
ANNOUNCE_SECONDS = 15.0

#: Who arrives with a crowd is told only of those who came before. If everybody dialled those, the
#: first would have all the links and the last the fewest, and finish last. So a newcomer dials a few,
#: and fills up from a second answer, a moment later, that names the whole crowd.
FIRST_DIALS = 4
SECOND_LOOK_SECONDS = 0.1

#: A peer with too few neighbours asks again this soon, and each time twice as late.
LONELY_SECONDS = 2.0

#: Addresses kept for later; a tracker that tells of more is believed so far.
KNOWN_LIMIT = 500

PEER_WIRE = "peer"
TRACKER_WIRE = "tracker"


class Introduction:
    """Whom to announce to, and whom to dial."""

    __slots__ = (
        "_address",
        "_announce_at",
        "_asked_at",
        "_config",
        "_dialling",
        "_event",
        "_heard",
        "_info_hash",
        "_known",
        "_lonely_seconds",
        "_looks",
        "_reached",
        "_retry_seconds",
        "_sent_event",
        "_tracker_busy",
        "_tracker_link",
        "failure",
    )

    def __init__(self, config: PeerConfig, info_hash: bytes) -> None:
        self._config = config
        self._info_hash = info_hash
        self._address: Address = ("", 0)
        self._announce_at = 0.0
        self._event = self._sent_event = "started"
        self._retry_seconds = RETRY_SECONDS
        self._looks = 0
        self._lonely_seconds = LONELY_SECONDS
        self._tracker_busy = False
        self._tracker_link: LinkId | None = None
        self._asked_at = 0.0
        self._known: list[Address] = []
        """Whom the tracker told of, the last of them to be dialled first."""
        self._heard: dict[Address, int] = {}
        """Addresses that neighbours told of, with their canonical priorities."""
        self._dialling: dict[Address, None] = {}
        self._reached: dict[Address, None] = {}
        """Where a link was open at least once, and no dial has failed since."""
        self.failure = ""
        """What the tracker said was wrong, last."""

    @property
    def due(self) -> float:
        """When the next announce is due."""
        return self._announce_at

    def started(self, address: Address, now: float) -> None:
        """The peer lives at this address and may announce itself from now on."""
        self._address = address
        self._announce_at = now
        self.told_of(self._config.known_peers)

    def completed(self) -> None:
        """The download is whole: the tracker hears of it (BEP 3, event `completed`)."""
        self._event = "completed"
        self._announce_at = 0.0

    def orders(self, sessions: Iterable[Session], now: float, *, leeching: bool) -> list[Effect]:
        """Dial the tracker if an announce is due, and as many peers as are missing."""
        out: list[Effect] = []
        tracker = self._config.tracker
        link = self._tracker_link
        if link is not None and now - self._asked_at > ANNOUNCE_SECONDS:
            out.append(HangUp(link, "no answer"))
            self.tracker_down(link, now)
        if tracker is not None and not self._tracker_busy and now >= self._announce_at:
            self._tracker_busy = True
            out.append(Dial(tracker, TRACKER_WIRE))
        if not leeching or not (self._known or self._heard):
            return out
        links = list(sessions)
        # Half of a peer's links are its own dials: so later comers find room at earlier ones.
        dials = max(1, self._config.neighbours // 2)
        # No second answer is to come without a tracker, or of one that has failed.
        tells_more = tracker is not None and self._retry_seconds == RETRY_SECONDS
        if self._looks < 2 and tells_more:
            dials = min(dials, FIRST_DIALS)
        dials -= sum(session.dialled for session in links) + len(self._dialling)
        room = self._config.neighbours - len(links) - len(self._dialling)
        linked = {session.remote for session in links if session.dialled}
        while (self._known or self._heard) and dials > 0 and room > 0:
            remote = self._known.pop() if self._known else self._best_heard()
            if remote in linked or remote in self._dialling or remote == self._address:
                continue
            self._dialling[remote] = None
            out.append(Dial(remote, PEER_WIRE))
            dials -= 1
            room -= 1
        return out

    def told_of(self, addresses: Iterable[Address]) -> None:
        """A neighbour, or the user, knows of these peers. They come after those of the tracker."""
        for address in addresses:
            if len(self._heard) < KNOWN_LIMIT and address not in self._heard:
                self._heard[address] = canonical_priority(self._address, address)

    @property
    def known_addresses(self) -> list[Address]:
        """Where others live, as far as is known: those it has reached first."""
        return [*self._reached, *self._dialling, *reversed(self._known), *self._heard]

    def _best_heard(self) -> Address:
        """Take the address of the highest priority (BEP 40): its peer thinks the same of us."""
        best = max(self._heard, key=self._heard.__getitem__)
        del self._heard[best]
        return best

    def dialled(self, remote: Address, *, reached: bool = False) -> None:
        """A dial has come to an end, either way; or a link that somebody else dialled is open."""
        self._dialling.pop(remote, None)
        if reached:
            if len(self._reached) < KNOWN_LIMIT:
                self._reached[remote] = None
        else:
            self._reached.pop(remote, None)

    # --- The tracker ------------------------------------------------------------------------

    def tracker_up(self, link: LinkId, peer_id: bytes, left_bytes: int, now: float) -> list[Effect]:
        """Say hello to the tracker."""
        self._tracker_link = link
        self._asked_at = now
        self._sent_event = self._event
        request = AnnounceRequest(
            info_hash=self._info_hash,
            peer_id=peer_id,
            port=self._address[1],
            left=left_bytes,
            event=self._event,
        )
        tracker = self._config.tracker
        host = f"{tracker[0]}:{tracker[1]}" if tracker is not None else ""
        target = f"{self._config.announce_path}?{request.to_query()}"
        return [Send(link, Request("GET", target, (("Host", host), ("Connection", "close"))))]

    def tracker_answered(self, link: LinkId, message: object, links: int, now: float) -> bool:
        """Take what arrived on a link that is no peer's. True: the tracker has answered.

        `links`: how many peers are connected already.
        """
        if link != self._tracker_link or not isinstance(message, ResponseHead):
            return False
        self._tracker_link = None
        self._tracker_busy = False
        try:
            answer = AnnounceResponse.decode(message.content)
        except AnnounceError as error:
            self.failure = str(error)
            self._try_again(now)
            return True
        if answer.failure_reason:
            self.failure = answer.failure_reason
            self._try_again(now)
            return True
        self.failure = ""
        self._retry_seconds = RETRY_SECONDS
        self._looks += 1
        self._announce_at = now + self._next_announce(answer.interval_seconds, links)
        if self._event == self._sent_event:
            self._event = ""
        else:
            self._announce_at = now  # The download was completed while this announce was under way.
        self._known = list(reversed(answer.peers[:KNOWN_LIMIT]))
        return True

    def _next_announce(self, interval_seconds: float, links: int) -> float:
        if self._looks == 1:
            return SECOND_LOOK_SECONDS
        if links >= self._config.neighbours // 2:
            return interval_seconds
        self._lonely_seconds *= 2
        return min(self._lonely_seconds, interval_seconds)

    def tracker_down(self, link: LinkId, now: float) -> None:
        """A link that is no peer's has ended; without an answer, ask again later."""
        if link == self._tracker_link:
            self._tracker_link = None
            self.tracker_failed(now)

    def tracker_failed(self, now: float) -> None:
        """Nobody answered: ask again after a pause."""
        self._tracker_busy = False
        self._try_again(now)

    def _try_again(self, now: float) -> None:
        # Who was full, or left and is back, may be found where it was.
        self.told_of(self._reached)
        self._announce_at = now + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, LONGEST_RETRY_SECONDS)
