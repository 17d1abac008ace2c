"""What the file host decides: exact effects for exact events."""

from __future__ import annotations

import pytest

from servers.files import Directory, Elsewhere, Page, Refusal, Resource
from servers.http1 import BadRequest, Body, find
from servers.limits import PIPELINE_LIMIT, Limits
from servers.node import BLOCK_BYTES, TICK_SECONDS
from testbed.node import Departed, HangUp, LinkDown, LinkId, Send, Stopping, Woken, Writable
from testbed.storage import StorageFault
from tests.servers.helpers import (
    CONTENT,
    ask,
    bodies,
    connect,
    get,
    hang_ups,
    heads,
    host_of,
    one_file_host,
)

LIMITS = Limits()

BLOCKS = len(CONTENT) // BLOCK_BYTES


def departed(node, link, *, writable=True, now=0.0):
    return node.handle(Departed(LinkId(link), writable), now)


def run_out(node, effects, now=0.0):
    """Let every block depart as soon as it was sent; give all effects in order."""
    effects = list(effects)
    for effect in effects:  # Grows while it is walked.
        if isinstance(effect, Send) and isinstance(effect.message, Body):
            effects += departed(node, effect.link, now=now)
    return effects


def payload(effects):
    return b"".join(bytes(body.payload) for _, body in bodies(effects))


@pytest.fixture
def node():
    node = one_file_host()
    connect(node, 1, 2, 3)
    return node


# --- Answers --------------------------------------------------------------------------------


def test_get_is_answered_with_head_and_content(node):
    effects = run_out(node, ask(node, 1, get()))
    (head,) = heads(effects)
    assert head.status == 200
    assert find(head.headers, "content-length") == str(len(CONTENT))
    assert find(head.headers, "etag") == '"v1"'
    assert find(head.headers, "accept-ranges") == "bytes"
    assert payload(effects) == CONTENT
    assert node.tally.requests_served == 1
    assert node.tally.requests_made == 0  # Servers are asked and do not ask.
    assert not hang_ups(effects)


def test_head_is_answered_like_get_without_content(node):
    (head,) = heads(ask(node, 1, get()))
    (effect,) = ask(node, 2, get(method="HEAD"))
    assert effect.message == head
    assert node.tally.requests_served == 1  # The other is under way.


def test_range_is_answered_with_that_part(node):
    effects = run_out(node, ask(node, 1, get("/file", ("Range", "bytes=5-20004"))))
    (head,) = heads(effects)
    assert head.status == 206
    assert find(head.headers, "content-range") == f"bytes 5-20004/{len(CONTENT)}"
    assert find(head.headers, "content-length") == "20000"
    assert payload(effects) == CONTENT[5:20005]


def test_range_outside_the_file_is_answered_416_with_its_size(node):
    (effect,) = ask(node, 1, get("/file", ("Range", f"bytes={len(CONTENT)}-")))
    assert effect.message.status == 416
    assert find(effect.message.headers, "content-range") == f"bytes */{len(CONTENT)}"


def test_head_knows_no_ranges(node):
    (effect,) = ask(node, 1, get("/file", ("Range", "bytes=0-1"), method="HEAD"))
    assert effect.message.status == 200


def test_failed_if_range_gets_the_whole_file(node):
    headers = (("Range", "bytes=5-"), ("If-Range", '"v0"'))
    effects = run_out(node, ask(node, 1, get("/file", *headers)))
    assert heads(effects)[0].status == 200
    assert payload(effects) == CONTENT


def test_known_version_is_answered_304_without_content(node):
    (effect,) = ask(node, 1, get("/file", ("If-None-Match", '"v1"'), ("Range", "bytes=0-1")))
    assert effect.message.status == 304
    assert effect.message.content == b""
    assert find(effect.message.headers, "etag") == '"v1"'
    assert find(effect.message.headers, "content-length") is None


def test_missing_file_is_answered_404(node):
    (effect,) = ask(node, 1, get("/other"))
    assert effect.message.status == 404
    assert find(effect.message.headers, "content-length") == str(len(effect.message.content))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE", "CONNECT"])
def test_other_methods_are_answered_405_with_those_allowed(node, method):
    (effect,) = ask(node, 1, get(method=method))
    assert effect.message.status == 405
    assert find(effect.message.headers, "allow") == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("target", ["*", "/file", "/other"])
def test_options_are_the_methods_there_are(node, target):
    (effect,) = ask(node, 1, get(target, method="OPTIONS"))
    assert effect.message.status == 204
    assert find(effect.message.headers, "allow") == "GET, HEAD, OPTIONS"
    assert find(effect.message.headers, "content-length") is None


def test_empty_file_is_answered_at_once():
    node = one_file_host(b"")
    connect(node, 1)
    (effect,) = ask(node, 1, get())
    assert effect.message.status == 200
    assert find(effect.message.headers, "content-length") == "0"
    assert node.tally.requests_served == 1


class Fixed:
    """Files that always give the same."""

    def __init__(self, found) -> None:
        self.found = found

    def find(self, target):
        return self.found

    def encoded(self, resource, suffix, coding):
        return None

    def close(self):
        pass


@pytest.mark.parametrize(
    ("found", "status", "name", "value"),
    [
        (Page(b"<p>"), 200, "content-type", "text/html; charset=utf-8"),
        (Elsewhere("/a/"), 301, "location", "/a/"),
        (Refusal(403, "no"), 403, "content-type", "text/plain; charset=utf-8"),
        (Refusal(503, "busy"), 503, "retry-after", "1"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_no_file_is_answered_with_a_page(found, status, name, value, method):
    node = host_of(Fixed(found))
    connect(node, 1)
    (effect,) = ask(node, 1, get(method=method))
    assert effect.message.status == status
    assert find(effect.message.headers, name) == value
    assert bool(effect.message.content) is (method == "GET")
    assert find(effect.message.headers, "content-length") != "0"


def test_date_is_told_if_there_is_a_wall_clock():
    node = one_file_host(wall_clock=lambda: 1_700_000_000.0)
    connect(node, 1)
    (effect,) = ask(node, 1, get("/other"))
    assert find(effect.message.headers, "date") == "Tue, 14 Nov 2023 22:13:20 GMT"


# --- Connections ----------------------------------------------------------------------------


def test_connection_stays_open_for_the_next_request(node):
    for _ in range(3):
        assert not hang_ups(run_out(node, ask(node, 1, get())))
    assert node.tally.requests_served == 3


def test_pipelined_requests_are_answered_in_order(node):
    effects = ask(node, 1, get("/file", ("Range", "bytes=0-0")), get("/other"), get(method="HEAD"))
    assert len(heads(effects)) == 1
    effects = run_out(node, effects)
    assert [head.status for head in heads(effects)] == [206, 404, 200]


def test_connection_ends_when_the_client_wants_it_and_all_has_left(node):
    effects = ask(node, 1, get("/file", ("Range", "bytes=0-0"), keep_alive=False))
    assert find(heads(effects)[0].headers, "connection") == "close"
    assert not hang_ups(effects)
    # The kernel has not taken it all: hanging up now could cut it off.
    assert departed(node, 1, writable=False) == []
    assert node.tally.requests_served == 0
    assert node.handle(Writable(LinkId(1)), 0.0) == [HangUp(LinkId(1), "answered")]
    assert node.tally.requests_served == 1


def test_malformed_request_is_answered_and_hung_up_on(node):
    effects = ask(node, 1, BadRequest(431, "head too large"))
    assert heads(effects)[0].status == 431
    assert find(heads(effects)[0].headers, "connection") == "close"
    assert hang_ups(effects) == [HangUp(LinkId(1), "head too large", violation=True)]
    assert ask(node, 1, get()) == []


def test_malformed_request_does_not_cut_the_answer_before_it(node):
    effects = ask(node, 1, get(), BadRequest(400, "not HTTP"), get())
    assert not hang_ups(effects)
    effects = run_out(node, effects)
    assert payload(effects) == CONTENT
    assert [head.status for head in heads(effects)] == [200, 400]
    assert effects[-1] == HangUp(LinkId(1), "not HTTP", violation=True)


def test_others_are_served_while_one_misbehaves(node):
    ask(node, 1, BadRequest(400, "not HTTP"))
    assert payload(run_out(node, ask(node, 2, get()))) == CONTENT


def test_waiting_requests_of_a_connection_are_bounded(node):
    effects = ask(node, 1, *[get(method="GET") for _ in range(PIPELINE_LIMIT + 10)])
    assert not hang_ups(effects)
    effects = run_out(node, effects)
    statuses = [head.status for head in heads(effects)]
    assert statuses == [200] * (PIPELINE_LIMIT + 1) + [429]
    assert hang_ups(effects)[0].violation


def test_connection_without_a_request_is_answered_408(node):
    assert node.deadline == TICK_SECONDS
    assert node.handle(Woken(), TICK_SECONDS) == []
    effects = node.handle(Woken(), LIMITS.head_seconds)
    assert [head.status for head in heads(effects)] == [408] * 3
    assert [(h.reason, h.violation) for h in hang_ups(effects)] == [("no request in time", False)] * 3


def test_idle_connection_is_closed_without_a_word(node):
    run_out(node, ask(node, 1, get(), now=0.0), now=100.0)
    for link in (2, 3):
        node.handle(LinkDown(LinkId(link), "gone"), 0.0)
    assert node.handle(Woken(), 100.0 + LIMITS.idle_seconds - 1) == []  # Counted from the answer's end.
    assert node.handle(Woken(), 200.0) == [HangUp(LinkId(1), "idle")]
    assert node.deadline is None


def test_download_that_takes_long_is_not_idle(node):
    ask(node, 1, get())
    effects = node.handle(Woken(), 10 * LIMITS.idle_seconds)
    assert LinkId(1) not in {effect.link for effect in hang_ups(effects)}


# --- Sharing the uplink ---------------------------------------------------------------------


def order_of(node, effects):
    return [link for link, _ in bodies(run_out(node, effects))]


def test_one_block_is_sent_at_a_time(node):
    assert len(bodies(ask(node, 1, get()) + ask(node, 2, get()))) == 1
    assert len(bodies(departed(node, 1))) == 1


def test_fair_uplink_goes_round_block_by_block(node):
    effects = [e for link in (1, 2, 3) for e in ask(node, link, get())]
    assert order_of(node, effects) == [1, 2, 3] * BLOCKS


def test_late_comer_gets_its_turn_in_the_next_round(node):
    ask(node, 1, get())
    assert bodies(ask(node, 2, get())) == []
    assert [link for link, _ in bodies(departed(node, 1))] == [2]
    assert [link for link, _ in bodies(departed(node, 2))] == [1]


def test_first_come_is_served_first_until_its_end():
    node = one_file_host(sharing="first come first served")
    connect(node, 1, 2, 3)
    effects = [e for link in (2, 1, 3) for e in ask(node, link, get())]
    assert order_of(node, effects) == [2] * BLOCKS + [1] * BLOCKS + [3] * BLOCKS


@pytest.mark.parametrize("sharing", ["fair", "first come first served"])
def test_reader_that_never_reads_does_not_hold_up_the_others(sharing):
    node = one_file_host(sharing=sharing)
    connect(node, 1, 2)
    ask(node, 1, get())
    ask(node, 2, get())
    effects = run_out(node, departed(node, 1, writable=False))
    assert [link for link, _ in bodies(effects)] == [2] * BLOCKS
    # When it reads at last it goes on where it was.
    assert payload(run_out(node, node.handle(Writable(LinkId(1)), 0.0))) == CONTENT[BLOCK_BYTES:]


@pytest.mark.parametrize("sharing", ["fair", "first come first served"])
def test_uplink_goes_on_when_a_link_ends_under_its_block(sharing):
    node = one_file_host(sharing=sharing)
    connect(node, 1, 2)
    ask(node, 1, get())
    ask(node, 2, get())
    assert node.handle(LinkDown(LinkId(1), "gone"), 0.0) == []
    effects = run_out(node, departed(node, 1, writable=False))
    assert [link for link, _ in bodies(effects)] == [2] * BLOCKS
    assert node.tally.requests_served == 1


def test_unlimited_uplink_sends_each_response_whole():
    node = one_file_host(block_bytes=None)
    connect(node, 1, 2)
    effects = run_out(node, ask(node, 1, get()) + ask(node, 2, get()))
    assert [body.payload_bytes for _, body in bodies(effects)] == [len(CONTENT)] * 2


class Failing:
    """A file that is shorter than it was."""

    size_bytes = 10 * BLOCK_BYTES

    def read(self, offset, size_bytes):
        if offset:
            raise StorageFault("truncated")
        return bytes(size_bytes)


def test_file_that_fails_ends_its_connection_alone():
    node = host_of(Fixed(Resource(Failing(), '"v1"', None, "text/plain")))
    connect(node, 1, 2)
    ask(node, 1, get())
    ask(node, 2, get(method="HEAD"))
    assert departed(node, 1) == [HangUp(LinkId(1), "storage failed")]
    assert heads(ask(node, 2, get(method="HEAD")))


# --- Stopping -------------------------------------------------------------------------------


def test_stopping_host_sends_no_further_payload(node):
    ask(node, 1, get())
    assert node.handle(Stopping(), 0.0) == []
    assert departed(node, 1) == []
    assert ask(node, 2, get()) == []
    assert node.deadline is None


def test_host_that_finishes_ends_idle_connections_and_lets_downloads_come_to_their_end():
    node = one_file_host(finishes=True)
    connect(node, 1, 2)
    effects = ask(node, 1, get(), get())
    assert node.handle(Stopping(), 0.0) == [HangUp(LinkId(2), "stopping")]
    assert not node.is_idle
    effects = run_out(node, effects)
    assert payload(effects) == CONTENT
    assert effects[-1] == HangUp(LinkId(1), "answered")
    assert node.is_idle


def test_directory_is_served(tmp_path):
    (tmp_path / "a").write_bytes(b"hello")
    node = host_of(Directory(tmp_path), block_bytes=None)
    connect(node, 1)
    effects = ask(node, 1, get("/a"))
    ((_, body),) = bodies(effects)
    assert (body.payload.offset, body.payload.nbytes) == (0, 5)
    assert find(heads(effects)[0].headers, "last-modified") is not None
