"""A file that somebody changed underneath: a clear state, and never a wrong byte."""

import pytest

from peers import messages as m
from testbed.node import Finished
from testbed.storage import StorageFault
from tests.peers.core.single import SinglePeer, hung_up, sent


def test_what_cannot_be_read_is_served_to_nobody_and_said(monkeypatch: pytest.MonkeyPatch):
    peer = SinglePeer()
    link, other = peer.join(interested=True), peer.join(interested=True)

    def refuse(offset: int, size_bytes: int) -> bytes:
        raise StorageFault("x was truncated")

    monkeypatch.setattr(peer.store, "read", refuse)
    effects = peer.say(link, *peer.requests(0))
    assert Finished(False, "x was truncated") in effects
    assert [(end.link, end.violation) for end in hung_up(effects)] == [(link, False)]
    monkeypatch.undo()
    assert not sent(peer.say(other, *peer.requests(1)), other, m.Block)


def test_what_cannot_be_written_is_told_to_nobody_and_the_first_reason_is_said(
    monkeypatch: pytest.MonkeyPatch,
):
    peer = SinglePeer(held=0)
    seed, other = peer.join(pieces=peer.space.all), peer.join(interested=True)
    asked = sent(peer.say(seed, m.UNCHOKE), seed, m.Request)
    pieces = list(dict.fromkeys(request.piece for request in asked))
    reasons = iter(["x cannot be written: disk full", "x was changed by somebody else"])

    def refuse(offset: int, parts: object) -> None:
        raise StorageFault(next(reasons))

    monkeypatch.setattr(peer.store, "write", refuse)
    effects = [e for piece in pieces for e in peer.say(seed, *peer.blocks(piece))]
    finished = [effect for effect in effects if isinstance(effect, Finished)]
    assert finished == [Finished(False, "x cannot be written: disk full")]
    assert not sent(effects, other, m.Have)
    assert not peer.node.held
