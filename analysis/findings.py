"""What a check found, in a trial and in a run, and how findings add up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pandas as pd

from analysis.load import TRIAL_KEYS


class State(Enum):
    """What a check found."""

    OK = "ok"
    FAILED = "failed"
    NOT_EXERCISED = "not exercised"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found in one trial."""

    trial: tuple[str, str, int, int]
    """Its keys: placement, architecture, clients, repeat."""
    state: State
    detail: str
    size: float = 0.0
    """How far off, in the check's own unit: the worst one is quoted."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check over the whole run."""

    name: str
    meaning: str
    """Why it is made, for a reader who doubts."""
    state: State
    detail: str
    findings: tuple[Finding, ...]

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The trials that did not pass."""
        return tuple(one for one in self.findings if one.state is State.FAILED)


def warnings_by_point(checks: Iterable[Check]) -> dict[tuple[str, str, int], list[str]]:
    """Gather what failed at each point: `check, repeat 2: detail`.

    Returns:
      By placement, architecture and clients; points without a failure are absent.
    """
    found: dict[tuple[str, str, int], list[str]] = {}
    for check in checks:
        for one in check.failures:
            placement, architecture, clients, repeat = one.trial
            text = f"{check.name}, repeat {repeat}: {one.detail}"
            found.setdefault((placement, architecture, clients), []).append(text)
    return found


def summed(name: str, meaning: str, findings: Sequence[Finding], when_ok: str) -> Check:
    """Make one check of its findings in all trials.

    Args:
      name: Of the check.
      meaning: Why it is made.
      findings: One a trial.
      when_ok: What to say when none failed; how many trials were looked at is added.
    """
    failed = [one for one in findings if one.state is State.FAILED]
    looked = [one for one in findings if one.state is not State.NOT_EXERCISED]
    if failed:
        worst = max(failed, key=lambda one: one.size)
        detail = (
            f"{len(failed)} of {_trials(len(findings))}; the worst, {_place(worst)}: {worst.detail}"
        )
        return Check(name, meaning, State.FAILED, detail, tuple(findings))
    if not looked:
        reason = findings[0].detail if findings else "no trials"
        return Check(name, meaning, State.NOT_EXERCISED, reason, tuple(findings))
    seen = _trials(len(findings))
    if len(looked) < len(findings):
        seen = f"{len(looked)} of {seen}, not exercised in the others"
    return Check(name, meaning, State.OK, f"{when_ok} ({seen})", tuple(findings))


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count} trials"


def _place(finding: Finding) -> str:
    _, architecture, clients, repeat = finding.trial
    return f"{architecture} at N = {clients}, repeat {repeat}"


def trial_keys(trials: pd.DataFrame) -> list[tuple[str, str, int, int]]:
    """Give the keys of every row."""
    return [trial_key(keys) for keys in trials[list(TRIAL_KEYS)].itertuples(index=False, name=None)]


def trial_key(keys: Any) -> tuple[str, str, int, int]:
    """Give a trial's keys as plain Python values."""
    placement, architecture, clients, repeat = keys
    return str(placement), str(architecture), int(clients), int(repeat)
