"""A peer may say again what it holds: some clients send a bitfield in place of many HAVE messages."""

from peers import messages as m
from tests.peers.core.single import SinglePeer, hung_up, sent


def test_a_late_bitfield_adds_to_what_is_known():
    peer = SinglePeer(held=0)
    link = peer.join(pieces=0)
    effects = peer.say(link, m.Bitfield(peer.space.to_wire(peer.space.bits[2])))
    assert sent(effects, link, m.Interested)
    effects = peer.say(link, m.UNCHOKE)
    assert [request.piece for request in sent(effects, link, m.Request)] == [2, 2]


def test_a_late_bitfield_takes_nothing_back_and_is_forgotten_with_its_peer():
    peer = SinglePeer(held=0)
    one, other = peer.join(pieces=peer.space.bits[1]), peer.join(pieces=peer.space.bits[1])
    peer.say(one, m.Bitfield(peer.space.to_wire(peer.space.bits[2])), m.HAVE_ALL)
    effects = peer.say(one, m.Choke(), m.Have(99))  # A violation, so it is gone.
    assert [ending.reason for ending in hung_up(effects)] == ["piece out of range"]
    requests = sent(peer.say(other, m.UNCHOKE), other, m.Request)
    assert {request.piece for request in requests} == {1}
