"""Who is in which swarm: the state of a tracker, without a clock or a socket.

* A peer is its address: the host an announce comes from, and the port it names. Its peer id is not
  trusted, so nobody can sign off another host.
* Peers are kept in the order of their last announce, so those to forget are at the front.
* A random sample takes time by its own size, not the swarm's: 10,000 peers joining is no square.
"""

from __future__ import annotations

import random
from collections import OrderedDict

import msgspec

from peers.announce import MAX_NUMWANT, AnnounceRequest, AnnounceResponse
from testbed.node import Address

MAX_SWARMS = 1000
MAX_SWARM_PEERS = 100_000
"""Bounds of memory. A newcomer beyond them is told so; those who are in stay."""


SEEDS_FIRST = 2
"""A leecher's answer begins with so many seeds. Without, most of a large crowd would know no seed,
and a fast origin would have few who ask: with 256 leechers it sent 18 copies instead of 51."""


MAX_SCRAPED = 74
"""BEP 15: about so many info hashes fit one datagram; the same over HTTP."""


class ScrapeEntry(msgspec.Struct, frozen=True, gc=False):
    """What a tracker knows of one swarm (BEP 48)."""

    complete: int = 0
    """Seeds now, and below, leechers now."""
    incomplete: int = 0
    downloaded: int = 0
    """Peers that have said they completed it, ever."""


class _Member(msgspec.Struct, gc=False):
    seen_seconds: float
    is_seed: bool


class _Group:
    """Addresses in no order, to sample from in time of the sample's size."""

    __slots__ = ("_addresses", "_places")

    def __init__(self) -> None:
        self._addresses: list[Address] = []
        self._places: dict[Address, int] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def add(self, address: Address) -> None:
        self._places[address] = len(self._addresses)
        self._addresses.append(address)

    def remove(self, address: Address) -> None:
        place = self._places.pop(address)
        last = self._addresses.pop()
        if last != address:  # The last one takes the empty place.
            self._addresses[place] = last
            self._places[last] = place

    def sample(self, asker: Address, count: int, rng: random.Random) -> list[Address]:
        """Up to `count` random members, without the asker."""
        own_place = self._places.get(asker, len(self._addresses))
        others = len(self._addresses) - (asker in self._places)
        chosen = rng.sample(range(others), min(count, others))
        return [self._addresses[place + (place >= own_place)] for place in chosen]


class _Swarm:
    """The peers of one torrent."""

    __slots__ = ("downloaded", "leechers", "members", "seeds")

    def __init__(self) -> None:
        self.downloaded = 0
        # Taking the front of a dict again and again would pass over all that was taken before.
        self.members: OrderedDict[Address, _Member] = OrderedDict()
        """In the order of their last announce."""
        self.seeds = _Group()
        self.leechers = _Group()

    def put(self, address: Address, *, is_seed: bool, now: float) -> None:
        self.remove(address)
        self.members[address] = _Member(now, is_seed)
        (self.seeds if is_seed else self.leechers).add(address)

    def remove(self, address: Address) -> None:
        member = self.members.pop(address, None)
        if member is not None:
            (self.seeds if member.is_seed else self.leechers).remove(address)

    def expire(self, seen_before: float) -> None:
        while self.members:
            address, member = next(iter(self.members.items()))
            if member.seen_seconds >= seen_before:
                return
            self.remove(address)

    def sample(self, asker: Address, count: int, rng: random.Random) -> tuple[Address, ...]:
        """Some seeds, then leechers; to a seed other seeds are of no use.

        But who has only a magnet link may say that nothing is left, as aria2 does. Where no leecher
        could help it, it is told of a few seeds.
        """
        if self.members[asker].is_seed:
            leechers = self.leechers.sample(asker, count, rng)
            return tuple(leechers or self.seeds.sample(asker, min(count, SEEDS_FIRST), rng))
        missing = max(0, count - len(self.leechers) + 1)
        seeds = self.seeds.sample(asker, min(count, max(SEEDS_FIRST, missing)), rng)
        return (*seeds, *self.leechers.sample(asker, count - len(seeds), rng))


class Registry:
    """All swarms of one tracker."""

    def __init__(
        self,
        *,
        rng: random.Random,
        interval_seconds: int = 1800,
        max_peers_given: int = MAX_NUMWANT,
    ) -> None:
        """Start without peers.

        Args:
          rng: The tracker's own; chooses whom to introduce.
          interval_seconds: How often peers are asked to announce. Who is not heard of for twice as
            long is forgotten.
          max_peers_given: Most peers in one answer, whatever is asked for.
        """
        self._rng = rng
        self._interval_seconds = interval_seconds
        self._max_peers_given = max_peers_given
        self._swarms: dict[bytes, _Swarm] = {}

    def announce(self, request: AnnounceRequest, remote_host: str, now: float) -> AnnounceResponse:
        """Take one announce and give its answer.

        The asker is in no answer of its own, and who stops is given no peers.

        Args:
          request: The announce.
          remote_host: Where it came from.
          now: Seconds, not decreasing from call to call.
        """
        address = (remote_host, request.port)
        swarm = self._swarms.get(request.info_hash)
        if swarm is not None:
            swarm.expire(now - 2 * self._interval_seconds)
        if request.event == "stopped":
            if swarm is not None:
                swarm.remove(address)
                if not swarm.members:
                    del self._swarms[request.info_hash]
            return self._response(swarm or _Swarm(), ())
        if swarm is None:
            if len(self._swarms) >= MAX_SWARMS:
                self._expire_all(now)
            if len(self._swarms) >= MAX_SWARMS:
                return AnnounceResponse(failure_reason="this tracker has too many torrents")
            swarm = self._swarms[request.info_hash] = _Swarm()
        if len(swarm.members) >= MAX_SWARM_PEERS and address not in swarm.members:
            return AnnounceResponse(failure_reason="this torrent has too many peers")
        member = swarm.members.get(address)
        if request.event == "completed" and not (member is not None and member.is_seed):
            swarm.downloaded += 1  # A seed that says so again has not downloaded it twice.
        swarm.put(address, is_seed=request.left == 0, now=now)
        count = min(request.numwant, self._max_peers_given)
        return self._response(swarm, swarm.sample(address, count, self._rng))

    def scrape(self, info_hash: bytes, now: float) -> ScrapeEntry | None:
        """Give what is known of a swarm; None of one that nobody announced."""
        swarm = self._swarms.get(info_hash)
        if swarm is None:
            return None
        swarm.expire(now - 2 * self._interval_seconds)
        return ScrapeEntry(len(swarm.seeds), len(swarm.leechers), swarm.downloaded)

    def peers_of(self, info_hash: bytes) -> tuple[Address, ...]:
        """Give the peers of a swarm, by their last announce, oldest first."""
        swarm = self._swarms.get(info_hash)
        return () if swarm is None else tuple(swarm.members)

    @property
    def peers_known(self) -> int:
        """Peers of all swarms that were not forgotten."""
        return sum(len(swarm.members) for swarm in self._swarms.values())

    def _response(self, swarm: _Swarm, peers: tuple[Address, ...]) -> AnnounceResponse:
        return AnnounceResponse(
            peers=peers,
            interval_seconds=self._interval_seconds,
            complete=len(swarm.seeds),
            incomplete=len(swarm.leechers),
        )

    def _expire_all(self, now: float) -> None:
        for info_hash, swarm in list(self._swarms.items()):
            swarm.expire(now - 2 * self._interval_seconds)
            if not swarm.members:
                del self._swarms[info_hash]
