"""Who sent a corrupt piece is found, never confused with the innocent, and not spoken to again."""

from peers import messages as m
from peers.core.introduction import PEER_WIRE
from testbed.node import LinkId, LinkUp
from tests.peers.core.single import SinglePeer, hung_up, sent


def piece_from_two(peer: SinglePeer, piece: int, liar, honest):
    """The liar sends the first block and refuses the rest; the honest one sends what is left."""
    first, second = peer.blocks(piece)
    _, rest = peer.requests(piece)
    wrong = m.Block(first.piece, first.begin, first.length, bytes(first.length))
    effects = peer.say(liar, wrong, m.RejectRequest(rest.piece, rest.begin, rest.length))
    return effects + peer.say(honest, m.UNCHOKE, second)


def test_of_two_sources_nobody_is_blamed_and_the_piece_is_then_taken_whole_from_one():
    peer = SinglePeer(held=0, pieces_in_flight=1)
    only = peer.space.bits[1]
    liar, honest = peer.join(pieces=only), peer.join(pieces=only)
    peer.say(liar, m.UNCHOKE)
    effects = piece_from_two(peer, 1, liar, honest)
    assert not hung_up(effects)
    assert 1 not in peer.store.written
    effects += peer.wait(1.0)
    # Asked anew, whole: from the honest one it verifies, from the liar it is the liar's fault alone.
    asked = [link for link in (liar, honest) if len(sent(effects, link, m.Request)) >= 2]
    assert asked
    link = asked[-1]
    effects = peer.say(link, *peer.blocks(1, corrupt=link == liar))
    if link == liar:
        assert [(end.link, end.reason) for end in hung_up(effects)] == [(liar, "corrupt piece")]
    else:
        assert 1 in peer.store.written


def test_a_host_that_sent_a_corrupt_piece_is_not_spoken_to_again():
    peer = SinglePeer(held=0)
    liar = peer.join(pieces=peer.space.all)
    effects = peer.say(liar, m.UNCHOKE)
    piece = sent(effects, liar, m.Request)[0].piece
    [ending] = hung_up(peer.say(liar, *peer.blocks(piece, corrupt=True)))
    assert ending.violation
    assert not hung_up(again(peer, "10.0.1.9"))
    assert [end.reason for end in hung_up(again(peer, "10.0.1.1"))] == ["banned"]


def test_without_the_ban_it_may_come_again():
    peer = SinglePeer(held=0, ban=False)
    liar = peer.join(pieces=peer.space.all)
    piece = sent(peer.say(liar, m.UNCHOKE), liar, m.Request)[0].piece
    assert hung_up(peer.say(liar, *peer.blocks(piece, corrupt=True)))
    assert not hung_up(again(peer, "10.0.1.1"))


def again(peer: SinglePeer, host: str):
    """A host dials."""

    peer.links += 1
    return peer.feed(LinkUp(LinkId(peer.links), (host, 7000), False, PEER_WIRE))
