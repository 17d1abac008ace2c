"""Runs single live trials, as the sweep does, without the sweep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil

from loadtests import preflight
from loadtests.plan import Architecture, TrialPlan, plan_content
from loadtests.trial import TrialProgress, run_live_trial
from testbed.record import TrialRecord
from testbed.scenario import read_settings
from tests.loadtests.running import write_scenario


def run_trial(
    folder: Path,
    architecture: Architecture,
    clients: int,
    *settings: str,
    file: Path | None = None,
    on_progress: Callable[[TrialProgress], None] = lambda _: None,
) -> TrialRecord:
    """Run a trial of the tiny scenario, with these settings replaced, in this folder."""
    (scenario,) = preflight.load_scenarios(
        write_scenario(folder), read_settings(settings), file=file, clients=[clients]
    )
    trial_folder = folder / "trial"
    trial_folder.mkdir()
    plan = TrialPlan(
        architecture=architecture,
        clients=clients,
        repeat=0,
        order=0,
        scenario=scenario.to_dict(),
        content=plan_content(preflight.make_content(scenario, folder)),
        folder=str(trial_folder),
    )
    return run_live_trial(plan, on_progress)


class Killer:
    """Kills the trial's process with this word on its command line, once content flows."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.family: list[psutil.Process] = []

    def __call__(self, progress: TrialProgress) -> None:
        """Take notice of where the trial is."""
        if self.family or not progress.downloaded_payload_bytes:
            return
        self.family = psutil.Process().children(recursive=True)
        victims = [process for process in self.family if self.word in process.cmdline()]
        assert len(victims) == 1, self.word
        victims[0].kill()

    @property
    def survivors(self) -> list[psutil.Process]:
        """Who of the trial still runs."""
        return [process for process in self.family if process.is_running()]
