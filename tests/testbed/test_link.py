"""A line lets through what its rate and burst allow, and its meter says when it does not."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import LocalMisuse
from testbed.link import CATCH_UP_SECONDS, Pacer, RateMeter
from testbed.live_link import LiveLink

RATE = 1000.0
BURST = 0.020


def busy_line() -> Pacer:
    pacer = Pacer(RATE, BURST)
    pacer.free_at = 0.0
    return pacer


def test_bytes_pass_one_after_the_other_at_the_rate():
    pacer = busy_line()
    assert pacer.reserve(500, 0.0) == pytest.approx(0.5)
    assert pacer.reserve(500, 0.0) == pytest.approx(1.0)


def test_an_idle_line_lets_its_burst_through_at_once():
    pacer = busy_line()
    assert pacer.reserve(20, 10.0) <= 10.0
    assert pacer.reserve(20, 10.0) == pytest.approx(10.020)


def test_idleness_earns_no_more_than_the_burst():
    pacer = busy_line()
    assert pacer.reserve(1000, 3600.0) == pytest.approx(3600.0 - BURST + 1.0)


def test_an_unlimited_line_never_waits():
    pacer = Pacer(math.inf)
    assert pacer.reserve(10**12, 5.0) <= 5.0


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_a_rate_that_is_not_positive_is_our_own_fault(rate):
    with pytest.raises(LocalMisuse):
        Pacer(rate)


@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 200)), min_size=1, max_size=60))
def test_no_window_carries_more_than_rate_times_its_length_and_one_burst(steps):
    """Whatever is asked for when, from any departure to any later one."""
    pacer = busy_line()
    now = 0.0
    departures = []
    for wait, size in steps:
        now += wait
        departures.append((max(now, pacer.reserve(size, now)), size))
    for first in range(len(departures)):
        carried = 0
        for last in range(first + 1, len(departures)):
            carried += departures[last][1]
            seconds = departures[last][0] - departures[first][0]
            assert carried <= RATE * (seconds + BURST) + 1e-6


@given(st.lists(st.floats(0, CATCH_UP_SECONDS), min_size=1, max_size=50))
def test_a_busy_line_loses_nothing_when_the_world_is_late(delays):
    """Each departure is noticed late; the line is on schedule all the same."""
    pacer = busy_line()
    pacer.backlogged = True
    due = pacer.reserve(100, 0.0)
    for delay in delays:
        due = pacer.reserve(100, due + delay)
    assert due == pytest.approx((len(delays) + 1) * 100 / RATE)


def test_a_world_that_stood_still_for_long_floods_nobody():
    pacer = busy_line()
    pacer.backlogged = True
    pacer.reserve(100, 0.0)
    assert pacer.reserve(100, 60.0) == pytest.approx(60.0 - CATCH_UP_SECONDS + 0.1)


def run_meter(times_and_bytes: list[tuple[float, int]], credit: float = 0.0) -> RateMeter:
    pacer = busy_line()
    meter = RateMeter(pacer)
    total = 0
    for at, size in times_and_bytes:
        total += size
        pacer.free_at = at - credit
        pacer.reserved_bytes = total
        meter.passed(total, at)
    meter.idle()
    return meter


def test_a_line_on_schedule_has_no_error():
    meter = run_meter([(step * 0.1, 100) for step in range(21)])
    assert meter.report().windows == 1
    assert meter.report().worst_error == pytest.approx(0.0, abs=1e-9)


def test_a_slow_line_is_reported():
    meter = run_meter([(step * 0.1, 95) for step in range(21)])
    assert meter.report().worst_error == pytest.approx(0.05)


def test_a_fast_line_is_reported_with_its_burst_taken_off():
    meter = run_meter([(step * 0.1, 110) for step in range(11)], credit=BURST)
    assert meter.report().worst_error == pytest.approx(0.1 - BURST)


def test_a_short_window_is_no_evidence():
    meter = run_meter([(step * 0.1, 50) for step in range(10)])
    assert meter.report().windows == 0


def test_what_a_line_took_in_for_a_link_that_ended_says_nothing_of_its_rate():
    pacer = busy_line()
    station = SimpleNamespace(
        downlink=pacer,
        downlink_meter=RateMeter(pacer),
        downlink_passed_bytes=0,
        links_held=0,
        ledger=SimpleNamespace(discarded_payload_bytes=0),
    )
    block = SimpleNamespace(payload_bytes=100)
    for step in range(30):
        passes_at = pacer.reserve(100, step * 0.1)
        station.links_held += 1
        if step == 10:  # Its link ends while the line takes it in.
            LiveLink._drop_held(SimpleNamespace(_held=([block], 100), station=station))
            continue
        station.links_held -= 1
        station.downlink_passed_bytes += 100
        station.downlink_meter.passed(station.downlink_passed_bytes, passes_at)
    assert station.ledger.discarded_payload_bytes == 100
    report = station.downlink_meter.report()
    assert report.windows == 1
    assert report.worst_error == pytest.approx(0.0, abs=1e-9)
