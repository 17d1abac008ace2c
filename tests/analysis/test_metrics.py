import math

import numpy as np
import pandas as pd
import pytest

from analysis import metrics

NAN = float("nan")
FILE_BYTES = 1000


def node(node_id, role="client", **values: object):
    common = {
        "placement": "",
        "architecture": "swarm",
        "clients": 2,
        "repeat": 1,
        "node_id": node_id,
        "role": role,
        "nodes": 1,
        "joined_seconds": 0.0,
        "finished_seconds": NAN,
        "left_seconds": 10.0,
        "verified": True,
        "uplink_bytes_per_second": 100.0,
        "downlink_bytes_per_second": 100.0,
        "uploaded_payload_bytes": 0,
        "downloaded_payload_bytes": 0,
        "uploaded_wire_bytes": 0,
        "downloaded_wire_bytes": 0,
        "wasted_payload_bytes": 0,
        "connections_dialled": 0,
        "connections_accepted": 0,
        "requests_made": 0,
        "requests_served": 0,
        "away_seconds": 0.0,
        "file": "",
    }
    return common | values


@pytest.fixture
def nodes():
    return pd.DataFrame(
        [
            node(0, "origin", finished_seconds=0.0, uploaded_payload_bytes=1500,
                 uploaded_wire_bytes=1600),
            node(1, joined_seconds=1.0, finished_seconds=6.0, uploaded_payload_bytes=500,
                 downloaded_payload_bytes=1000, downloaded_wire_bytes=1100,
                 uploaded_wire_bytes=600, requests_made=2, connections_dialled=1),
            node(2, joined_seconds=2.0, finished_seconds=11.0, left_seconds=11.0,
                 downloaded_payload_bytes=1100, downloaded_wire_bytes=1200,
                 wasted_payload_bytes=100, requests_made=4, connections_dialled=2),
            node(3, "tracker", finished_seconds=NAN, verified=False, uploaded_wire_bytes=999),
        ]
    )  # fmt: skip


def test_makespan_is_first_join_to_last_completion(nodes):
    row = metrics.makespans(nodes).iloc[0]
    assert row["makespan_seconds"] == 10.0
    assert row["first_done_seconds"] == 5.0
    assert row["mean_completion_seconds"] == 7.0
    assert row["median_completion_seconds"] == 7.0


def test_completion_counts_from_each_clients_own_join(nodes):
    assert metrics.completions(nodes)["completion_seconds"].tolist() == [5.0, 9.0]


def test_trial_with_an_unfinished_client_has_no_makespan(nodes):
    nodes.loc[2, "finished_seconds"] = NAN
    found = metrics.makespans(nodes)
    assert found["finished_fraction"].tolist() == [0.5]
    assert found.drop(columns="finished_fraction").isna().all(axis=None)


def test_client_whose_file_is_wrong_did_not_complete(nodes):
    nodes.loc[2, "verified"] = False
    assert math.isnan(metrics.completions(nodes)["completion_seconds"].iloc[1])
    assert metrics.makespans(nodes)["makespan_seconds"].isna().all()


def test_goodput_is_verified_payload_over_makespan(nodes):
    row = metrics.rates(nodes, FILE_BYTES).iloc[0]
    assert row["goodput_bytes_per_second"] == 2 * FILE_BYTES / 10
    assert row["throughput_bytes_per_second"] == 2300 / 10


def test_utilisation_counts_the_time_each_uplink_was_online(nodes):
    # The run is 1 s to 11 s: the origin stays until 10 s, client 1 too, client 2 from 2 s to 11 s.
    possible = 100.0 * (9 + 9 + 9)
    row = metrics.rates(nodes, FILE_BYTES).iloc[0]
    assert row["uplink_utilisation"] == pytest.approx(2200 / possible)


def test_a_class_of_clients_counts_as_so_many(nodes):
    classes = nodes.assign(nodes=[1, 3, 1, 1])
    span = metrics.makespans(classes).iloc[0]
    assert span["mean_completion_seconds"] == (3 * 5 + 9) / 4
    assert span["median_completion_seconds"] == 5.0
    goodput = metrics.rates(classes, FILE_BYTES)["goodput_bytes_per_second"].iloc[0]
    assert goodput == pytest.approx(2 * metrics.rates(nodes, FILE_BYTES).iloc[0, 0])
    assert metrics.initiative(classes).loc[("", "swarm", 2, "client"), "nodes"] == 4


def test_unlimited_uplinks_have_no_utilisation(nodes):
    nodes.loc[0, "uplink_bytes_per_second"] = np.inf
    assert metrics.rates(nodes, FILE_BYTES)["uplink_utilisation"].isna().all()


def test_offload_is_what_did_not_come_from_the_origin(nodes):
    assert metrics.offloads(nodes).iloc[0] == pytest.approx(1 - 1500 / 2100)


def test_waste_is_a_share_of_payload_received(nodes):
    assert metrics.waste(nodes).iloc[0] == pytest.approx(100 / 2100)


def test_roles_are_counted_per_node(nodes):
    counted = metrics.initiative(nodes).loc[("", "swarm", 2)]
    assert counted.loc["client", "nodes"] == 2
    assert counted.loc["client", "requests_made"] == 3.0
    assert counted.loc["client", "connections_dialled"] == 1.5
    assert counted.loc["origin", "uploaded_payload_bytes"] == 1500


def test_first_byte_counts_from_the_clients_own_join(nodes):
    first = pd.DataFrame(
        {"first_byte_seconds": [1.3]},
        index=pd.MultiIndex.from_tuples(
            [("", "swarm", 2, 1, 1)], names=[*metrics.TRIAL_KEYS, "node_id"]
        ),
    )
    found = metrics.first_bytes(nodes, first).set_index("node_id")["first_byte_seconds"]
    assert found[1] == pytest.approx(0.3)
    assert math.isnan(found[2])


def test_what_passes_through_a_relay_counts_in_and_out_and_a_tracker_passes_nothing():
    rows = [
        node(0, "origin", architecture="server", uploaded_payload_bytes=1000),
        node(1, architecture="server", downloaded_payload_bytes=1000),
        node(2, "relay", architecture="server", uploaded_payload_bytes=1000,
             downloaded_payload_bytes=1000),
        node(3, "tracker"),
    ]  # fmt: skip
    copies = metrics.through_copies(pd.DataFrame(rows), FILE_BYTES).droplevel(["placement", "repeat"])
    assert copies.to_dict() == {("server", 2): 2.0, ("swarm", 2): 0.0}


def test_without_a_third_party_nothing_passes_through_one():
    rows = pd.DataFrame([node(0, "origin"), node(1)])
    assert metrics.through_copies(rows, FILE_BYTES).empty


def test_files_are_counted_by_what_they_are_where_somebody_looked():
    rows = [node(0, "origin"), node(1, file="mixed"), node(2, file="whole"), node(3, file="mixed")]
    (found,) = metrics.client_files(pd.DataFrame(rows)).to_dict("records")
    assert found == {
        "whole_files": 1,
        "replaced_files": 0,
        "partial_files": 0,
        "mixed_files": 2,
        "wrong_files": 0,
        "none_files": 0,
    }
    assert metrics.client_files(pd.DataFrame([node(0, "origin"), node(1)])).empty
