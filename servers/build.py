"""Who takes part in the client-server architecture: one file host and N downloaders."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from urllib.parse import quote

from servers.downloader import HTTP_WIRE, Downloader
from servers.envelope import Envelope
from servers.files import OneFile
from servers.node import BLOCK_BYTES, FileHost
from servers.reading import Reading
from servers.settings import read_settings
from servers.wire import Http
from testbed.cast import Place, Role, origin_and_clients
from testbed.content import Content
from testbed.errors import LocalMisuse
from testbed.node import Address, Node
from testbed.scenario import Scenario
from testbed.storage import Storage
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
        self._hashes = hashes

    @property
    def places(self) -> tuple[Place, ...]:
        """The origin and its clients."""
        return origin_and_clients(
            self._links, self._clients, origin_accepts=HTTP_WIRE, clients_accept=None
        )

    @property
    def wires(self) -> Mapping[str, Wire]:
        """HTTP and nothing else."""
        return {HTTP_WIRE: Http()}

    def node(self, place: Place, known: Mapping[Role, Address], storage: Storage | None) -> Node:
        """Make the node of a place."""
        if storage is None:
            raise LocalMisuse("every node of the client-server architecture needs storage")
        if place.role == "origin":
            shaped = place.uplink_bytes_per_second < math.inf
            reading = Reading(OneFile(self._content.name, storage, self._content.sha256[:32]))
            return FileHost(
                {"GET": reading, "HEAD": reading},
                Envelope(time.time if self._hashes else None),
                self._settings.sharing,
                BLOCK_BYTES if shaped else None,
            )
        expected = self._content.sha256 if self._hashes else None
        path = "/" + quote(self._content.name)
        return Downloader(known["origin"], path, storage, expected)
