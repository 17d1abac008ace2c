"""One connection to another peer, as the peer sees it: phase, flags, pieces, requests both ways.

The phases are a table; a message that is absent from it is a violation by the remote. The four
choke and interest flags are independent booleans, not states.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from peers.messages import (
    AllowedFast,
    Bitfield,
    Block,
    BlockRun,
    Cancel,
    Choke,
    Extended,
    Handshake,
    Have,
    HaveAll,
    HaveMany,
    HaveNone,
    Interested,
    KeepAlive,
    NotInterested,
    Port,
    RejectRequest,
    Request,
    RequestRun,
    SuggestPiece,
    Unchoke,
)
from testbed.node import Address, LinkId


class Phase(Enum):
    """How far a connection has come."""

    AWAITING_HANDSHAKE = "awaiting handshake"
    AWAITING_FIRST = "awaiting first message"
    OPEN = "open"


_ANY_TIME = (
    KeepAlive,
    Choke,
    Unchoke,
    Interested,
    NotInterested,
    Have,
    HaveMany,
    Request,
    RequestRun,
    Block,
    BlockRun,
    Cancel,
    Port,
    SuggestPiece,
    RejectRequest,
    AllowedFast,
    Extended,
)

#: What may arrive in each phase, and the phase it leads to. An absent pair is a violation. BEP 3: a
#: bitfield may only be the first message; BEP 6 adds the two short forms of it.
TRANSITIONS: Mapping[Phase, Mapping[type, Phase]] = {
    Phase.AWAITING_HANDSHAKE: {Handshake: Phase.AWAITING_FIRST},
    Phase.AWAITING_FIRST: {
        **dict.fromkeys((Bitfield, HaveAll, HaveNone), Phase.OPEN),
        **dict.fromkeys(_ANY_TIME, Phase.OPEN),
        # BEP 10 clients may send their extended handshake before the bitfield.
        Extended: Phase.AWAITING_FIRST,
        KeepAlive: Phase.AWAITING_FIRST,
    },
    # aria2 sends either in place of many HAVE messages when it is the shorter.
    Phase.OPEN: dict.fromkeys((*_ANY_TIME, Bitfield, HaveAll), Phase.OPEN),
}

#: BEP 6 messages: from a peer that did not announce the extension they are violations.
FAST_ONLY = frozenset({HaveAll, HaveNone, SuggestPiece, RejectRequest, AllowedFast})


#: What sessions have in place of an empty collection of their own, 3 KB for 20 links. Both stay empty:
#: who adds the first entry makes a new one.
NOTHING_ASKED: dict[tuple[int, int], float] = {}
NOTHING_PROMISED: list[Request | RequestRun] = []


class Session:
    """What is known of one connected peer. Plain state; the peer node decides."""

    __slots__ = (
        "am_choking",
        "am_interested",
        "block_at",
        "dialled",
        "fast",
        "granted",
        "granted_at",
        "granted_piece",
        "heard_at",
        "in_line",
        "last_served",
        "link",
        "one_at_a_time",
        "outstanding",
        "peer_choking",
        "peer_id",
        "peer_interested",
        "phase",
        "pieces",
        "put_off",
        "queue",
        "received_payload_bytes",
        "refused",
        "remote",
        "sent_payload_bytes",
        "slow_until",
        "suggested",
        "takers",
        "told",
        "unanswered",
        "uncounted",
        "untold",
        "writable",
    )

    def __init__(self, link: LinkId, remote: Address, *, dialled: bool, now: float) -> None:
        self.link = link
        self.remote = remote
        self.dialled = dialled
        self.takers: Mapping[type, Any] = {}
        """What the peer does with messages that may come in this phase and do not end it."""
        self.phase = Phase.AWAITING_HANDSHAKE
        self.told: int | None = None
        """Which pieces it was told of before its handshake; None: of none yet."""
        self.peer_id = b""
        self.fast = False
        self.am_choking = True
        self.am_interested = False
        self.peer_choking = True
        self.peer_interested = False
        self.pieces = 0
        """What it has said to have."""
        self.uncounted = 0
        """Those of its pieces that the picker has not counted: all of a peer that came as a seed."""
        self.untold = 0
        """Pieces that we have and it was not told of yet, see `PeerState.tell`."""
        self.outstanding = NOTHING_ASKED
        """Blocks we asked for, (piece, begin) → when, in the order of asking."""
        self.block_at = now
        """When the last block came; later, when it was asked with nothing else under way."""
        self.slow_until = 0.0
        """Until when it is asked for nothing: others were asked for what it was too slow to send."""
        self.unanswered = 0
        """How often in a row what it was asked for did not come in time."""
        self.queue = NOTHING_PROMISED
        """Blocks it asked for and was promised: a few, for which a deque is 600 bytes too large."""
        self.put_off = False
        """It refused what we asked, or was told NOT INTERESTED and so is about to choke: asked at once,
        it would refuse, and two such peers would be asked in turn for ever. So it is not asked before
        it unchokes us anew, or the next tick."""
        self.one_at_a_time = True
        """It is asked for one piece when it unchokes: others wait for it, or nothing is known."""
        self.writable = True
        self.granted = False
        """It is being served: it may ask, or what it asked for is still being sent."""
        self.granted_at = 0.0
        self.granted_piece = -1
        """The piece its grant is being used for."""
        self.refused = 0
        """Requests beyond its grant that were refused since it was granted."""
        self.in_line = False
        """It has a place in the line of those who wait to be served."""
        self.last_served = 0.0
        """Number of the grant it last had; the smallest is served next."""
        self.suggested = 0
        """The piece it would rather send (BEP 6), as a set."""
        self.received_payload_bytes = 0
        self.sent_payload_bytes = 0
        self.heard_at = now

    def could_use(self, ours: int) -> bool:
        """Whether it would have something to ask for, of our pieces, if it were unchoked."""
        return self.peer_interested and self.phase is Phase.OPEN and bool(ours & ~self.pieces)
