import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import one_run
from analysis.one_run import OpenedRun, first_arrivals, open_run, pieces_over_time
from analysis.transfers import Transfers

TRIAL = ("", "swarm", 2, 0)


def request(node_id, index, at, *, source=0, outcome="ok", unit="piece"):
    return {
        "architecture": "swarm",
        "clients": 2,
        "repeat": 0,
        "node_id": node_id,
        "source_id": source,
        "unit": unit,
        "index": index,
        "finished_seconds": at,
        "payload_bytes": 10,
        "outcome": outcome,
    }


@pytest.fixture
def opened():
    rows = [
        request(1, 0, 1.0),
        request(2, 1, 2.0),
        request(1, 1, 3.0, source=2),
        request(1, 1, 3.5, source=2),
        request(2, 0, 4.0, source=1),
        request(2, 0, 0.5, outcome="bad hash"),
        request(2, 0, 0.5, unit="file"),
    ]
    found = open_run(Transfers(pd.DataFrame(rows), lambda repeat: ""), TRIAL, 2, 20)
    assert found is not None
    return found


def entropy(*copies: int) -> float:
    shares = np.array(copies) / sum(copies)
    return float(-(shares * np.log2(shares)).sum())


def test_a_piece_counts_when_it_is_verified_for_the_first_time(opened):
    assert opened.arrived["finished_seconds"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert opened.clients == (1, 2)


def test_diversity_follows_every_piece(opened):
    found = pieces_over_time(opened.arrived, 2)
    assert found["finished_seconds"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert found["mean_copies"].tolist() == [0.5, 1.0, 1.5, 2.0]
    assert found["least_copies"].tolist() == [0, 1, 1, 2]
    assert found["evenness"].tolist() == pytest.approx([0, 1, entropy(1, 2), 1])


def test_progress_counts_each_clients_pieces(opened):
    held = one_run.held_over_time(opened, 10)
    assert held[held["node_id"] == 1]["held"].tolist() == [1, 2]


def test_picture_shows_when_each_client_had_each_piece(opened):
    assert one_run.arrival_picture(opened).tolist() == [[1.0, 3.0], [4.0, 2.0]]


def test_sources_are_in_copies_of_the_file_the_origin_first(opened):
    assert one_run.received_from(opened).tolist() == [[0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]


def test_a_trial_without_pieces_is_not_opened():
    rows = pd.DataFrame([request(1, 0, 1.0, unit="file")])
    assert open_run(Transfers(rows, lambda repeat: ""), TRIAL, 2, 20) is None
    assert open_run(Transfers(rows, lambda repeat: ""), ("", "swarm", 9, 0), 2, 20) is None


def large(clients, pieces):
    rng = np.random.default_rng(3)
    node, index = np.divmod(np.arange(clients * pieces), pieces)
    columns = {
        "node_id": node + 1,
        "source_id": rng.integers(0, clients + 1, len(node)),
        "index": index,
        "finished_seconds": rng.random(len(node)),
        "payload_bytes": np.ones(len(node), dtype=int),
    }
    return OpenedRun(first_arrivals(columns, pieces), tuple(range(1, clients + 1)), pieces, pieces)


def test_pictures_of_a_large_swarm_have_a_limited_size():
    opened = large(450, 700)
    arrivals = one_run.arrival_picture(opened)
    assert arrivals.shape == (one_run.MOST_ROWS, one_run.MOST_COLUMNS)
    assert not np.isnan(arrivals).any()
    received = one_run.received_from(opened)
    assert received.shape == (one_run.MOST_SOURCES, one_run.MOST_SOURCES + 1)
    assert received.sum(axis=1) == pytest.approx(1.0)  # Each has the whole file from somebody.


def test_diversity_of_a_large_swarm_has_few_steps_and_the_right_end():
    found = pieces_over_time(large(40, 50).arrived, 50)
    assert len(found) == one_run.MOST_STEPS
    assert found.iloc[-1][["mean_copies", "least_copies", "evenness"]].tolist() == [40, 40, 1]


@given(st.integers(1, 500), st.integers(2, 60))
def test_evenly_chosen_ids_keep_both_ends(count, most):
    chosen = one_run.evenly(tuple(range(count)), most)
    assert (chosen[0], chosen[-1]) == (0, count - 1)
    assert len(chosen) == min(count, most)
    assert chosen == sorted(set(chosen))
