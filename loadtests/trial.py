"""One live trial as the sweep sees it: a Locust process with an end, a result or a reason.

Locust gets a fresh process for every trial: fresh statistics, nothing left of the one before. Its
standard input is a pipe whose end tells it that the sweep is gone.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil

from loadtests.plan import RESULT, TrialPlan
from loadtests.processes import ROOT, child_environment, describe_end
from loadtests.watching import TrialProgress
from testbed.record import TrialRecord, TrialRow

#: On top of the trial's limit: set-up, draining and reading the files back.
SURROUNDINGS_SECONDS = 240.0

#: How long Locust may take to go when asked to; it must be gone within 5 s of an interrupt.
STOP_SECONDS = 2.0

#: A process that has closed its pipe is about to end.
END_SECONDS = 10.0


def run_live_trial(plan: TrialPlan, on_progress: Callable[[TrialProgress], None]) -> TrialRecord:
    """Run one trial under Locust; one that fails is a record too, with its reason.

    Raises:
      KeyboardInterrupt: passed on, with every process of the trial gone.
    """
    folder = Path(plan.folder)
    plan_path = folder / "plan.msgpack"
    plan_path.write_bytes(msgspec.msgpack.encode(plan))
    started = datetime.now(UTC)
    began = time.monotonic()
    limit = plan.scenario["trial_limit_seconds"] + SURROUNDINGS_SECONDS
    with _locust(plan, plan_path) as locust:
        if not locust.follow(began + limit, on_progress):
            reason = f"Locust did not end within {limit:.0f} s"
        else:
            reason = f"Locust {describe_end(locust.process.wait(timeout=END_SECONDS))}"
    result = folder / RESULT
    if result.exists():
        return msgspec.msgpack.decode(result.read_bytes(), type=TrialRecord)
    return failed_record(plan, reason, started.isoformat(), time.monotonic() - began)


def failed_record(plan: TrialPlan, reason: str, started_utc: str, wall_seconds: float) -> TrialRecord:
    """Record a trial of which nothing is known but that it failed."""
    trial = TrialRow(
        architecture=plan.architecture,
        clients=plan.clients,
        repeat=plan.repeat,
        order=plan.order,
        placement=plan.placement,
        status="failed",
        reason=reason,
        started_utc=started_utc,
        wall_seconds=wall_seconds,
        payload_sent_bytes=0,
        payload_received_bytes=0,
        files_verified=0,
        files_expected=plan.clients,
        generator_cpu_fraction=0.0,
        node_host_cpu_fraction=0.0,
        node_host_memory_bytes=0,
        link_rate_windows=0,
        link_rate_error_max=None,
        violations="{}",
    )
    return TrialRecord(trial=trial, nodes=[], transfers=[], samples=[])


@contextlib.contextmanager
def _locust(plan: TrialPlan, plan_path: Path) -> Iterator[_Locust]:
    """Start Locust, and leave nothing of it behind."""
    receiving, sending = os.pipe()
    try:
        with (Path(plan.folder) / "locust.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "locust", *_arguments(plan, plan_path, sending)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(sending,),
                cwd=ROOT,
                env=child_environment(),
                # Its own group: the terminal's Ctrl-C is for the sweep, which decides.
                process_group=0,
            )
    except BaseException:
        os.close(receiving)
        raise
    finally:
        os.close(sending)
    locust = _Locust(process, receiving)
    try:
        yield locust
    finally:
        locust.stop()
        os.close(receiving)


def _arguments(plan: TrialPlan, plan_path: Path, progress_fd: int) -> list[str]:
    count = str(plan.clients)
    return [
        *("-f", str(ROOT / "loadtests" / f"{plan.architecture}_arm.py")),
        *("--headless", "-u", count, "-r", count),
        *("--only-summary", "--loglevel", "WARNING"),
        *("--trial-plan", str(plan_path)),
        *("--progress-fd", str(progress_fd)),
        *("--parent-pid", str(os.getpid())),
    ]


class _Locust:
    """A Locust process, its node hosts, and the pipe on which it tells where it is."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: int) -> None:
        self.process = process
        self._pipe = pipe
        self._hosts: list[psutil.Process] = []

    def follow(self, deadline: float, on_progress: Callable[[TrialProgress], None]) -> bool:
        """Pass progress on until Locust closes its end; False when the deadline came first."""
        buffer = b""
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([self._pipe], [], [], left)
            if not ready:
                break
            data = os.read(self._pipe, 65536)
            if not data:
                return True
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                progress = msgspec.json.decode(line, type=TrialProgress)
                if not self._hosts and progress.phase == "running":
                    self._hosts = self._children()
                on_progress(progress)
        return False

    def _children(self) -> list[psutil.Process]:
        try:
            return list(psutil.Process(self.process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return []

    def stop(self) -> None:
        """End Locust, then its node hosts: they go by themselves, but nothing is left to chance."""
        hosts = self._hosts or self._children()
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        # psutil knows a process by its start time too: a reused number is not killed.
        for host in psutil.wait_procs(hosts, timeout=STOP_SECONDS)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                host.kill()
