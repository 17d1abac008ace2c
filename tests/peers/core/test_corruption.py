"""Who sent a corrupt piece is found, never confused with the innocent, and not spoken to again."""

from peers import messages as m
from peers.core.introduction import PEER_WIRE
from peers.limits import Limits
from testbed.node import LinkDown, LinkId, LinkUp
from tests.peers.core.single import SinglePeer, hung_up, sent

LIAR, HONEST = b"-XX0001-000000000666", b"-XX0001-000000000777"


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


def send_corrupt_piece(peer: SinglePeer, peer_id: bytes, host: str, *, dialled: bool = False) -> None:
    """A peer comes, has everything, and what it sends is wrong."""
    liar = peer.link(remote=(host, 6881), dialled=dialled)
    effects = peer.say(liar, peer.hello(peer_id), m.HAVE_ALL, m.UNCHOKE)
    piece = sent(effects, liar, m.Request)[0].piece
    [ending] = hung_up(peer.say(liar, *peer.blocks(piece, corrupt=True)))
    assert ending.violation


def refusals(peer: SinglePeer, peer_id: bytes, host: str, port: int = 7000) -> list[str]:
    """Why somebody who comes is sent away."""
    peer.links += 1
    effects = peer.feed(LinkUp(LinkId(peer.links), (host, port), False, PEER_WIRE))
    effects += peer.say(LinkId(peer.links), peer.hello(peer_id))
    return [end.reason for end in hung_up(effects)]


def test_a_peer_that_sent_a_corrupt_piece_is_not_spoken_to_again_but_its_host_is():
    peer = SinglePeer(held=0)
    send_corrupt_piece(peer, LIAR, "10.0.1.1")
    assert refusals(peer, LIAR, "10.0.1.1") == ["banned"]
    assert refusals(peer, LIAR, "10.0.1.2") == ["banned"]
    assert not refusals(peer, HONEST, "10.0.1.1")
    assert peer.node.limits_hit == {"banned": 2}


def test_a_host_is_banned_when_its_peers_have_sent_too_many_corrupt_pieces():
    peer = SinglePeer(held=0, limits=Limits(corrupt_pieces_a_host=2))
    for number in range(2):
        assert not refusals(peer, HONEST, "10.0.1.1")
        peer.feed(LinkDown(LinkId(peer.links), "closed by the remote"))
        send_corrupt_piece(peer, b"-XX0001-%012d" % number, "10.0.1.1")
    assert refusals(peer, HONEST, "10.0.1.1") == ["banned"]
    assert not refusals(peer, HONEST, "10.0.1.2")


def test_an_address_that_was_dialled_is_banned_whatever_peer_is_there():
    peer = SinglePeer(held=0)
    send_corrupt_piece(peer, LIAR, "10.0.1.1", dialled=True)
    assert refusals(peer, HONEST, "10.0.1.1", port=6881) == ["banned"]


def test_without_the_ban_it_may_come_again():
    peer = SinglePeer(held=0, limits=Limits(ban=False, corrupt_pieces_a_host=1))
    send_corrupt_piece(peer, LIAR, "10.0.1.1")
    assert not refusals(peer, LIAR, "10.0.1.1")
