"""What the shortcut answered is written down when its client has acknowledged it, or asks again."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest

from servers import quick_record
from servers.access_log import AccessLog
from servers.metrics import Metrics
from servers.quick_record import QuickRecord, Served
from servers.recorder import GIVE_UP_SECONDS, LOOK_SECONDS, Recorder
from tests.servers.helpers import get

REMOTE = ("192.0.2.1", 4000)


class HandMoved:
    """A world whose clock is moved by hand."""

    def __init__(self) -> None:
        self.started_at = 100.0
        self.time = 0.0
        self.due = []

    def now(self):
        return self.time

    def call_at(self, when, function):
        self.due.append((when, function))

    def move_to(self, time):
        """Make what is due by then happen, at that moment."""
        self.time = time
        due, self.due = self.due, [later for later in self.due if later[0] > time]
        for when, function in due:
            if when <= time:
                function()


class Kept:
    """A record, and what has come of it."""

    def __init__(self, monkeypatch) -> None:
        self.world = HandMoved()
        self.out = io.BytesIO()
        self.log = AccessLog(100.0, self.out.write)
        self.metrics = Metrics(lambda: 0, dict)
        recorder = Recorder(self.world.now, lambda link: None, self.metrics, self.log)
        self.record = QuickRecord(self.world, recorder, self.metrics, self.log)
        self.unacknowledged = 1330
        self.asked = 0
        monkeypatch.setattr(quick_record.fcntl, "ioctl", self._ioctl)
        monkeypatch.setattr(quick_record.time, "monotonic", lambda: 100.0 + self.world.time)

    def _ioctl(self, _descriptor, _request, buffer):
        self.asked += 1
        buffer[:] = self.unacknowledged.to_bytes(4, "little")

    def answer(self, served, *, link=1, rested=False):
        now = self.world.time
        one = SimpleNamespace(id=link, fileno=3)
        self.record.add(one, REMOTE, served, now, now, all_sent=True, rested=rested)

    def lines(self):
        self.world.move_to(self.world.time)
        self.log.flush()
        return [json.loads(line) for line in self.out.getvalue().splitlines()]


@pytest.fixture
def kept(monkeypatch):
    return Kept(monkeypatch)


@pytest.fixture
def served():
    return Served(get("/100%25 \u00e9"), 200, 50, 1330, 1024)


def test_the_next_request_shows_that_an_answer_has_drained(kept, served):
    kept.answer(served)
    assert kept.lines() == []
    kept.world.time = 0.001
    assert kept.record.asks_again(1, 0.001)
    (line,) = kept.lines()
    assert (line["target"], line["drained_seconds"], line["total_seconds"]) == (
        "/100%25 \u00e9",
        0.001,
        0.001,
    )
    assert kept.asked == 0, "the kernel was asked what the client told"


def test_an_answer_that_is_acknowledged_at_once_took_no_time_to_drain(kept, served):
    kept.unacknowledged = 0
    kept.answer(served, rested=True)
    assert [line["drained_seconds"] for line in kept.lines()] == [0.0]
    assert not kept.record.asks_again(1, 5.0)


def test_an_answer_to_a_client_that_falls_silent_is_looked_after(kept, served):
    kept.answer(served)
    kept.world.move_to(LOOK_SECONDS)
    assert kept.lines() == []
    kept.unacknowledged = 0
    kept.world.move_to(2 * LOOK_SECONDS)
    assert [line["drained_seconds"] for line in kept.lines()] == [2 * LOOK_SECONDS]
    kept.world.move_to(1.0)
    assert kept.world.due == [], "nothing drains and somebody looks"


def test_what_is_never_acknowledged_is_given_up(kept, served):
    kept.answer(served)
    kept.world.move_to(GIVE_UP_SECONDS + 1.0)
    assert len(kept.lines()) == 1


def test_lines_of_one_turn_are_all_counted(kept, served):
    for link in range(1, 5):
        kept.answer(served, link=link)
    kept.record.close()
    assert len(kept.lines()) == 4
    assert 'requests_total{method="GET",status="200",complete="true"} 4' in kept.metrics.text()
