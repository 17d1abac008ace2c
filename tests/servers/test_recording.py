"""What is kept of a transaction: its steps, its line in the log, the counters."""

from __future__ import annotations

import io
import json
import socket

import pytest
import trio
from msgspec.structs import replace

from servers.access_log import AccessLog, to_stream
from servers.http1 import BadRequest, Encoded, RequestBegun, find
from servers.metrics import BUCKETS, METRICS_PATH, Metrics, WithMetrics
from servers.recorder import GIVE_UP_SECONDS, Recorder
from servers.transaction import Transaction
from testbed.node import Departed, LinkDown, LinkId, Writable
from tests.servers.helpers import CONTENT, ask, connect, get, heads, one_file_host

REMOTE = ("192.0.2.1", 4000)


class Watching:
    """A watch with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = 0.0
        self.kept: list[tuple[Transaction, bool]] = []

    def now(self):
        return self.time

    def done(self, link, remote, transaction, *, complete):
        self.kept.append((transaction, complete))


@pytest.fixture
def watch():
    return Watching()


def steps(transaction):
    t = transaction
    return [t.received - t.begun, t.found - t.received, t.sent - t.found, t.drained - t.sent]


def done(**fields: float):
    transaction = Transaction(get("/a b\n\u00e9"), 1.0, 1.25)
    transaction.status = 200
    transaction.found, transaction.sent, transaction.drained = 1.5, 2.0, 4.0
    for name, value in fields.items():
        setattr(transaction, name, value)
    return transaction


# --- The steps ------------------------------------------------------------------------------


def test_steps_follow_each_other_and_sum_to_the_total(watch):
    node = one_file_host(watch=watch, encodes=True, block_bytes=None)
    connect(node, 1)
    ask(node, 1, RequestBegun(), now=1.0)
    watch.time = 3.5
    ask(node, 1, get(), now=3.0)
    assert node.handle(Departed(LinkId(1), False), 4.0) == []
    node.handle(Writable(LinkId(1)), 7.5)
    ((transaction, complete),) = watch.kept
    assert complete
    assert steps(transaction) == [2.0, 0.5, 4.0, 0.0]
    assert sum(steps(transaction)) == transaction.total_seconds == 6.5
    assert transaction.payload_bytes == len(CONTENT)
    assert transaction.sent_bytes > transaction.payload_bytes


def test_waiting_behind_an_earlier_request_belongs_to_finding(watch):
    node = one_file_host(watch=watch)
    connect(node, 1)
    ask(node, 1, get("/file", ("Range", "bytes=0-0")), get("/none"), now=1.0)
    watch.time = 5.0
    node.handle(Departed(LinkId(1), True), 5.0)
    assert [steps(transaction)[1] for transaction, _ in watch.kept][1] == 4.0


def test_client_that_leaves_is_kept_as_incomplete(watch):
    node = one_file_host(watch=watch)
    connect(node, 1)
    ask(node, 1, get())
    node.handle(LinkDown(LinkId(1), "gone"), 1.0)
    assert [complete for _, complete in watch.kept] == [False]


def test_figures_are_sent_to_those_who_prefer_them(watch):
    node = one_file_host(watch=watch, block_bytes=None)
    connect(node, 1)
    preferring = replace(get("/none"), prefers_timing=True)
    watch.time = 1.002
    (first,) = heads(ask(node, 1, preferring, now=1.0))
    assert find(first.headers, "server-timing") == "received;dur=0.000, found;dur=2.000"
    (second,) = heads(ask(node, 1, preferring, now=1.0))
    assert "sent-before;dur=0.000, drained-before;dur=0.000" in find(second.headers, "server-timing")
    assert find(heads(ask(node, 1, get("/none")))[0].headers, "server-timing") is None


def test_figures_are_also_in_an_answer_of_bytes(watch):
    node = one_file_host(watch=watch, block_bytes=None, encodes=True)
    connect(node, 1)
    (effect,) = ask(node, 1, replace(get(), prefers_timing=True))
    assert isinstance(effect.message, Encoded)
    assert b"\r\nServer-Timing: received;dur=0.000, found;dur=0.000\r\n" in effect.message.framing


# --- The log --------------------------------------------------------------------------------


def lines_of(log, out):
    log.flush()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_line_has_the_times_and_bytes_of_the_steps():
    out = io.BytesIO()
    log = AccessLog(100.0, out.write)
    log.add(REMOTE, done(sent_bytes=300, payload_bytes=200, body_bytes=7), complete=True)
    (line,) = lines_of(log, out)
    assert line.pop("at") > 1e9
    assert line == {
        "monotonic": 101.0,
        "remote": "192.0.2.1",
        "port": 4000,
        "method": "GET",
        "target": "/a b\n\u00e9",
        "status": 200,
        "complete": True,
        "received_seconds": 0.25,
        "found_seconds": 0.25,
        "sent_seconds": 0.5,
        "drained_seconds": 2.0,
        "total_seconds": 3.0,
        "received_bytes": 7,
        "sent_bytes": 300,
        "payload_bytes": 200,
        "reason": "",
    }


def test_what_a_client_sends_cannot_begin_another_line():
    out = io.BytesIO()
    log = AccessLog(0.0, out.write)
    log.add(REMOTE, done(), complete=True)
    log.add(REMOTE, Transaction(BadRequest(400, "not HTTP"), 0.0, 0.0), complete=True)
    assert [line["reason"] for line in lines_of(log, out)] == ["", "not HTTP"]


def test_lines_are_dropped_and_counted_when_nobody_takes_them(monkeypatch):
    monkeypatch.setattr("servers.access_log.LINES_KEPT", 2)
    out = io.BytesIO()
    log = AccessLog(0.0, out.write)
    for _ in range(5):
        log.add(REMOTE, done(), complete=True)
    lines = lines_of(log, out)
    assert len(lines) == 3
    assert lines[-1] == {"dropped_lines": 3}


class Closed(io.BytesIO):
    """A pipe whose reader has gone."""

    def flush(self):
        raise BrokenPipeError


def test_log_that_nobody_reads_any_more_stops_nobody():
    to_stream(Closed())(b"line\n")


# --- The counters ---------------------------------------------------------------------------


def metric(text, name):
    (value,) = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(name + " ")]
    return float(value)


@pytest.fixture
def metrics():
    return Metrics(lambda: 3, lambda: {"not HTTP": 2})


def test_transactions_are_counted_by_how_they_ended(metrics):
    metrics.count(done(sent_bytes=300, payload_bytes=200), "GET", complete=True)
    metrics.count(done(), "GET", complete=True)
    metrics.count(done(), "GET", complete=False)
    metrics.count(done(status=400), "", complete=True)
    text = metrics.text()
    labels = 'file_host_requests_total{method="GET",status="200",complete='
    assert metric(text, labels + '"true"}') == 2
    assert metric(text, labels + '"false"}') == 1
    assert metric(text, 'file_host_requests_total{method="other",status="400",complete="true"}') == 1
    assert metric(text, "file_host_sent_bytes_total") == 300
    assert metric(text, "file_host_sent_payload_bytes_total") == 200
    assert metric(text, "file_host_connections") == 3
    assert metric(text, 'file_host_refused_total{reason="not HTTP"}') == 2


def test_seconds_of_the_steps_sum_to_those_of_the_histogram(metrics):
    for number in range(5):
        metrics.count(done(drained=2.0 + number), "GET", complete=True)
    text = metrics.text()
    names = [f'file_host_step_seconds_total{{step="{step}"}}' for step in ("received", "found", "sent")]
    assert [metric(text, name) for name in names] == [1.25, 1.25, 2.5]
    assert metric(text, 'file_host_step_seconds_total{step="drained"}') == 10.0
    assert metric(text, "file_host_request_seconds_sum") == 15.0
    assert metric(text, "file_host_request_seconds_count") == 5


def test_histogram_counts_what_is_no_larger_than_its_bounds(metrics):
    for seconds in (BUCKETS[0], BUCKETS[0] * 1.01, BUCKETS[-1] * 2):
        metrics.count(done(drained=1.0 + seconds), "GET", complete=True)
    text = metrics.text()
    buckets = [
        metric(text, f'file_host_request_seconds_bucket{{le="{bound}"}}') for bound in BUCKETS[:2]
    ]
    assert buckets == [1, 2]
    assert metric(text, 'file_host_request_seconds_bucket{le="+Inf"}') == 3


def test_every_series_has_its_type_before_it(metrics):
    metrics.count(done(), "GET", complete=True)
    known = set()
    for line in metrics.text().splitlines():
        if line.startswith("# TYPE "):
            known.add(line.split()[2])
        elif not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0]
            assert name in known or name.rpartition("_")[0] in known


def test_counters_are_a_page_among_the_files(metrics):
    class Nothing:
        def find(self, target):
            return None

    files = WithMetrics(Nothing(), metrics)
    assert files.find(METRICS_PATH + "?x").content == metrics.text().encode()
    assert files.find("/-/other") is None


# --- Draining -------------------------------------------------------------------------------


class Sock:
    """A link on a real socket."""

    def __init__(self, sock) -> None:
        self.fileno = sock.fileno()


class Kept:
    """A log that keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[tuple[Transaction, bool]] = []

    def add(self, remote, transaction, *, complete):
        self.lines.append((transaction, complete))


@pytest.fixture
def connected():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        with client, accepted:
            accepted.setblocking(False)
            yield accepted, client


def fill(sock):
    """Send until the kernel takes no more."""
    sent = 0
    try:
        while True:
            sent += sock.send(bytes(65536))
    except BlockingIOError:
        return sent


@pytest.mark.trio
async def test_transaction_is_kept_when_its_connection_has_drained(connected):
    accepted, client = connected
    log, clock = Kept(), Watching()
    recorder = Recorder(clock.now, lambda link: Sock(accepted), None, log)
    transaction = done(payload_bytes=1)
    left = fill(accepted)
    recorder.done(LinkId(1), REMOTE, transaction, complete=True)
    assert log.lines == []
    client.settimeout(20)
    while left:
        left -= len(client.recv(1 << 20))
    clock.time = 9.0
    with trio.fail_after(120):
        async with trio.open_nursery() as nursery:
            await nursery.start(recorder.run)
            while not log.lines:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert (log.lines, transaction.drained) == ([(transaction, True)], 9.0)


def test_next_request_of_a_connection_shows_that_it_has_drained(connected):
    accepted, _ = connected
    log, clock = Kept(), Watching()
    recorder = Recorder(clock.now, lambda link: Sock(accepted), None, log)
    fill(accepted)
    recorder.done(LinkId(1), REMOTE, done(payload_bytes=1), complete=True)
    recorder.done(LinkId(1), REMOTE, done(), complete=True)
    assert len(log.lines) == 2


def test_connection_that_never_drains_is_given_up(connected):
    accepted, _ = connected
    log, clock = Kept(), Watching()
    recorder = Recorder(clock.now, lambda link: Sock(accepted), None, log)
    fill(accepted)
    recorder.done(LinkId(1), REMOTE, done(payload_bytes=1), complete=True)
    recorder.look()
    assert log.lines == []
    clock.time = 3.0 + GIVE_UP_SECONDS
    recorder.look()
    assert len(log.lines) == 1


def test_what_drains_when_the_host_ends_is_kept(connected):
    accepted, _ = connected
    log, clock = Kept(), Watching()
    recorder = Recorder(clock.now, lambda link: Sock(accepted), None, log)
    fill(accepted)
    recorder.done(LinkId(1), REMOTE, done(payload_bytes=1), complete=True)
    recorder.close()
    assert len(log.lines) == 1


def test_closed_socket_has_drained_and_what_has_no_content_need_not():
    log = Kept()
    with socket.socket() as sock:
        closed = Sock(sock)
    closed.fileno = -1
    recorder = Recorder(Watching().now, lambda link: closed, None, log)
    recorder.done(LinkId(1), REMOTE, done(payload_bytes=1), complete=True)
    recorder.done(LinkId(2), REMOTE, done(), complete=False)
    assert [complete for _, complete in log.lines] == [True, False]
