"""A peer's extensions, message by message: metadata, peer exchange, and who wants nothing any more."""

from __future__ import annotations

import dataclasses
from random import Random

import pytest

from peers import messages as m
from peers.core.introduction import PEER_WIRE
from peers.core.peer import PeerNode
from peers.core.state import PeerConfig
from peers.exchange import EXCHANGE_SECONDS, ExchangeMessage
from peers.extension import EXCHANGE, METADATA, OUR_IDS, RESERVED, ExtensionHandshake
from peers.metadata import MetadataKind, MetadataMessage
from testbed.node import Dial, LinkId, LinkUp
from tests.peers.core.single import OWN_ID, SinglePeer, hung_up, sent

THEIRS = {METADATA: 7, EXCHANGE: 8}


class Extended(SinglePeer):
    """A peer that speaks extensions, at a table with others that do."""

    def join_extended(self, pieces: int = 0, **said: object) -> tuple[LinkId, list]:
        """Let a peer come that says this in its dictionary."""
        link = self.link()
        hello = with_reserved(self.hello(), RESERVED)
        greeting = self.say(link, hello, m.Bitfield(self.space.to_wire(pieces)))
        said = {"ids": THEIRS, "port": 7000 + self.links, **said}
        return link, greeting + self.say(link, ExtensionHandshake(**said).encode())


def with_reserved(hello: m.Handshake, reserved: bytes) -> m.Handshake:
    return m.Handshake(hello.info_hash, hello.peer_id, reserved)


def table(held: int | None = None, **config: object) -> Extended:
    return Extended(held, extensions=True, **config)


def extended(effects: list, link: LinkId, kind: int) -> list[bytes]:
    return [one.payload for one in sent(effects, link, m.Extended) if one.kind == kind]


def test_both_say_what_they_speak_and_where_they_listen():
    peer = table()
    link, effects = peer.join_extended()
    [handshake] = sent(effects, link, m.Handshake)
    assert handshake.supports_extended
    [payload] = extended(effects, link, 0)
    said = ExtensionHandshake.decode(payload)
    assert said.ids == OUR_IDS
    assert (said.port, said.metadata_bytes, said.upload_only) == (6881, len(peer.torrent.info), True)
    assert said.your_host == "10.0.1.1"


def test_a_peer_without_extensions_hears_nothing_of_them():
    peer = table()
    link = peer.link()
    assert not sent(peer.say(link, peer.hello()), link, m.Extended)
    assert not hung_up(peer.say(link, m.HAVE_NONE, m.Extended(1, b"x")))


def test_metadata_is_given_part_by_part_and_twice_at_most():
    peer = table()
    link, _ = peer.join_extended()
    ask = m.Extended(OUR_IDS[METADATA], MetadataMessage(MetadataKind.REQUEST, 0).encode())
    answers = [extended(peer.say(link, ask), link, THEIRS[METADATA]) for _ in range(3)]
    read = [MetadataMessage.decode(payload) for [payload] in answers]
    assert [one.kind for one in read] == [MetadataKind.DATA, MetadataKind.DATA, MetadataKind.REJECT]
    assert read[0].data == peer.torrent.info


def test_neighbours_are_told_of_each_other_at_once_and_then_every_minute():
    peer = table(held=0)
    first, effects = peer.join_extended()
    assert not extended(effects, first, THEIRS[EXCHANGE])
    second, effects = peer.join_extended(pieces=peer.space.all)
    [payload] = extended(effects, second, THEIRS[EXCHANGE])
    assert ExchangeMessage.decode(payload).added == {("10.0.1.1", 7001): 0}
    [payload] = extended(peer.wait(1.0), first, THEIRS[EXCHANGE])
    assert ExchangeMessage.decode(payload).added == {("10.0.1.2", 7002): 0x02}
    third, _ = peer.join_extended()
    effects = peer.wait(EXCHANGE_SECONDS / 2)
    assert not extended(effects, first, THEIRS[EXCHANGE])
    peer.say(third, m.Have(99))  # A violation, so it is gone.
    fourth, _ = peer.join_extended()
    [payload] = extended(peer.wait(EXCHANGE_SECONDS), first, THEIRS[EXCHANGE])
    assert ExchangeMessage.decode(payload).added == {("10.0.1.4", 7004): 0}
    assert fourth in [LinkId(4)]


def test_a_leecher_dials_whom_it_is_told_of():
    peer = table(held=0)
    link, _ = peer.join_extended()
    told = ExchangeMessage({("10.9.9.9", 1): 0, ("10.9.9.8", 2): 0x02})
    effects = peer.say(link, m.Extended(OUR_IDS[EXCHANGE], told.encode()))
    dialled = {effect.remote for effect in effects if isinstance(effect, Dial)}
    assert dialled == {("10.9.9.9", 1), ("10.9.9.8", 2)}
    again = ExchangeMessage({("10.9.9.7", 1): 0})
    assert not peer.say(link, m.Extended(OUR_IDS[EXCHANGE], again.encode()))  # Too soon.


@pytest.mark.parametrize("kind", OUR_IDS.values())
def test_malformed_extension_messages_are_violations(kind):
    peer = table()
    link, _ = peer.join_extended()
    [ending] = hung_up(peer.say(link, m.Extended(kind, b"nonsense")))
    assert ending.violation


def test_extension_messages_that_are_not_known_pass():
    peer = table()
    link, _ = peer.join_extended()
    assert not peer.say(link, m.Extended(200, b"nonsense"))


def test_a_private_torrents_peers_exchange_nothing():
    peer = table(held=0)
    private = dataclasses.replace(peer.torrent, private=True)
    config = PeerConfig(peer_id=OWN_ID, extensions=True)
    peer.node = PeerNode(config, private, peer.store, Random(1))
    link = peer.link()
    effects = peer.say(link, with_reserved(peer.hello(), RESERVED))
    [payload] = extended(effects, link, 0)
    assert EXCHANGE not in ExtensionHandshake.decode(payload).ids
    told = ExchangeMessage({("10.9.9.9", 1): 0})
    assert not peer.say(link, m.HAVE_NONE, m.Extended(OUR_IDS[EXCHANGE], told.encode()))


def test_two_that_want_nothing_part():
    peer = table()
    _, effects = peer.join_extended(pieces=peer.space.all, upload_only=True)
    assert [(end.reason, end.violation) for end in hung_up(effects)] == [("both want nothing", False)]


def test_who_has_finished_says_so():
    peer = table(held=0b1110_0000)
    link, _ = peer.join_extended(pieces=peer.space.all)
    effects = peer.say(link, m.UNCHOKE, *peer.blocks(3))
    [payload] = extended(effects, link, 0)
    assert ExtensionHandshake.decode(payload).upload_only is True


def test_a_link_that_is_told_of_by_its_own_dial_is_reachable():
    peer = table(held=0)
    peer.links += 1
    dialled = LinkId(peer.links)
    peer.feed(LinkUp(dialled, ("10.0.5.5", 6000), True, PEER_WIRE))
    peer.say(dialled, with_reserved(peer.hello(), RESERVED), m.HAVE_NONE)
    _, effects = peer.join_extended()
    [payload] = extended(effects, LinkId(2), THEIRS[EXCHANGE])
    assert ExchangeMessage.decode(payload).added == {("10.0.5.5", 6000): 0x10}
