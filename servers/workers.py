"""Several processes on one port: the kernel deals connections out to them (SO_REUSEPORT).

Each worker is a whole host with its share of the uplink and of the connections, 1/K each: a share that
one of them does not need is not lent to the others, as that would take a word between processes for
each block. So the uplink is used up only if the kernel deals out evenly, which it does by a hash of the
addresses: with few clients, unevenly. `/-/metrics` counts what the worker did that answers it.

The parent holds the port, starts the workers, passes signals on and waits. Ctrl-C reaches it alone. A
worker that ends by itself ends the host: who starts it again knows that something was wrong.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import math
import os
import signal
import sys
from collections.abc import Callable, Mapping

import trio

from servers.host import serve
from servers.host_settings import HostSettings
from testbed.sockets import hold_port

_PR_SET_PDEATHSIG = 1


def share_of(settings: HostSettings, workers: int, port: int) -> HostSettings:
    """What one of so many workers is told."""
    limits = dataclasses.replace(
        settings.limits, connections=math.ceil(settings.limits.connections / workers)
    )
    return dataclasses.replace(
        settings,
        port=port,
        shares_port=True,
        uplink_bytes_per_second=settings.uplink_bytes_per_second / workers,
        limits=limits,
    )


def serve_with_workers(
    settings: HostSettings, workers: int, on_listening: Callable[[str], None]
) -> int | signal.Signals:
    """Serve in so many processes until SIGINT or SIGTERM; give the signal that ended it.

    Call it from the main thread of a process that has no others.

    Returns:
      The signal, or the exit code of the worker that ended by itself.

    Raises:
      OSError: the address cannot be had.
    """
    holder = hold_port((settings.host, settings.port))
    share = share_of(settings, workers, holder.getsockname()[1])
    received: list[int] = []
    children: set[int] = set()

    def pass_on(number: int, _frame: object) -> None:
        received.append(number)
        _tell(children, number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        up, up_write = os.pipe()
        for _ in range(workers):
            child = os.fork()
            if not child:
                os.close(up)
                holder.close()
                _work(share, up_write, before)
            children.add(child)
        os.close(up_write)
        if received:  # It came while they were being started.
            _tell(children, received[0])
        with os.fdopen(up, encoding="ascii") as lines:
            urls = lines.readlines()
        if len(urls) == workers:
            on_listening(urls[0].strip())
        failed = _wait(children, received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _tell(children, signal.SIGKILL)
        holder.close()
    return signal.Signals(received[0]) if received else failed


def _tell(children: set[int], number: int) -> None:
    for child in list(children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)


def _wait(children: set[int], received: list[int]) -> int:
    """Wait for all. The first that ends without being told takes the others with it."""
    failed = 0
    while children:
        child, status = os.wait()
        children.discard(child)
        code = os.waitstatus_to_exitcode(status)
        if not received and not failed:
            failed = code if code > 0 else 1
            print(f"python -m servers: worker {child} ended ({code})", file=sys.stderr)
            _tell(children, signal.SIGTERM)
    return failed


def _work(settings: HostSettings, up: int, handlers: Mapping[signal.Signals, object]) -> None:
    """Be a worker; never returns."""
    os.setpgrp()  # Ctrl-C is the parent's.
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    for number, handler in handlers.items():
        signal.signal(number, handler)  # type: ignore[arg-type]  # As it was given to us.

    def say(url: str) -> None:
        os.write(up, url.encode("ascii") + b"\n")
        os.close(up)

    code = 0
    try:
        trio.run(functools.partial(serve, settings, say))
    except KeyboardInterrupt:
        code = 130
    except OSError as error:
        print(f"python -m servers: {error.filename or 'worker'}: {error.strerror}", file=sys.stderr)
        code = 2
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
