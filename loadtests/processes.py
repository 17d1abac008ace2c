"""Processes that never outlive the one that started them.

A child asks the kernel to be killed when its parent ends (Linux), and everywhere its standard input
is a pipe or socket whose end means the same. The kernel's word comes when the *thread* that forked
ends: start children from the main thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""Where the packages are: children start here, so that they find them."""

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when `parent` ends; at once if it has ended already.

    Elsewhere than on Linux it does nothing: the end of standard input has to do.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # It ended before we asked.


def ignore_terminal_interrupts() -> None:
    """Leave Ctrl-C, which the terminal sends to everybody, to the process that decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM while something must not be left half done; then they count.

    Handlers, not a signal mask: a mask is one thread's, and libraries have threads of their own.
    """
    held_back: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: held_back.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if held_back:
            signal.raise_signal(held_back[0])


def describe_end(returncode: int) -> str:
    """Say how a process ended, for a reason in one line."""
    if returncode < 0:
        return f"ended (signal {-returncode})"
    return f"ended (exit code {returncode})"


def child_environment() -> dict[str, str]:
    """The environment of a child: without Locust's variables, which would change what it does."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
