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
