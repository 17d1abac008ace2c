"""A scenario that cannot finish ends, says why, and says what is missing."""

from __future__ import annotations

import pytest

from loadtests.simulated_trial import SimulatedTrial
from testbed.simulator import SimulationStuck
from tests.experiments.running import run_command, run_scenario
from tests.worlds.simulating import make_plan, small_scenario

STUCK = """\
[scenario]
name = "stuck"
clients = [3]
repeats = 1
seed = 7
file_size = "256 KiB"
arrivals = "every 1 s"
trial_limit = "5 s"
architectures = ["swarm"]

[links]
origin_uplink = "64 KiB/s"
client_uplink = "64 KiB/s"
client_downlink = "512 KiB/s"

[peers]
piece_length = "16 KiB"
"""


def write(folder, text=STUCK):
    path = folder / "stuck.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("world", ["simulated", "flow"])
def test_a_run_that_meets_its_limit_fails_with_the_reason(world, tmp_path):
    # The bound of the whole crowd fits the limit, but the last client comes after it.
    path = write(tmp_path, STUCK.replace("every 1 s", "every 30 s"))
    ended = run_command(path, "--world", world, "--output", tmp_path / "out")
    assert ended.exit_code == 1
    reason = ended.reasons[0]
    assert "not done within 5 s" in reason
    assert "of 3 clients unfinished" in reason


def test_an_origin_that_is_gone_leaves_pieces_that_nobody_has(tmp_path):
    trial = SimulatedTrial(make_plan(small_scenario(), "swarm", 3, tmp_path))
    trial.set_up()
    trial.stations[0].leave()
    trial.set_up = lambda: None
    record = trial.run(lambda progress: None)
    assert record.trial.status == "failed"
    assert "3 of 3 clients unfinished (1, 2, 3)" in record.trial.reason
    assert "16 pieces that nobody has: 0, 1, 2, 3, 4, 5, 6, 7 …" in record.trial.reason


def test_nodes_that_never_come_to_rest_meet_the_limit_of_events(tmp_path, monkeypatch):
    monkeypatch.setattr("loadtests.simulated_trial.SPARE_CALLS", 0)
    monkeypatch.setattr("loadtests.simulated_trial.CALLS_A_BLOCK", 1)
    trial = SimulatedTrial(make_plan(small_scenario(), "swarm", 3, tmp_path))
    record = trial.run(lambda progress: None)
    assert record.trial.status == "failed"
    assert "events" in record.trial.reason
    assert "clients unfinished" in record.trial.reason
    assert issubclass(SimulationStuck, Exception)


NEVER = {
    "no origin uplink": ('origin_uplink = "64 KiB/s"', 'origin_uplink = "0 KiB/s"', "origin_uplink"),
    "no client uplink": ('client_uplink = "64 KiB/s"', 'client_uplink = "0 KiB/s"', "client_uplink"),
    "unreachable nodes": ("[peers]", "[peers]\nneighbours = 0", "[peers] neighbours"),
    "no time": ('"5 s"', '"1 s"', "[scenario] trial_limit: expected more than 1 s"),
}


@pytest.mark.parametrize("world", ["live", "simulated", "flow"])
@pytest.mark.parametrize(("right", "wrong", "names"), NEVER.values(), ids=NEVER.keys())
def test_what_can_never_finish_is_refused_before_it_starts(right, wrong, names, world, tmp_path):
    ended = run_command(
        write(tmp_path, STUCK.replace(right, wrong)), "--world", world, "--output", tmp_path / "out"
    )
    assert ended.exit_code == 2
    assert len(ended.said.splitlines()) == 1
    assert names in ended.said
    assert not (tmp_path / "out").exists()


ONLY = {
    "ten million nodes": (
        "simulated",
        ("--set", "scenario.clients=[10000000]", "--set", "scenario.trial_limit=2000 h"),
        "the simulated world carries up to",
    ),
    "too many addresses": (
        "live",
        ("--set", "scenario.clients=[70000]", "--set", "scenario.trial_limit=2000 h"),
        "clients",
    ),
    "clients that give up": (
        "live",
        ("--set", "scenario.departures=gives up at 0.1 /s"),
        "clients that give up are for the simulated",
    ),
    "delay": ("flow", ("--set", "links.latency=20 ms"), "neither delay nor loss"),
}


@pytest.mark.parametrize(("world", "settings", "says"), ONLY.values(), ids=ONLY.keys())
def test_what_another_world_must_run_says_so_before_it_starts(world, settings, says, tmp_path):
    ended = run_scenario("flash_crowd", tmp_path / "out", "--world", world, *settings)
    assert ended.exit_code == 2
    assert says in ended.said
    assert len(ended.said.splitlines()) == 1


def test_a_scenario_that_is_made_for_one_world_is_refused_by_the_others(tmp_path):
    ended = run_scenario("unequal", tmp_path / "out", "--world", "live")
    assert ended.exit_code == 2
    assert "[scenario] worlds: made for simulated and flow, not for the live world" in ended.said
