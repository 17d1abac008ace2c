"""A tracker introduces the peers of one swarm to each other, and forgets who went silent."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers import registry as registry_module
from peers.announce import AnnounceRequest, AnnounceResponse
from peers.registry import Registry

HASH = b"h" * 20
INTERVAL_SECONDS = 100


@pytest.fixture
def registry() -> Registry:
    return new_registry()


def new_registry(seed: int = 1) -> Registry:
    return Registry(rng=random.Random(seed), interval_seconds=INTERVAL_SECONDS)


def announce(
    registry: Registry,
    number: int,
    *,
    now: float = 0.0,
    event: str = "",
    left: int = 1,
    numwant: int = 50,
    info_hash: bytes = HASH,
) -> AnnounceResponse:
    """Announce peer `number`, who lives at 10.0.0.number."""
    request = AnnounceRequest(info_hash, b"p" * 20, 6881, left=left, event=event, numwant=numwant)
    return registry.announce(request, f"10.0.0.{number}", now)


def numbers(response: AnnounceResponse) -> set[int]:
    return {int(host.rpartition(".")[2]) for host, _ in response.peers}


def test_a_peer_hears_of_all_others_and_not_of_itself(registry):
    assert numbers(announce(registry, 1)) == set()
    assert numbers(announce(registry, 2)) == {1}
    assert numbers(announce(registry, 1)) == {2}
    assert registry.peers_of(HASH) == (("10.0.0.2", 6881), ("10.0.0.1", 6881))


def test_a_peer_is_known_by_where_it_calls_from_not_by_its_peer_id(registry):
    announce(registry, 1)
    announce(registry, 2, event="stopped")  # The same peer id, from elsewhere.
    assert registry.peers_of(HASH) == (("10.0.0.1", 6881),)


def test_who_stops_is_told_of_nobody_and_nobody_of_it(registry):
    announce(registry, 1)
    announce(registry, 2)
    assert announce(registry, 2, event="stopped").peers == ()
    assert numbers(announce(registry, 3)) == {1}


def test_stopping_twice_or_unknown_does_no_harm(registry):
    assert announce(registry, 1, event="stopped").peers == ()
    announce(registry, 1)
    announce(registry, 1, event="stopped")
    announce(registry, 1, event="stopped")
    assert registry.peers_of(HASH) == ()


def test_who_is_silent_for_two_intervals_is_forgotten(registry):
    announce(registry, 1, now=0.0)
    announce(registry, 2, now=50.0)
    assert numbers(announce(registry, 3, now=200.0)) == {1, 2}
    assert numbers(announce(registry, 3, now=200.5)) == {2}
    assert numbers(announce(registry, 2, now=500.0)) == set()


def test_swarms_do_not_mix(registry):
    announce(registry, 1, info_hash=b"a" * 20)
    assert announce(registry, 2, info_hash=b"b" * 20).peers == ()


def test_seeds_and_leechers_are_counted(registry):
    announce(registry, 1, left=0)
    response = announce(registry, 2, left=5)
    assert (response.complete, response.incomplete) == (1, 1)
    response = announce(registry, 2, left=0, event="completed")
    assert (response.complete, response.incomplete) == (2, 0)
    response = announce(registry, 1, event="stopped")
    assert (response.complete, response.incomplete) == (1, 0)


def test_nobody_gets_more_than_it_wants_or_than_the_tracker_gives():
    registry = Registry(rng=random.Random(1), max_peers_given=5)
    for number in range(20):
        announce(registry, number)
    assert len(announce(registry, 1, numwant=3).peers) == 3
    assert len(announce(registry, 1, numwant=50).peers) == 5
    assert announce(registry, 1, numwant=0).peers == ()


def test_the_same_seed_introduces_the_same_peers():
    def history(seed: int) -> list[AnnounceResponse]:
        registry = new_registry(seed)
        return [announce(registry, number % 40, numwant=4) for number in range(80)]

    assert history(1) == history(1)
    assert history(1) != history(2)


def test_every_other_peer_is_introduced_at_some_time(registry):
    for number in range(10):
        announce(registry, number)
    seen = set()
    for _ in range(200):
        seen |= numbers(announce(registry, 4, numwant=1))
    assert seen == set(range(10)) - {4}


def test_a_full_tracker_refuses_newcomers_and_keeps_those_it_has(registry, monkeypatch):
    monkeypatch.setattr(registry_module, "MAX_SWARM_PEERS", 2)
    monkeypatch.setattr(registry_module, "MAX_SWARMS", 1)
    announce(registry, 1)
    announce(registry, 2)
    assert "too many peers" in announce(registry, 3).failure_reason
    assert numbers(announce(registry, 1)) == {2}
    assert "too many torrents" in announce(registry, 3, info_hash=b"x" * 20).failure_reason
    # Once the swarm is forgotten there is room for another.
    assert announce(registry, 3, info_hash=b"x" * 20, now=1000.0).failure_reason == ""


def test_a_leecher_always_hears_of_seeds_however_large_the_crowd(registry):
    for number in (1, 2, 3):
        announce(registry, number, left=0)
    for number in range(4, 100):
        announce(registry, number)
    for _ in range(50):
        response = announce(registry, 50, numwant=5)
        seeds = numbers(response) & {1, 2, 3}
        assert len(seeds) == registry_module.SEEDS_FIRST
        assert numbers(AnnounceResponse(response.peers[: len(seeds)])) == seeds
        assert len(numbers(response)) == 5


def test_a_leecher_hears_of_more_seeds_where_leechers_are_few(registry):
    for number in range(1, 7):
        announce(registry, number, left=0)
    announce(registry, 7)
    assert numbers(announce(registry, 8, numwant=5)) > {7}
    assert len(numbers(announce(registry, 8, numwant=5))) == 5


def test_a_seed_hears_of_leechers_only(registry):
    announce(registry, 1, left=0)
    announce(registry, 2)
    assert numbers(announce(registry, 3, left=0)) == {2}


steps = st.lists(
    st.tuples(
        st.integers(1, 8),
        st.sampled_from(["", "started", "completed", "stopped"]),
        st.integers(0, 1),
        st.integers(0, 10),
        st.floats(0, 120),
    ),
    max_size=40,
)


@given(steps)
def test_it_agrees_with_the_plain_list_of_who_was_heard_of(history):
    registry = new_registry()
    heard: dict[int, tuple[float, int]] = {}
    now = 0.0
    for number, event, left, numwant, later in history:
        now += later
        heard = {who: at for who, at in heard.items() if at[0] >= now - 2 * INTERVAL_SECONDS}
        response = announce(registry, number, now=now, event=event, left=left, numwant=numwant)
        heard.pop(number, None)
        # To a seed other seeds are of no use.
        others = {who for who, (_, missing) in heard.items() if left or missing}
        most = numwant
        if not others:  # But it may have a magnet link and know no better.
            others, most = set(heard), min(numwant, registry_module.SEEDS_FIRST)
        if event == "stopped":
            assert response.peers == ()
        else:
            heard[number] = (now, left)
            assert numbers(response) <= others
            assert len(response.peers) == len(numbers(response)) == min(most, len(others))
        assert response.complete == sum(left == 0 for _, left in heard.values())
        assert response.incomplete == sum(left == 1 for _, left in heard.values())
        assert registry.peers_of(HASH) == tuple((f"10.0.0.{who}", 6881) for who in heard)
