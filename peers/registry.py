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


class _Member(msgspec.Struct, gc=False):
    seen_seconds: float
    is_seed: bool
    place: int
    """Index in `_Swarm.addresses`."""


class _Swarm:
    """The peers of one torrent."""

    __slots__ = ("addresses", "members", "seeds")

    def __init__(self) -> None:
        # Taking the front of a dict again and again would pass over all that was taken before.
        self.members: OrderedDict[Address, _Member] = OrderedDict()
        """In the order of their last announce."""
        self.addresses: list[Address] = []
        """The same peers in no order, to sample from."""
        self.seeds = 0

    def put(self, address: Address, *, is_seed: bool, now: float) -> None:
        member = self.members.get(address)
        if member is None:
            self.members[address] = _Member(now, is_seed, len(self.addresses))
            self.addresses.append(address)
        else:
            self.seeds -= member.is_seed
            member.seen_seconds, member.is_seed = now, is_seed
            self.members.move_to_end(address)
        self.seeds += is_seed

    def remove(self, address: Address) -> None:
        member = self.members.pop(address, None)
        if member is None:
            return
        self.seeds -= member.is_seed
        # The last one takes the empty place.
        last = self.addresses.pop()
        if last != address:
            self.addresses[member.place] = last
            self.members[last].place = member.place

    def expire(self, seen_before: float) -> None:
        while self.members:
            address, member = next(iter(self.members.items()))
            if member.seen_seconds >= seen_before:
                return
            self.remove(address)

    def sample(self, asker: Address, count: int, rng: random.Random) -> tuple[Address, ...]:
        others = len(self.addresses) - 1
        asker_place = self.members[asker].place
        chosen = rng.sample(range(others), min(count, others))
        return tuple(self.addresses[place + (place >= asker_place)] for place in chosen)


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
        swarm.put(address, is_seed=request.left == 0, now=now)
        count = min(request.numwant, self._max_peers_given)
        return self._response(swarm, swarm.sample(address, count, self._rng))

    def peers_of(self, info_hash: bytes) -> tuple[Address, ...]:
        """Give the peers of a swarm, by their last announce, oldest first."""
        swarm = self._swarms.get(info_hash)
        return () if swarm is None else tuple(swarm.members)

    def _response(self, swarm: _Swarm, peers: tuple[Address, ...]) -> AnnounceResponse:
        return AnnounceResponse(
            peers=peers,
            interval_seconds=self._interval_seconds,
            complete=swarm.seeds,
            incomplete=len(swarm.members) - swarm.seeds,
        )

    def _expire_all(self, now: float) -> None:
        for info_hash, swarm in list(self._swarms.items()):
            swarm.expire(now - 2 * self._interval_seconds)
            if not swarm.members:
                del self._swarms[info_hash]
