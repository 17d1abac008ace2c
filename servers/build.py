"""Who takes part in the client-server architecture: file hosts and N downloaders."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from servers.choice import OriginChoice
from servers.downloader import HTTP_WIRE, Downloader
from servers.envelope import Envelope
from servers.files import Directory, Files, OneFile
from servers.limits import Limits
from servers.manner import Manner
from servers.methods import Methods
from servers.node import BLOCK_BYTES, FileHost
from servers.reading import Reading
from servers.settings import read_settings
from servers.step_clock import StepClock
from servers.steps import MeasuredHost
from servers.uploader import Uploader
from servers.uploads_routes import SIZE_LIMIT_BYTES, storing_methods
from servers.wire import Http
from testbed.cast import Known, Place, origin_and_clients
from testbed.content import Content
from testbed.errors import LocalMisuse, ScenarioError
from testbed.node import Node, NodeId
from testbed.outages import NEVER
from testbed.replacement import new_version
from testbed.scenario import Scenario
from testbed.storage import FileStorage, FolderStorage, Storage
from testbed.wire import Wire


class ServerCast:
    """Everybody who takes part in one trial of the client-server architecture."""

    architecture = "server"

    def __init__(
        self, scenario: Scenario, content: Content, clients: int, seed: int, *, hashes: bool = True
    ) -> None:
        """Make a cast. `hashes` off: content is shared in memory and cannot differ (simulation).

        Raises:
          ScenarioError: the [servers] table is wrong.
        """
        self._settings = read_settings(scenario.tables["servers"], scenario.source)
        if self._settings.relay and not hashes:
            where = f"{scenario.source}: [servers] relay"
            raise ScenarioError(f"{where}: expected the live world, where there are disks")
        self._links = scenario.links
        self._content = content
        self._clients = clients
        self._seed = f"{seed} {clients}"
        self._hashes = hashes
        self._replaces = scenario.origin_replaces_file != NEVER
        self._scenario_seed = scenario.seed
        self._choice: OriginChoice | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        """The origin, its clients, and further origins; or a relay with a line as the origin's."""
        first, *others = origin_and_clients(
            self._links,
            self._clients,
            origin_accepts=HTTP_WIRE,
            clients_accept=None,
            origins=self._settings.origins,
        )
        if not self._settings.relay:
            return (first, *others)
        relay = replace(first, node_id=NodeId(self._clients + 1), role="relay")
        return (replace(first, accepts=None), *others, relay)

    @property
    def wires(self) -> Mapping[str, Wire]:
        """HTTP and nothing else."""
        return {HTTP_WIRE: Http(takes_bodies=self._settings.relay)}

    def node(self, place: Place, known: Known, storage: Storage | None) -> Node:
        """Make the node of a place."""
        if storage is None:
            raise LocalMisuse("every node of the client-server architecture needs storage")
        shaped = place.uplink_bytes_per_second < math.inf
        block_bytes = BLOCK_BYTES if shaped else None
        path = "/" + quote(self._content.name)
        if place.role == "relay" and isinstance(storage, FolderStorage):
            return self._host(self._relay_methods(storage.path), None, block_bytes)
        if place.role == "origin" and self._settings.relay:
            return Uploader(known["relay"][0], path, storage)
        if place.role == "origin":
            reading = Reading(self._files(storage))
            return self._host({"GET": reading, "HEAD": reading}, storage, block_bytes)
        # A client whose storage is shorter than the file wants the file's beginning only.
        expected = self._content.sha256_of_first(storage.size_bytes) if self._hashes else None
        number, file_bytes = int(place.node_id), self._content.size_bytes
        manner = self._manner()
        if self._settings.origins == 1:
            host = known["relay" if self._settings.relay else "origin"][0]
            return Downloader(host, path, storage, expected, number, file_bytes, manner)
        if self._choice is None:
            # One for all clients that are made here: they are those whose transfers it can count.
            self._choice = OriginChoice(known["origin"], self._settings.choice, self._seed)
        return Downloader(self._choice, path, storage, expected, number, file_bytes, manner)

    def _relay_methods(self, folder: Path) -> Methods:
        directory = Directory(folder)
        return storing_methods(folder, directory, Reading(directory), SIZE_LIMIT_BYTES)

    def _host(self, methods: Methods, storage: Storage | None, block_bytes: int | None) -> FileHost:
        settings = self._settings
        envelope = Envelope(time.time if self._hashes else None)
        clock = self._step_clock()
        if clock is None:
            return FileHost(
                methods,
                envelope,
                settings.sharing,
                block_bytes,
                # Everybody who takes part is let in, and again after a link that broke.
                Limits(connections=max(Limits().connections, 2 * self._clients)),
                service_delay_seconds=settings.service_delay_seconds,
            )
        return MeasuredHost(
            clock,
            settings.page_cache,
            storage if isinstance(storage, FileStorage) else None,
            methods,
            envelope,
            settings.sharing,
            block_bytes,
            settings.service_delay_seconds,
        )

    def _files(self, storage: Storage) -> Files:
        """What a host serves: the file it has open, or where that is to be replaced, its folder."""
        if self._replaces and isinstance(storage, FileStorage) and storage.path is not None:
            return Directory(storage.path.parent)
        return OneFile(self._content.name, storage, self._content.sha256[:32])

    def _manner(self) -> Manner:
        settings = self._settings
        replacement = None
        if self._replaces and self._hashes:
            content = new_version(self._content.size_bytes, self._scenario_seed)
            replacement = hashlib.sha256(content).hexdigest()
        return Manner(
            verifies_at_end=settings.verifying == "at the end",
            range_bytes=settings.range_bytes,
            if_range=settings.if_range,
            waits_for_file=settings.relay,
            replacement_sha256=replacement,
            clock=self._step_clock(),
        )

    def _step_clock(self) -> StepClock | None:
        """A clock for one node, where steps are recorded; simulated, an event takes no time."""
        if not self._settings.record_steps:
            return None
        return StepClock(time.monotonic if self._hashes else None)

    def successor(
        self,
        place: Place,
        known: Known,
        storage: Storage | None,
        before: Node,
        session: int,
    ) -> Node:
        """Make the node that goes on: a client with the first bytes it has, an origin as it was."""
        if isinstance(before, Downloader):
            return before.resumed()
        node = self.node(place, known, storage)
        node.tally.go_on_from(before.tally)
        return node
