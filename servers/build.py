"""Who takes part in the client-server architecture: file hosts and N downloaders."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from urllib.parse import quote

from servers.choice import OriginChoice
from servers.downloader import HTTP_WIRE, Downloader
from servers.envelope import Envelope
from servers.files import OneFile
from servers.manner import Manner
from servers.methods import Methods
from servers.node import BLOCK_BYTES, FileHost
from servers.reading import Reading
from servers.settings import read_settings
from servers.step_clock import StepClock
from servers.steps import MeasuredHost
from servers.wire import Http
from testbed.cast import Known, Place, origin_and_clients
from testbed.content import Content
from testbed.errors import LocalMisuse
from testbed.node import Node
from testbed.scenario import Scenario
from testbed.storage import FileStorage, Storage
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
        self._links = scenario.links
        self._content = content
        self._clients = clients
        self._seed = f"{seed} {clients}"
        self._hashes = hashes
        self._choice: OriginChoice | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        """The origin, its clients, and further origins."""
        return origin_and_clients(
            self._links,
            self._clients,
            origin_accepts=HTTP_WIRE,
            clients_accept=None,
            origins=self._settings.origins,
        )

    @property
    def wires(self) -> Mapping[str, Wire]:
        """HTTP and nothing else."""
        return {HTTP_WIRE: Http()}

    def node(self, place: Place, known: Known, storage: Storage | None) -> Node:
        """Make the node of a place."""
        if storage is None:
            raise LocalMisuse("every node of the client-server architecture needs storage")
        if place.role == "origin":
            shaped = place.uplink_bytes_per_second < math.inf
            return self._host(storage, BLOCK_BYTES if shaped else None)
        # A client whose storage is shorter than the file wants the file's beginning only.
        expected = self._content.sha256_of_first(storage.size_bytes) if self._hashes else None
        path = "/" + quote(self._content.name)
        number, file_bytes = int(place.node_id), self._content.size_bytes
        at_end = self._settings.verifying == "at the end"
        manner = Manner(verifies_at_end=at_end, clock=self._step_clock())
        if self._settings.origins == 1:
            return Downloader(known["origin"][0], path, storage, expected, number, file_bytes, manner)
        if self._choice is None:
            # One for all clients that are made here: they are those whose transfers it can count.
            self._choice = OriginChoice(known["origin"], self._settings.choice, self._seed)
        return Downloader(self._choice, path, storage, expected, number, file_bytes, manner)

    def _host(self, storage: Storage, block_bytes: int | None) -> FileHost:
        settings = self._settings
        reading = Reading(OneFile(self._content.name, storage, self._content.sha256[:32]))
        methods: Methods = {"GET": reading, "HEAD": reading}
        envelope = Envelope(time.time if self._hashes else None)
        clock = self._step_clock()
        if clock is None:
            return FileHost(
                methods,
                envelope,
                settings.sharing,
                block_bytes,
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
