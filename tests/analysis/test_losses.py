import numpy as np
import pandas as pd
import pytest

from analysis.charts import drawable
from analysis.charts_of_capacity import losses_chart
from analysis.load import load
from analysis.losses import CAUSES, arrived_share, losses
from analysis.requests import gather_requests
from analysis.summary import summarise
from analysis.transfers import Transfers
from tests.analysis.make_run import make_run, make_scenario

KEYS = ["placement", "architecture", "clients", "repeat"]
TRIAL = ("", "swarm", 2, 0)
FILE_BYTES = 100


def request(node_id, first_byte, finished, size):
    return {
        "architecture": "swarm",
        "clients": 2,
        "repeat": 0,
        "node_id": node_id,
        "scheduled_seconds": first_byte,
        "started_seconds": first_byte,
        "first_byte_seconds": first_byte,
        "finished_seconds": finished,
        "payload_bytes": size,
        "outcome": "ok",
    }


def split(requests, *, bound, first_done, last, wire=0, waste=0):
    """Two clients from time 0 on; their links allow 200 bytes in `bound` seconds."""
    trials = pd.DataFrame(
        {
            "fluid_seconds": [bound],
            "makespan_seconds": [last],
            "first_join_seconds": [0.0],
            "last_completion_seconds": [last],
            "first_done_seconds": [first_done],
        },
        index=pd.MultiIndex.from_tuples([TRIAL], names=KEYS),
    )
    nodes = pd.DataFrame([dict(zip(KEYS, TRIAL, strict=True))]).assign(
        role="client",
        uploaded_wire_bytes=2 * FILE_BYTES + wire,
        uploaded_payload_bytes=2 * FILE_BYTES,
        wasted_payload_bytes=waste,
    )
    transfers = Transfers(pd.DataFrame(requests), lambda repeat: "")
    found = losses(trials, nodes, transfers, gather_requests(transfers, {TRIAL}), FILE_BYTES)
    return found.iloc[0] if len(found) else None


def test_time_until_everybody_has_something_is_start_up():
    """Nothing moves for 1 s, and then everything at the full rate."""
    requests = [request(node, 1.0, 1.0, 1) for node in (1, 2)]
    requests += [request(node, 1.0, 3.0, 99) for node in (1, 2)]
    found = split(requests, bound=2.0, first_done=3.0, last=3.0)
    # Of 3 s at 100 B/s, 300 B, 200 B were delivered; the two bytes at once are no loss.
    assert found["start_up"] == pytest.approx((100 - 2) / 300)
    assert found.drop(["start_up", "idle"]).sum() == 0
    assert found["idle"] == pytest.approx(2 / 300)


def test_time_in_which_some_are_done_is_the_tail():
    requests = [request(1, 0.0, 0.0, 1), request(2, 0.0, 0.0, 1)]
    requests += [request(1, 0.0, 2.0, 99), request(2, 0.0, 4.0, 99)]
    found = split(requests, bound=2.0, first_done=2.0, last=4.0)
    assert found["tail"] == pytest.approx((2 * 100 - 99 / 2) / 400)


def test_protocol_and_waste_are_taken_off_what_was_lost_in_between():
    requests = [request(node, 0.0, 0.0, 1) for node in (1, 2)]
    requests += [request(node, 0.0, 4.0, 99) for node in (1, 2)]
    found = split(requests, bound=2.0, first_done=4.0, last=4.0, wire=30, waste=50)
    assert found["protocol"] == pytest.approx(30 / 400)
    assert found["waste"] == pytest.approx(50 / 400)
    assert found["idle"] == pytest.approx(1 - 200 / 400 - 80 / 400)


@pytest.mark.parametrize("last", [2.0, 2.5, 8.0])
def test_losses_and_efficiency_add_up_to_everything(last):
    requests = [request(1, 0.3, last, 100), request(2, 0.1, last - 0.5, 100)]
    found = split(requests, bound=1.9, first_done=last - 0.5, last=last, wire=10, waste=500)
    assert found.sum() + 1.9 / last == pytest.approx(1.0)
    assert (found >= 0).all()
    assert list(found.index) == list(CAUSES)


def test_a_trial_faster_than_its_fluid_bound_lost_nothing():
    requests = [request(node, 0.0, 1.9, 100) for node in (1, 2)]
    assert split(requests, bound=2.0, first_done=1.9, last=1.9) is None


def test_bytes_arrive_evenly_and_at_once_where_it_takes_no_time():
    start, end = np.array([0.0, 1.0, 2.0]), np.array([2.0, 1.0, 4.0])
    assert arrived_share(start, end, 1.0).tolist() == [0.5, 1.0, 0.0]
    assert arrived_share(start, end, 0.5).tolist() == [0.25, 0.0, 0.0]


def test_what_was_not_recorded_is_not_called_lossless(tmp_path):
    """The flow world has no requests: nothing is known of when bytes arrived."""
    folder = make_run(
        tmp_path,
        make_scenario(clients=(2, 6), repeats=1),
        change=lambda record: record.transfers.clear(),
    )
    run = load(folder)
    assert losses_chart(drawable(run, *summarise(run))) is None
