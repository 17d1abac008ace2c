"""The simulated world keeps the rules of the node contract, in exact time."""

from __future__ import annotations

import random

import msgspec
import pytest

from testbed.link import Pacer
from testbed.node import (
    Departed,
    Dial,
    DialFailed,
    HangUp,
    LinkDown,
    LinkUp,
    Received,
    Send,
    SendEach,
    Started,
    Stopping,
    Tally,
    Writable,
)
from testbed.simulated_link import SimulatedStation
from testbed.simulator import SimulatedWorld, SimulationStuck
from testbed.station import Station

BLOCK = 16 * 1024
PLACES = {"a": ("10.0.0.1", 1), "b": ("10.0.0.2", 1)}


class Note(msgspec.Struct, frozen=True):
    """A control message, or payload, of a given size."""

    name: str
    size_bytes: int
    payload_bytes: int = 0


def block(name="block", size=BLOCK):
    return Note(name, size, size)


class Scripted:
    """Writes down what it hears, and answers by a function."""

    def __init__(self, answer=lambda event, now: []) -> None:
        self.tally = Tally()
        self.deadline = None
        self.heard = []
        self._answer = answer

    def handle(self, event, now):
        self.heard.append((now, event))
        return self._answer(event, now)

    def times(self, kind):
        return [now for now, event in self.heard if isinstance(event, kind)]

    def names(self):
        return [event.message.name for _, event in self.heard if isinstance(event, Received)]


class Pair:
    """Two nodes, of which `a` dials `b` when it is started."""

    def __init__(self, on_up=(), *, up=BLOCK, down=BLOCK, latency=0.0, answer=None) -> None:
        def answer_of_a(event, now):
            if isinstance(event, Started):
                return [Dial(PLACES["b"], "wire")]
            if isinstance(event, LinkUp):
                return [Send(event.link, message) for message in on_up]
            return answer(event, now) if answer else []

        self.world = SimulatedWorld()
        self.a, self.b = Scripted(answer_of_a), Scripted()
        self.stations = [
            self.world.add(
                node,
                PLACES[name],
                accepts="wire" if name == "b" else None,
                uplink=Pacer(up, 0.0),
                downlink=Pacer(down, 0.0),
                latency_seconds=latency,
            )
            for name, node in (("a", self.a), ("b", self.b))
        ]
        for station in self.stations:
            station.start(0.0)

    def run(self):
        self.world.run()
        return self


def test_a_dial_takes_a_round_trip_and_its_other_end_knows_after_half_of_it():
    pair = Pair(latency=0.1).run()
    assert pair.b.times(LinkUp) == [pytest.approx(0.1)]
    assert pair.a.times(LinkUp) == [pytest.approx(0.2)]


def test_a_dial_to_nobody_fails_after_a_round_trip():
    pair = Pair(latency=0.1)
    pair.world.stop_listening(pair.stations[1])
    pair.run()
    assert pair.a.times(DialFailed) == [pytest.approx(0.2)]


def test_payload_passes_the_uplink_then_the_delay_then_the_downlink():
    pair = Pair([block()], up=BLOCK, down=BLOCK / 2, latency=0.25).run()
    up = pair.a.times(LinkUp)[0]
    assert pair.a.times(Departed) == [pytest.approx(up + 1)]
    assert pair.b.times(Received) == [pytest.approx(up + 1 + 0.25 + 2)]


def test_a_control_message_waits_behind_payload_of_its_own_link():
    pair = Pair([block("first"), Note("second", 10)]).run()
    assert pair.b.names() == ["first", "second"]


def test_a_control_message_on_another_link_overtakes_payload():
    pair = Pair([block()], down=BLOCK / 8)
    c = Scripted(
        lambda event, now: (
            [Dial(PLACES["b"], "wire")]
            if isinstance(event, Started)
            else [Send(event.link, Note("quick", 10))]
            if isinstance(event, LinkUp)
            else []
        )
    )
    station = pair.world.add(
        c, ("10.0.0.3", 0), accepts=None, uplink=Pacer(BLOCK, 0.0), downlink=Pacer(BLOCK, 0.0)
    )
    pair.world.call_at(2.0, station.start, 2.0)
    pair.run()
    assert pair.b.names() == ["quick", "block"]


def test_a_link_without_room_is_writable_again_when_the_downlink_has_taken_enough():
    # Four blocks fill the window of 64 KiB; the first of them passes 10 s after it arrived.
    pair = Pair([block(str(n)) for n in range(4)], down=BLOCK / 10).run()
    departed = [event.writable for _, event in pair.a.heard if isinstance(event, Departed)]
    assert departed == [True, True, True, False]
    assert pair.a.times(Writable) == [pytest.approx(1 + 10)]


def test_a_hang_up_is_heard_after_all_that_was_sent():
    pair = Pair()
    pair.world.run()
    link = next(event.link for _, event in pair.a.heard if isinstance(event, LinkUp))
    pair.a._answer = lambda event, now: (
        [Send(link, block()), HangUp(link, "done")] if isinstance(event, Stopping) else []
    )
    pair.stations[0].stop()
    pair.run()
    assert pair.b.names() == ["block"]
    assert pair.b.times(LinkDown) == pair.b.times(Received) == [pytest.approx(2.0)]


def test_both_ledgers_count_every_byte_once():
    pair = Pair([block(), Note("control", 10), block()]).run()
    pair.world.drain()
    a, b = (station.ledger for station in pair.stations)
    assert a.uploaded_payload_bytes == b.downloaded_payload_bytes == 2 * BLOCK
    assert a.uploaded_wire_bytes == b.downloaded_wire_bytes == 2 * BLOCK + 10
    assert (a.connections_dialled, b.connections_accepted) == (1, 1)


def test_payload_for_a_node_that_hung_up_is_received_and_wasted():
    pair = Pair([block()])
    pair.b._answer = lambda event, now: (
        [HangUp(event.link, "enough")] if isinstance(event, LinkUp) else []
    )
    pair.run()
    a, b = (station.ledger for station in pair.stations)
    assert a.uploaded_payload_bytes == b.downloaded_payload_bytes
    assert pair.b.names() == []


def test_a_run_of_too_many_events_is_stuck():
    pair = Pair()

    def again():
        pair.world.call_at(pair.world.time, again)

    again()
    with pytest.raises(SimulationStuck, match="more than the limit"):
        pair.world.run(calls_limit=1000)


def test_a_run_ends_at_its_time_limit_or_when_it_is_stopped():
    world = SimulatedWorld()
    calls = []
    world.call_at(1.0, calls.append, 1)
    world.call_at(2.0, world.stop)
    world.call_at(3.0, calls.append, 3)
    assert not world.run(until_seconds=1.5)
    assert (calls, world.time) == ([1], 1.5)
    assert world.run()
    assert (calls, world.time) == ([1], 2.0)


class Gossip:
    """Passes on what it hears, on links of its own choice, up to a number of hops."""

    def __init__(self, seed, dials) -> None:
        self.tally, self.deadline = Tally(), None
        self.heard, self.links = [], []
        self._rng, self._dials = random.Random(seed), dials

    def handle(self, event, now):
        self.heard.append((now, event))
        if isinstance(event, Started):
            return [Dial(address, "wire") for address in self._dials]
        if isinstance(event, LinkUp):
            self.links.append(event.link)
            return [Send(event.link, Note("6", 20))]
        if not isinstance(event, Received) or event.message.name == "0":
            return []
        rng, hops = self._rng, int(event.message.name) - 1
        some = rng.sample(self.links, rng.randint(0, len(self.links)))
        effects = [SendEach(some, Note(str(hops), 9)), Send(event.link, Note(str(hops), 17))]
        if rng.random() < 0.3:
            effects.append(Send(rng.choice(self.links), block(str(hops), rng.choice([500, BLOCK]))))
        if rng.random() < 0.02:
            effects.append(HangUp(self.links.pop(), "enough"))
        return effects


def gossip(latencies):
    world = SimulatedWorld()
    addresses = [(f"10.0.0.{number}", 1) for number in range(6)]
    nodes = [Gossip(number, addresses[:number]) for number in range(6)]
    for node, address, latency in zip(nodes, addresses, latencies, strict=True):
        world.add(
            node,
            address,
            accepts="wire",
            uplink=Pacer(3 * BLOCK, 0.02),
            downlink=Pacer(4 * BLOCK, 0.02),
            latency_seconds=latency,
        ).start(0.0)
    world.run(calls_limit=2_000_000)
    return [node.heard for node in nodes], [
        (s.ledger.uploaded_wire_bytes, s.ledger.downloaded_wire_bytes) for s in world.stations
    ]


@pytest.mark.parametrize("latencies", [(0.0,) * 6, (0.0, 0.0, 0.0, 0.01, 0.0, 0.02)])
def test_the_short_way_of_a_message_is_the_long_one_without_the_calls(latencies, monkeypatch):
    short, short_bytes = gossip(latencies)
    monkeypatch.setattr(SimulatedStation, "carry_out", Station.carry_out)
    monkeypatch.setattr(SimulatedStation, "send_each", Station.send_each)
    long, long_bytes = gossip(latencies)
    assert sum(map(len, short)) > 500
    for heard, expected in zip(short, long, strict=True):
        assert [event for _, event in heard] == [event for _, event in expected]
        assert [now for now, _ in heard] == pytest.approx([now for now, _ in expected])
    assert short_bytes == long_bytes
