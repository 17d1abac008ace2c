"""Everything that can be known to go wrong is found out before the first trial starts."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtests.estimate import bound_seconds, open_files
from loadtests.order import Slot, trial_order
from peers.settings import read_settings as read_peer_settings
from servers.settings import read_settings as read_server_settings
from testbed import content, scenario
from testbed.arrivals import parse_departures
from testbed.content import Content
from testbed.errors import ScenarioError
from testbed.load import expected_bytes
from testbed.outages import NEVER
from testbed.scenario import Scenario
from testbed.sockets import raise_open_file_limit
from testbed.units import format_bytes


def load_scenarios(
    path: Path,
    overrides: Mapping[str, object],
    *,
    file: Path | None = None,
    clients: Sequence[int] | None = None,
    repeats: int | None = None,
    seed: int | None = None,
) -> tuple[Scenario, ...]:
    """Read a scenario's variants; what the command line gives replaces what the file says.

    Raises:
      ScenarioError: one line naming file, key and what was expected.
    """
    replaced = dict(overrides)
    if file is not None:
        replaced["scenario.file"] = str(file.resolve())
    if clients is not None:
        replaced["scenario.clients"] = list(clients)
    if repeats is not None:
        replaced["scenario.repeats"] = repeats
    if seed is not None:
        replaced["scenario.seed"] = seed
    return tuple(_with_whole_path(one) for one in scenario.load_variants(path, replaced))


def _with_whole_path(loaded: Scenario) -> Scenario:
    """Name the file as it is known from everywhere: it was relative to where the user is."""
    if loaded.file is None:
        return loaded
    return dataclasses.replace(loaded, file=str(Path(loaded.file).resolve()))


def check(loaded: Scenario, world: str = "live") -> list[Slot]:
    """Check what needs no disk, and give the trials in their order.

    Raises:
      ScenarioError: a table of the architectures is wrong, or a process would need more open files
        than it may have.
    """
    read_server_settings(loaded.tables["servers"], loaded.source)
    peers = read_peer_settings(loaded.tables["peers"], loaded.source)
    slots = trial_order(loaded)
    if world != "live":
        return slots  # Sockets and files are the live world's.
    needed = open_files(slots, loaded, peers.neighbours)
    limit = raise_open_file_limit(needed.count)
    if limit < needed.count:
        raise ScenarioError(
            f"{loaded.source}: [scenario] clients: {needed.architecture} at N = {needed.clients} "
            f"needs about {needed.count:,} open files in one process, expected at most the limit of "
            f"{limit:,} (ulimit -n)"
        )
    return slots


def check_space(loaded: Scenario, world: str, file_bytes: int) -> None:
    """Check that the downloads of the largest trial fit where they will lie.

    Simulated nodes share one copy of the file in memory, and in the flow world there is none.

    Raises:
      ScenarioError: they do not.
    """
    if world == "flow":
        return
    downloads = max(loaded.clients) if world == "live" else 0
    each = round(expected_bytes(loaded.sizes, file_bytes))
    needed = each * downloads + (file_bytes if loaded.file is None else 0)
    content.ensure_space(Path(tempfile.gettempdir()), needed)


def check_time(loaded: Scenario, slots: Sequence[Slot], file_bytes: int, world: str = "live") -> None:
    """Check that no trial's bound lies beyond the limit: it would fail however well it went.

    Raises:
      ScenarioError: one does; or virtual time would not pass, where no line has a limit.
    """
    if parse_departures(loaded.departures).aborts_per_second:
        return  # Who gives up needs nothing.
    if loaded.origin_leaves != NEVER or loaded.origin_moves != NEVER:
        # The clients of a server that is gone give up; a swarm goes on, and so needs its time.
        slots = [slot for slot in slots if slot.architecture == "swarm"]
        if not slots:
            return
    limit = loaded.trial_limit_seconds
    bound, slot = max(
        ((bound_seconds(s.architecture, s.clients, loaded, file_bytes), s) for s in slots),
        key=lambda pair: pair[0],
    )
    bound += loaded.repetition.again_seconds
    if not bound and world == "simulated":
        raise ScenarioError(
            f"{loaded.source}: [links]: expected a rate, such as client_uplink; without any nothing "
            "takes time in the simulated world"
        )
    if bound > limit:
        raise ScenarioError(
            f"{loaded.source}: [scenario] trial_limit: expected more than {limit:g} s, since "
            f"{slot.architecture} at N = {slot.clients} needs at least {bound:.3g} s for "
            f'{format_bytes(file_bytes)}; try --set scenario.trial_limit="{2 * bound:.0f} s", '
            "fewer clients, or faster links"
        )


def size_of_file(loaded: Scenario) -> int:
    """How large the content will be.

    Raises:
      ScenarioError: the user's file is missing, unreadable or empty.
    """
    if loaded.file is None:
        return loaded.file_bytes or 0
    path = Path(loaded.file)
    if path.exists() and not path.is_file():
        raise ScenarioError(f"{path}: expected a regular file")
    try:
        with path.open("rb"):
            size = path.stat().st_size
    except OSError as error:
        raise ScenarioError(f"{path}: expected a readable file: {error.strerror}") from None
    if not size:
        raise ScenarioError(f"{path}: expected a file with content, this one is empty")
    return size


def make_content(loaded: Scenario, folder: Path, world: str = "live") -> Content:
    """Take the user's file, or make one up; the flow world only asks how large it is.

    Raises:
      ScenarioError: it cannot be read or written.
    """
    if world == "flow":
        return Content(Path(loaded.file or folder), size_of_file(loaded), "", loaded.name)
    if loaded.file is not None:
        return content.of_file(Path(loaded.file))
    return content.made_up(folder, loaded.file_bytes or 0, loaded.seed)
