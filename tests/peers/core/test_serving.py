"""Who is served next."""

from random import Random

import pytest

from peers import messages as m
from peers.core.bitfield import PieceSpace
from peers.core.serving import OVERCOMMIT, RotatingGrants
from peers.core.session import Phase, Session
from peers.core.state import PATIENCE_SECONDS
from testbed.node import LinkId

SPACE = PieceSpace(20)


@pytest.fixture
def grants() -> RotatingGrants:
    return RotatingGrants(2, SPACE.count, Random(0))


def session(grants: RotatingGrants, number: int, pieces: int = 0) -> Session:
    """A peer that wants something."""
    made = Session(LinkId(number), (f"10.0.0.{number}", 6881), dialled=False, now=0.0)
    made.phase = Phase.OPEN
    made.peer_interested = True
    made.pieces = sum(SPACE.bits[index] for index in range(pieces))
    grants.newcomer(made)
    grants.wants(made)
    return made


def serve_next(grants: RotatingGrants, sessions: list[Session], now: float = 0.0) -> Session:
    """Give and use up one grant."""
    chosen = grants.waiting(sessions, SPACE.all)
    assert chosen is not None
    grants.grant(chosen, now)
    grants.end(chosen)
    return chosen


def test_equally_far_peers_are_served_in_turn(grants):
    sessions = [session(grants, number) for number in range(5)]
    first = [serve_next(grants, sessions) for _ in range(5)]
    assert set(first) == set(sessions)
    assert [serve_next(grants, sessions) for _ in range(5)] == first


def test_peer_that_was_never_served_comes_before_all_that_were(grants):
    served = session(grants, 1)
    serve_next(grants, [served])
    newcomer = session(grants, 2)
    assert grants.waiting([served, newcomer], SPACE.all) is newcomer


def test_peer_that_lags_behind_is_served_first_even_if_served_last(grants):
    ahead, behind = session(grants, 1, pieces=10), session(grants, 2, pieces=3)
    serve_next(grants, [behind])
    assert grants.waiting([ahead, behind], SPACE.all) is behind


@pytest.mark.parametrize("reason", ["not interested", "has all of ours", "granted"])
def test_nobody_is_next_who_could_not_use_it(grants, reason):
    other = session(grants, 1, pieces=4)
    ours = SPACE.all
    if reason == "not interested":
        other.peer_interested = False
    elif reason == "has all of ours":
        ours = SPACE.bits[2]
    else:
        grants.grant(other, 0.0)
    assert grants.waiting([other], ours) is None


def test_there_is_room_up_to_the_configured_grants_while_they_are_in_use(grants):
    for number in range(2):
        assert grants.room(0.0)
        grants.grant(session(grants, number), 0.0)
    assert not grants.room(0.0)


def test_grants_that_lie_unused_make_room_for_others_up_to_a_bound(grants):
    now = 0.0
    given = 0
    while grants.room(now):
        grants.grant(session(grants, given), now)
        given += 1
        now += PATIENCE_SECONDS
    assert given == 2 * OVERCOMMIT


def test_unused_grant_counts_as_in_use_for_as_long_as_its_peer_is_away():
    patient = RotatingGrants(1, SPACE.count, Random(0), patience_seconds=0.4)
    patient.grant(session(patient, 1), 0.0)
    assert not patient.room(0.3)
    assert patient.room(0.5)


def test_link_that_takes_nothing_does_not_count_as_in_use(grants):
    stuck = [session(grants, number) for number in range(2)]
    for other in stuck:
        grants.grant(other, 0.0)
        other.queue.append(m.Request(0, 0, 16384))
    assert not grants.room(10.0)
    stuck[0].writable = False
    assert grants.room(10.0)
