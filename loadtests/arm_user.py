"""What both locustfiles share: one Locust user is one client of a trial, and one test is one trial.

Locust's own pacing is not used: it locks all users of a batch to one phase. Each user has its due
time from the scenario's arrivals and waits for it; what it reports are the node's own times, counted
from when it was due. The client itself lives in a node host, a trio process beside this one.

Locust has been imported, and has patched the sockets, before it reads a locustfile.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import gevent
import msgspec
from gevent.os import make_nonblocking, nb_read
from locust import User, events, task
from locust.exception import StopUser
from locust.runners import LocalRunner

from loadtests.arm_options import add_options, plan_by_hand, read_plan
from loadtests.control import Finished
from loadtests.dashboard import honest_times
from loadtests.live_trial import LiveTrial, TrialFailed
from loadtests.plan import RESULT, Architecture, TrialPlan
from loadtests.processes import die_with_parent, ignore_terminal_interrupts
from testbed.errors import ScenarioError
from testbed.record import TrialRecord

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.25

EXIT_BAD_INPUT = 2


class Session:
    """One test of Locust's: a trial from its set-up to its record."""

    def __init__(self, environment: Any, plan: TrialPlan, *, by_hand: bool) -> None:
        self.plan = plan
        self.trial = LiveTrial(plan, self.say)
        self.over = False
        self._environment = environment
        self._by_hand = by_hand
        fd = environment.parsed_options.progress_fd
        self._progress_fd = int(fd) if fd else None
        self._unclaimed = iter(self.trial.clients)

    def begin(self) -> None:
        """Start processes and set up; the rest goes on in the background."""
        try:
            self.say("starting")
            self.trial.start_processes()
            self.trial.set_up()
        except TrialFailed:
            pass  # Its reason is in the trial; the users and `_conduct` find it there.
        gevent.spawn(self._conduct)

    def claim(self) -> int | None:
        """Give the next client that has no user yet."""
        return next(self._unclaimed, None)

    def say(self, phase: str) -> None:
        """Tell the sweep where the trial is: one line of JSON."""
        if self._progress_fd is None:
            return
        line = msgspec.json.encode(self.trial.progress(phase))
        os.write(self._progress_fd, line + b"\n")

    def _conduct(self) -> None:
        progress = gevent.spawn(self._report_progress)
        try:
            self.trial.wait_for_all()
        except TrialFailed as failed:
            logger.error("%s: %s", self.plan.describe(), failed)
        finally:
            progress.kill()
        if self.over:
            return  # Interrupted: there is no result.
        record = self.trial.conclude()
        self._write(record)
        self.end()
        runner = self._environment.runner
        if self._by_hand:
            self._print(record)
            self._environment.process_exit_code = int(record.trial.status != "complete")
        if self._environment.web_ui is None:
            runner.quit()
        else:
            runner.stop()

    def _report_progress(self) -> None:
        while True:
            self.say("running")
            gevent.sleep(PROGRESS_SECONDS)

    def _write(self, record: TrialRecord) -> None:
        path = Path(self.plan.folder) / RESULT
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.msgpack.encode(record))
        temporary.replace(path)

    def _print(self, record: TrialRecord) -> None:
        done = [one.finished_seconds for one in self.trial.finished.values()]
        joined = [one.joined_seconds for one in self.trial.finished.values()]
        trial = record.trial
        text = f"{self.plan.describe()}: {trial.status}"
        if trial.reason:
            text += f": {trial.reason}"
        elif done:
            text += f", all files verified, makespan {max(done) - min(joined):.3f} s"
        print(text, flush=True)

    def end(self) -> None:
        """End all processes. The first call counts."""
        if self.over:
            return
        self.over = True
        self.trial.fail("interrupted")
        self.trial.close()
        if self._by_hand:
            shutil.rmtree(self.plan.folder, ignore_errors=True)


class Arm:
    """The session that is under way, and Locust's events that begin and end it."""

    session: ClassVar[Session | None] = None

    @classmethod
    def on_init(cls, environment: Any, runner: Any, **_: Any) -> None:
        """Check what cannot work before anything starts."""
        options = environment.parsed_options
        if not isinstance(runner, LocalRunner):
            _refuse("the clients run in node hosts of their own; leave out --processes and --master")
        if len(environment.user_classes) != 1:
            _refuse("expected one architecture at a time: one locustfile")
        if options.parent_pid:
            die_with_parent(int(options.parent_pid))
            ignore_terminal_interrupts()
            gevent.spawn(_watch_parent)
        # Users leave by themselves when a trial ends, or at once when it is interrupted: the time
        # is only so long that no slow one is cut off, which would make the percentiles look better.
        environment.stop_timeout = environment.stop_timeout or 60
        honest_times.install(environment)
        # All users exist from the start; when each joins is the scenario's business.
        if options.spawn_rate is None:
            options.spawn_rate = options.num_users or 1

    @classmethod
    def on_test_start(cls, environment: Any, **_: Any) -> None:
        """Begin a trial with as many clients as there will be users."""
        options = environment.parsed_options
        if cls.session is not None:
            cls.session.end()
        try:
            plan = read_plan(options)
            by_hand = plan is None
            if plan is None:
                architecture: Architecture = environment.user_classes[0].architecture
                count = environment.runner.target_user_count
                plan = plan_by_hand(options, architecture, count)
            cls.session = Session(environment, plan, by_hand=by_hand)
        except ScenarioError as error:
            cls.session = None
            print(error, file=sys.stderr)
            environment.process_exit_code = EXIT_BAD_INPUT
            gevent.spawn(environment.runner.quit if options.headless else environment.runner.stop)
            return
        cls.session.begin()

    @classmethod
    def on_test_stopping(cls, **_: Any) -> None:
        """Release the users of a trial that is stopped before its end."""
        if cls.session is not None:
            cls.session.end()

    @classmethod
    def on_quit(cls, **_: Any) -> None:
        """Leave no process behind, however Locust came to its end."""
        if cls.session is not None:
            cls.session.end()


class ArmUser(User):
    """One client of the trial that is under way."""

    abstract = True
    architecture: Architecture

    @task
    def take_the_file(self) -> None:
        """Join when due, wait for the file, report the node's own times, and be done."""
        session = Arm.session
        client = session.claim() if session is not None else None
        if session is None or client is None:
            raise StopUser
        trial = session.trial
        started = time.time()
        try:
            due_seconds = trial.scheduled_seconds(client)
            finished = trial.join(client)
            self._report_download(session, finished, due_seconds, started)
            while trial.goes_on(finished):
                started, due_seconds = time.time(), finished.finished_seconds
                finished = trial.join_again(client, finished)
                self._report_download(session, finished, due_seconds, started)
        except TrialFailed as failed:
            if not session.over:
                self._report("whole file", 0.0, 0, started, RuntimeError(str(failed)))
            raise StopUser from failed
        raise StopUser

    def _report_download(
        self, session: Session, finished: Finished, due_seconds: float, started: float
    ) -> None:
        if finished.first_byte_seconds is not None:
            waited = finished.first_byte_seconds - due_seconds
            self._report("first byte", waited, 0, started, None)
        problem = None if finished.verified else RuntimeError(finished.reason)
        took = finished.finished_seconds - due_seconds
        size = session.trial.wanted_bytes[finished.node_id - 1]
        self._report("whole file", took, size, started, problem)

    def _report(
        self, name: str, seconds: float, size: int, started: float, problem: Exception | None
    ) -> None:
        self.environment.events.request.fire(
            request_type=self.architecture,
            name=name,
            response_time=seconds * 1000,
            response_length=size,
            exception=problem,
            context={},
            start_time=started,
        )


def _refuse(reason: str) -> None:
    print(reason, file=sys.stderr)
    raise SystemExit(EXIT_BAD_INPUT)


def _watch_parent() -> None:
    """End at once when the sweep is gone: it holds the other end of standard input."""
    make_nonblocking(0)
    while nb_read(0, 1024):
        pass
    os._exit(1)


def _listen() -> None:
    listeners: list[tuple[Any, Callable[..., None]]] = [
        (events.init_command_line_parser, lambda parser, **_: add_options(parser)),
        (events.init, Arm.on_init),
        (events.test_start, Arm.on_test_start),
        (events.test_stopping, Arm.on_test_stopping),
        (events.quit, Arm.on_quit),
    ]
    for event, listener in listeners:
        event.add_listener(listener)


_listen()
