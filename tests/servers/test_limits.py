"""What clients may not do, and what they are told."""

from __future__ import annotations

import pytest

from servers.http1 import RequestBegun, find
from servers.limits import Limits
from testbed.node import Departed, LinkDown, LinkId, LinkUp, Woken
from tests.servers.helpers import ask, connect, get, hang_ups, heads, one_file_host


def come(node, link, host="127.0.0.1"):
    return node.handle(LinkUp(LinkId(link), (host, 1000 + link), False, "http"), 0.0)


@pytest.mark.parametrize(
    ("limits", "hosts", "status"),
    [
        (Limits(connections=2), ("a", "b", "c"), 503),
        (Limits(connections_per_address=2), ("a", "a", "a"), 429),
    ],
)
def test_one_connection_too_many_is_told_so_and_ends(limits, hosts, status):
    node = one_file_host(limits=limits)
    first, second, third = hosts
    assert come(node, 1, first) == come(node, 2, second) == []
    effects = come(node, 3, third)
    (head,) = heads(effects)
    assert head.status == status
    assert find(head.headers, "retry-after") == "1"
    assert find(head.headers, "connection") == "close"
    assert hang_ups(effects)[0].violation
    assert node.connections == 2


def test_others_come_in_when_one_has_left():
    node = one_file_host(limits=Limits(connections=1, connections_per_address=1))
    come(node, 1)
    assert heads(come(node, 2))
    node.handle(LinkDown(LinkId(1), "gone"), 0.0)
    assert come(node, 3) == []


def test_limit_of_one_address_is_not_that_of_another():
    node = one_file_host(limits=Limits(connections_per_address=1))
    assert come(node, 1, "a") == come(node, 2, "b") == []


def test_head_that_does_not_come_to_its_end_is_answered_408():
    node = one_file_host(limits=Limits(head_seconds=3))
    connect(node, 1)
    ask(node, 1, get("/none"), now=0.0)
    ask(node, 1, RequestBegun(), now=10.0)
    assert node.handle(Woken(), 12.9) == []
    effects = node.handle(Woken(), 14.0)
    assert [head.status for head in heads(effects)] == [408]
    assert hang_ups(effects)[0].violation


def test_head_that_comes_to_its_end_is_answered():
    node = one_file_host(limits=Limits(head_seconds=3))
    connect(node, 1)
    ask(node, 1, RequestBegun(), now=0.0)
    ask(node, 1, get("/none"), now=2.9)
    assert node.handle(Woken(), 10.0) == []


def test_head_that_trickles_in_behind_a_long_answer_has_its_time_from_the_end_of_that():
    node = one_file_host(limits=Limits(head_seconds=3), encodes=True, block_bytes=None)
    connect(node, 1)
    ask(node, 1, get(), RequestBegun(), now=0.0)
    assert not heads(node.handle(Woken(), 50.0))
    node.handle(Departed(LinkId(1), True), 51.0)
    assert not heads(node.handle(Woken(), 53.0))
    assert [head.status for head in heads(node.handle(Woken(), 54.5))] == [408]
