"""The experiments with a server under load, at sizes that take a second."""

from __future__ import annotations

import dataclasses

import pytest

from analysis.load import prepare
from analysis.open_load import gather_responses, pool
from testbed.frames import frames_of
from testbed.scenario import load_variants
from testbed.store import Run
from tests.experiments.running import ROOT, point, run_scenario
from tests.worlds.simulating import make_plan, simulate

FORMULAS = {"rho .3": 0.0446, "rho .5": 0.0625, "rho .7": 0.1042, "rho .8": 0.1563, "rho .9": 0.3125}


def open_loads():
    return load_variants(ROOT / "scenarios" / "open_load.toml", {"scenario.clients": [50]})


@pytest.mark.parametrize("scenario", open_loads(), ids=lambda scenario: scenario.variant)
def test_under_open_load_the_uplink_is_shared_as_theory_says_whatever_the_sizes(scenario, tmp_path):
    record = simulate(make_plan(scenario, "server", 50, tmp_path)).record
    manifest = {"scenario": scenario.to_dict(), "world": "simulated"}
    run = prepare(Run(folder=tmp_path, manifest=manifest, **frames_of([record])))
    responses = gather_responses(run, {("origin apart", "server", 50, 0)})
    found = pool(list(responses.values()), scenario, run.file_bytes)
    assert found is not None
    assert found.requests == 50
    assert found.formula_seconds == pytest.approx(
        FORMULAS[scenario.variant.partition(",")[0]], abs=1e-4
    )
    (threshold,) = scenario.thresholds
    assert threshold.metric == "server_processor_sharing_ratio"
    assert threshold.margin(found.ratio) >= 0


def test_every_load_of_the_experiment_is_one_minute_of_arrivals():
    for scenario in load_variants(ROOT / "scenarios" / "open_load.toml"):
        rate = float(scenario.arrivals.split()[2])
        assert scenario.clients == (round(60 * rate),)
        links = dataclasses.asdict(scenario.links)
        assert links == dataclasses.asdict(open_loads()[0].links)


def test_a_server_saturates_at_as_many_users_as_its_uplink_is_downlinks(tmp_path):
    settings = ("--repeats", "1", "--set", "scenario.load=again for 3 s")
    ended = run_scenario(
        "saturation", tmp_path, "--world", "simulated", "--clients", "1,16,32", *settings
    )
    assert ended.exit_code == 0, ended.said
    assert point(ended.summary, "server", 32)["knee"] == pytest.approx(16, rel=0.1)
    for clients in (1, 16, 32):
        found = point(ended.summary, "server", clients)
        assert found["downloads"] >= 0.9 * 3 / 0.25 * min(clients, 16)
        assert found["efficiency"] > 0.9
