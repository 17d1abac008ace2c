"""A run as a whole, with trials that are invented."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from loadtests.order import trial_order
from loadtests.progress import QuietDisplay
from loadtests.resume import missing, resume
from loadtests.sweep import RunOrder, carry_out
from testbed.errors import ScenarioError, SchemaError
from testbed.record import TrialRecord
from testbed.scenario import Scenario
from testbed.store import RunWriter, load_run
from tests.testbed.make_record import make_record


@pytest.fixture(autouse=True)
def _temporary(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))


def scenario(**changes: Any) -> Scenario:
    values = {"name": "any", "clients": (1, 2), "repeats": 2, "file_bytes": 1000}
    return Scenario(**values | changes, tables={"servers": {}, "peers": {}})


def order(folder: Path, loaded: Scenario | None = None, **changes: Any) -> RunOrder:
    loaded = loaded or scenario()
    values = {
        "scenario": loaded,
        "world": "live",
        "slots": trial_order(loaded),
        "output": folder / "out",
        "command": "a test",
    }
    return RunOrder(**values | changes)


class Trials:
    """Makes every trial but the last of a list as it should be."""

    def __init__(self, last: int = 1000, end: str = "complete") -> None:
        self.plans = []
        self.last = last
        self.end = end

    def __call__(self, plan, on_progress) -> TrialRecord:
        self.plans.append(plan)
        assert Path(plan.folder).is_dir()
        (Path(plan.folder) / "node-host-0.log").write_text("what happened")
        status = "complete"
        if len(self.plans) == self.last:
            if self.end == "interrupt":
                raise KeyboardInterrupt
            status = self.end
        record = make_record(
            plan.architecture, plan.clients, plan.repeat, order=plan.order, status=status
        )
        for node in record.nodes:
            node.finished_seconds = 1.0
        return record


def test_a_run_makes_every_trial_and_is_complete(tmp_path):
    trials = Trials()
    outcome = carry_out(order(tmp_path), trials, QuietDisplay())
    assert (outcome.status, outcome.reasons) == ("complete", [])
    assert [plan.order for plan in trials.plans] == list(range(8))
    assert len(load_run(outcome.folder).trials) == 8


def test_a_run_says_on_what_it_was_measured(tmp_path):
    outcome = carry_out(order(tmp_path), Trials(), QuietDisplay())
    manifest = load_run(outcome.folder).manifest
    assert manifest["command"] == "a test"
    assert manifest["content_bytes"] == 1000
    assert manifest["environment"]["python"]


def test_all_trials_share_one_content_and_none_shares_a_folder(tmp_path):
    trials = Trials()
    carry_out(order(tmp_path), trials, QuietDisplay())
    assert len({plan.content.path for plan in trials.plans}) == 1
    assert len({plan.folder for plan in trials.plans}) == 8


def test_both_arms_of_a_repeat_share_seed_and_arrivals_and_repeats_do_not(tmp_path):
    trials = Trials()
    loaded = scenario(arrivals="poisson at 2 /s", clients=(3,))
    carry_out(order(tmp_path, loaded), trials, QuietDisplay())
    by_repeat = {}
    for plan in trials.plans:
        by_repeat.setdefault(plan.repeat, set()).add((plan.seed, plan.due_seconds()))
    assert [len(random) for random in by_repeat.values()] == [1, 1]
    assert by_repeat[0] != by_repeat[1]


def test_a_failed_trial_ends_the_run_and_leaves_its_log(tmp_path):
    trials = Trials(last=3, end="failed")
    outcome = carry_out(order(tmp_path), trials, QuietDisplay())
    failed = trials.plans[2]
    assert outcome.status == "failed"
    assert outcome.reasons == [f"{failed.describe()}: the origin was killed"]
    assert len(trials.plans) == 3
    name = f"{failed.architecture}-{failed.clients}-{failed.repeat}"
    logs = sorted((outcome.folder / "logs").rglob("*.log"))
    assert [path.relative_to(outcome.folder / "logs").as_posix() for path in logs] == [
        f"{name}/node-host-0.log"
    ]


def test_an_interrupt_keeps_the_trials_that_ended(tmp_path):
    outcome = carry_out(order(tmp_path), Trials(last=4, end="interrupt"), QuietDisplay())
    assert outcome.status == "partial"
    assert outcome.reasons == ["interrupted after 3 of 8 trials"]
    assert len(load_run(outcome.folder).trials) == 3


def test_an_interrupt_before_the_first_trial_ended_leaves_nothing(tmp_path):
    outcome = carry_out(order(tmp_path), Trials(last=1, end="interrupt"), QuietDisplay())
    assert (outcome.status, outcome.folder) == ("partial", None)
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]


def test_nothing_is_left_in_the_temporary_folder(tmp_path):
    carry_out(order(tmp_path), Trials(last=4, end="interrupt"), QuietDisplay())
    assert list((tmp_path / "tmp").iterdir()) == []


def test_bytes_that_were_not_conserved_make_a_run_invalid(tmp_path):
    class Leaking(Trials):
        def __call__(self, plan, on_progress) -> TrialRecord:
            record = super().__call__(plan, on_progress)
            record.trial.payload_received_bytes -= 1
            return record

    outcome = carry_out(order(tmp_path), Leaking(), QuietDisplay())
    assert outcome.status == "invalid"
    assert [reason.partition(":")[0] for reason in outcome.reasons] == ["Bytes conserved"]


def test_an_output_that_cannot_be_written_is_refused_before_the_content_is_made(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(ScenarioError, match="expected a place that can be written to"):
        carry_out(order(tmp_path), Trials(), QuietDisplay(), lambda: pytest.fail("announced"))


def test_content_that_cannot_be_read_leaves_no_run_behind(tmp_path):
    loaded = scenario(file=str(tmp_path / "none.bin"), file_bytes=None)
    with pytest.raises(ScenarioError, match=r"none\.bin"):
        carry_out(order(tmp_path, loaded), Trials(), QuietDisplay())
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]


def test_a_disk_that_is_full_at_the_end_costs_nothing_that_was_measured(tmp_path, monkeypatch):
    def full(self, status, reasons):
        raise ScenarioError("no space")

    monkeypatch.setattr(RunWriter, "finish", full)
    with pytest.raises(ScenarioError, match="no space"):
        carry_out(order(tmp_path), Trials(), QuietDisplay())
    (left,) = (tmp_path / "out" / "any").iterdir()
    assert len(resume(left, scenario(), "live").records) == 8


def test_an_interrupt_while_the_run_is_written_counts_afterwards(tmp_path, monkeypatch):
    finish = RunWriter.finish

    def interrupted_finish(self, status, reasons):
        os.kill(os.getpid(), signal.SIGINT)
        return finish(self, status, reasons)

    monkeypatch.setattr(RunWriter, "finish", interrupted_finish)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            carry_out(order(tmp_path), Trials(), QuietDisplay())
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(load_run(tmp_path / "out" / "latest").trials) == 8


def test_resuming_makes_only_what_is_missing_and_goes_on_counting(tmp_path):
    first = carry_out(order(tmp_path), Trials(last=4, end="interrupt"), QuietDisplay())
    earlier = resume(first.folder, scenario(), "live")
    slots = missing(trial_order(scenario()), earlier)
    trials = Trials()
    second = carry_out(order(tmp_path, slots=slots, earlier=earlier), trials, QuietDisplay())
    assert [plan.order for plan in trials.plans] == [3, 4, 5, 6, 7]
    whole = load_run(second.folder)
    assert whole.manifest["resumed_from"] == first.folder.name
    assert len(whole.trials.drop_duplicates(["architecture", "clients", "repeat"])) == 8


def test_a_trial_that_failed_is_made_again(tmp_path):
    first = carry_out(order(tmp_path), Trials(last=3, end="failed"), QuietDisplay())
    earlier = resume(first.folder, scenario(), "live")
    assert len(missing(trial_order(scenario()), earlier)) == 6


def test_a_run_of_another_scenario_is_not_resumed(tmp_path):
    first = carry_out(order(tmp_path), Trials(last=3, end="interrupt"), QuietDisplay())
    with pytest.raises(SchemaError, match="cannot be resumed"):
        resume(first.folder, scenario(seed=99), "live")


def test_a_users_file_that_has_changed_is_not_resumed(tmp_path):
    own = tmp_path / "own.bin"
    own.write_bytes(b"before")
    loaded = scenario(file=str(own), file_bytes=None)
    first = carry_out(order(tmp_path, loaded), Trials(last=3, end="interrupt"), QuietDisplay())
    own.write_bytes(b"behind")
    with pytest.raises(SchemaError, match="content_sha256"):
        resume(first.folder, loaded, "live")
