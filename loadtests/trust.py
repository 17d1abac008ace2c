"""Whether a run that went through may be believed: judged as its report will judge it.

The checks are the report's own (`analysis.checks`), made before the run gets its name, so that run.json
and the report cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.frames import frames_of
from testbed.record import TrialRecord
from testbed.store import Run


def doubts(folder: Path, manifest: Mapping[str, Any], records: Sequence[TrialRecord]) -> list[str]:
    """Say why the run must not be trusted, one line each; empty when nothing speaks against it.

    Args:
      folder: Where the run lies.
      manifest: What its run.json says so far.
      records: Its trials.
    """
    # Half a second of imports, which the first trial should not wait for.
    from analysis.load import prepare
    from analysis.summary import summarise

    ended = {**manifest, "status": "complete", "reasons": []}
    summary, _ = summarise(prepare(Run(folder=folder, manifest=ended, **frames_of(records))))
    return list(summary.reasons) if summary.status == "invalid" else []
