"""When others hear of a new piece: at once, or in a crowd together with the next."""

import pytest

from peers import messages as m
from peers.core.bitfield import PieceSpace
from peers.core.state import CROWD_LINKS, TOLD_TOGETHER
from peers.wire import encode
from testbed.node import Effect, LinkId
from tests.peers.core.single import SinglePeer, sent

PIECES = 16


def told(effects: list[Effect], link: LinkId) -> list[int]:
    """The pieces that a link was told of, in order."""
    found = [have.piece for have in sent(effects, link, m.Have)]
    for several in sent(effects, link, m.HaveMany):
        found += [have.piece for have in several.each()]
    return found


class Crowd:
    """A peer that has a piece already, a seed to get others from, and others that wait for it."""

    def __init__(self, links: int = CROWD_LINKS) -> None:
        self.peer = SinglePeer(held=1 << (PIECES - 1), pieces=PIECES, grants=1)
        self.seed = self.peer.join(self.peer.space.all)
        self.waiting = [self.peer.join(interested=True) for _ in range(links - 1)]
        self.came: list[int] = []

    def get_piece(self) -> list[Effect]:
        """One more piece comes."""
        effects = self.peer.say(self.seed, m.UNCHOKE)
        piece = sent(effects, self.seed, m.Request)[0].piece
        self.came.append(piece)
        return self.peer.say(self.seed, m.CHOKE, *self.peer.blocks(piece))


def test_who_waits_in_a_crowd_hears_of_several_pieces_together():
    crowd = Crowd()
    last = crowd.waiting[-1]
    effects = [effect for _ in range(TOLD_TOGETHER - 1) for effect in crowd.get_piece()]
    assert not told(effects, last)
    assert told(crowd.get_piece(), last) == sorted(crowd.came)


def test_who_wants_nothing_of_what_is_here_hears_of_a_new_piece_at_once():
    crowd = Crowd()
    idle = crowd.peer.join()
    for _ in range(2):
        assert told(crowd.get_piece(), idle) == crowd.came[-1:]


def test_who_is_unchoked_hears_before_of_all_that_it_may_ask_for():
    crowd = Crowd()
    crowd.get_piece()
    granted, *others = crowd.waiting
    effects = crowd.peer.say(granted, m.NOT_INTERESTED)
    [unchoked] = [link for link in others if sent(effects, link, m.Unchoke)]
    messages = [e.message for e in effects if getattr(e, "link", None) == unchoked]
    assert [type(message) for message in messages] == [m.HaveMany, m.Unchoke]
    assert told(effects, unchoked) == crowd.came


@pytest.mark.parametrize("how", ["wants nothing any more", "half a second passes"])
def test_nobody_is_left_without_word(how):
    crowd = Crowd()
    crowd.get_piece()
    last = crowd.waiting[-1]
    if how == "wants nothing any more":
        effects = crowd.peer.say(last, m.NOT_INTERESTED)
    else:
        effects = crowd.peer.wait(0.5)
    assert told(effects, last) == crowd.came


def test_who_has_the_piece_meanwhile_is_not_told():
    crowd = Crowd()
    crowd.get_piece()
    last = crowd.waiting[-1]
    crowd.peer.say(last, m.Have(crowd.came[0]))
    assert not told(crowd.peer.wait(0.5), last)


def test_several_pieces_are_as_many_messages_on_the_wire():
    pieces = [0, 3, 9]
    several = m.HaveMany(sum(PieceSpace(PIECES).bits[piece] for piece in pieces), PIECES)
    data = b"".join(encode(several))
    assert data == b"".join(part for piece in pieces for part in encode(m.Have(piece)))
    assert len(data) == several.size_bytes


def test_few_neighbours_hear_of_each_piece_at_once():
    crowd = Crowd(links=CROWD_LINKS - 1)
    for _ in range(3):
        effects = crowd.get_piece()
        assert told(effects, crowd.waiting[-1]) == crowd.came[-1:]
