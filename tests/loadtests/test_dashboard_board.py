"""What the dashboard shows, without a browser: events in, states out."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.dashboard.board import SERIES_POINTS, Board
from loadtests.dashboard.events import (
    Began,
    Concluded,
    Ended,
    Lines,
    Listening,
    Moved,
    Planned,
    Reporting,
    StartAsked,
    StopAsked,
    ToPage,
    decode_from_page,
    decode_to_page,
    encode_line,
)
from loadtests.watching import ClientOutcome, NodeCounters, TrialProgress

FILE = 1000

PLANNED = Planned(scenario="any", question="Why?", clients=(2, 4), repeats=1, trials=4, file_bytes=FILE)
CONCLUDED = Concluded(
    status="complete",
    reasons=(),
    verdict="so",
    threshold_missed=False,
    folder="run",
    report_folder="/r",
)


def began(architecture="swarm", clients=2, repeat=0, order=0):
    return Began(order=order, architecture=architecture, clients=clients, repeat=repeat)


def moved(at_seconds, *sent_and_received: tuple[int, int], done=0, phase="running", held=0):
    nodes = tuple(
        NodeCounters(node, sent, received, held if node else 10)
        for node, (sent, received) in enumerate(sent_and_received)
    )
    return Moved(TrialProgress(phase, done, sum(r for _, r in sent_and_received), at_seconds, nodes))


def ended(*sent_and_received: tuple[int, int], status="complete", makespan=2.0):
    nodes = tuple(
        NodeCounters(node, sent, received, 10)
        for node, (sent, received) in enumerate(sent_and_received)
    )
    return Ended(status=status, reason="", makespan_seconds=makespan, nodes=nodes, outcomes=())


def board_after(*events: ToPage):
    board = Board()
    for event in (PLANNED, *events):
        board.apply(event)
    return board


def test_before_a_run_there_is_nothing_and_it_can_be_shown():
    state = Board().state()
    assert (state["run"]["stage"], state["pair"]) == ("waiting", None)
    assert state["sides"] == {"server": None, "swarm": None}
    msgspec.json.encode(state)


def test_a_trial_that_moves_shows_who_has_sent_what():
    board = board_after(began(), moved(0.5, (700, 0), (200, 500), (100, 500), done=1, held=5))
    side = board.state()["sides"]["swarm"]
    assert side["origin_uploaded_payload_bytes"] == 700
    assert side["clients_uploaded_payload_bytes"] == 300
    assert (side["done"], side["pieces_held"], side["pieces_wanted"]) == (1, 10, 20)
    assert side["elapsed_seconds"] == 0.5


def test_both_architectures_at_one_n_are_a_pair():
    board = board_after(
        began("server"), ended((2000, 0), (0, FILE), (0, FILE)), began("swarm", order=1), moved(0.1)
    )
    state = board.state()
    assert state["pair"] == (2, 0)
    assert state["sides"]["server"]["status"] == "complete"
    assert state["sides"]["swarm"]["status"] == "running"


def test_the_other_architecture_of_a_new_pair_has_not_begun():
    board = board_after(began("server"), ended((2000, 0)), began("server", clients=4, order=1))
    state = board.state()
    assert state["pair"] == (4, 0)
    assert state["sides"]["swarm"] is None


def test_an_earlier_pair_can_be_asked_for_and_one_that_is_not_there_gives_the_latest():
    board = board_after(began("server"), ended((2000, 0)), began("server", clients=4, order=1))
    assert board.state((2, 0))["sides"]["server"]["clients"] == 2
    assert board.state((3, 7))["pair"] == (4, 0)


def test_a_trial_that_has_ended_shows_what_its_rows_say():
    board = board_after(
        began(),
        moved(0.5, (700, 0), (0, 300), (0, 400)),
        ended((1200, 0), (500, FILE), (300, FILE), makespan=2.0),
    )
    side = board.state()["sides"]["swarm"]
    assert side["downloaded_payload_bytes"] == 2 * FILE
    assert side["done"] == 2
    assert side["rate_bytes_per_second"] == FILE
    assert side["rates"][-1][0] == 2.0


def test_a_trial_without_an_end_is_interrupted_when_the_run_is_over():
    for event in (Reporting(), CONCLUDED):
        board = board_after(began(), moved(0.5, (1, 0)), event)
        assert board.state()["sides"]["swarm"]["status"] == "interrupted"
        assert board.current is None


def test_a_second_run_begins_with_an_empty_board():
    board = board_after(began(), ended((2000, 0)), CONCLUDED, PLANNED)
    assert (board.state()["trials"], board.state()["run"]["stage"]) == ([], "running")
    assert board.state()["run"]["verdict"] == ""


def test_the_rate_is_over_the_last_second():
    board = board_after(
        began(), *(moved(tenth / 10, (0, 0), (0, 100 * tenth), (0, 0)) for tenth in range(31))
    )
    rates = board.state()["sides"]["swarm"]["rates"]
    assert rates[-1] == (3.0, pytest.approx(1000.0))


def test_counters_of_the_same_moment_replace_those_that_were_not_complete():
    board = board_after(
        began(), moved(0.5, (1, 0), (0, 0)), moved(0.5, (1, 0), (0, 500)), moved(0.4, (1, 0), (0, 0))
    )
    assert [time for time, _ in board.trials[0].rates()] == [0.0, 0.5]
    assert board.trials[0].rates()[-1][1] == 1000.0


def test_a_long_trial_keeps_few_points_and_its_last():
    board = board_after(began(), *(moved(n / 4, (n, 0), (0, n)) for n in range(5 * SERIES_POINTS)))
    series = board.trials[0].series
    assert len(series) <= SERIES_POINTS
    assert series[-1].at_seconds == (5 * SERIES_POINTS - 1) / 4
    assert [point.at_seconds for point in series] == sorted(point.at_seconds for point in series)


def test_time_before_the_first_client_is_due_is_not_part_of_the_trial():
    board = board_after(began(), moved(-0.5, (0, 0)), moved(0.0, (0, 0), phase="starting"))
    assert board.trials[0].series == []
    assert board.state()["sides"]["swarm"]["elapsed_seconds"] == 0.0


def test_downloads_have_a_row_for_each_node_and_for_each_trial():
    board = board_after(
        began("server"),
        ended((2000, 0), (0, FILE), (0, FILE)),
        began("swarm", order=1),
        moved(0.5, (700, 0), (200, 500), (100, 500)),
    )
    rows = list(board.node_rows())
    assert [row["node_id"] for row in rows] == [0, 1, 2, 0, 1, 2]
    assert [row["role"] for row in rows[:3]] == ["origin", "client", "client"]
    assert sum(row["uploaded_payload_bytes"] for row in rows) == 3000
    assert [row["status"] for row in board.trial_rows()] == ["complete", "running"]
    everything = msgspec.json.decode(msgspec.json.encode(board.everything()))
    assert [len(trial["nodes"]) for trial in everything["trials"]] == [3, 3]


counters = st.builds(NodeCounters, *[st.integers(0, 1 << 53)] * 4)
outcomes = st.builds(
    ClientOutcome,
    st.integers(0, 1 << 31),
    st.none() | st.floats(0, 1e6),
    st.floats(0, 1e6),
    st.text(),
)
progresses = st.builds(
    TrialProgress,
    st.text(),
    st.integers(0, 1 << 31),
    st.integers(0, 1 << 53),
    st.floats(-1e6, 1e6),
    st.lists(counters).map(tuple),
    st.lists(outcomes).map(tuple),
)
to_page = st.one_of(
    st.builds(Moved, progresses),
    st.just(PLANNED),
    st.just(CONCLUDED),
    st.just(Reporting()),
    st.builds(
        Ended,
        status=st.text(),
        reason=st.text(),
        makespan_seconds=st.none() | st.floats(0, 1e6),
        nodes=st.lists(counters).map(tuple),
        outcomes=st.lists(outcomes).map(tuple),
    ),
)


@given(st.lists(to_page), st.data())
def test_any_cut_of_the_bytes_gives_the_events_back(events, data):
    sent = b"".join(encode_line(event) for event in events)
    lines, received = Lines(), []
    while sent:
        length = data.draw(st.integers(1, len(sent)))
        received += [decode_to_page(line) for line in lines.feed(sent[:length])]
        sent = sent[length:]
    assert received == events


@pytest.mark.parametrize("event", [Listening(), StartAsked(), StopAsked()])
def test_what_the_page_says_is_understood(event):
    assert decode_from_page(encode_line(event).rstrip()) == event
