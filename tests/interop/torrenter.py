"""libtorrent peers in this process, each with a session and a loopback address of its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.interop.programs import SECONDS

SETTINGS = {
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "allow_multiple_connections_per_ip": True,
    "stop_tracker_timeout": 1,
    "alert_mask": 0,
}


class Torrenter:
    """One libtorrent session with one torrent."""

    def __init__(self, host: str, torrent: Path | str, folder: Path, **settings: Any) -> None:
        """Download into `folder`, or seed what lies there. `torrent`: a file, or a magnet link."""
        self._lt = lt = pytest.importorskip("libtorrent")
        self.session = lt.session({**SETTINGS, "listen_interfaces": f"{host}:0", **settings})
        if isinstance(torrent, Path):
            parameters = lt.add_torrent_params()
            parameters.ti = lt.torrent_info(str(torrent))
        else:
            parameters = lt.parse_magnet_uri(torrent)
        parameters.save_path = str(folder)
        self.handle = self.session.add_torrent(parameters)

    @property
    def status(self) -> Any:
        """What it says of itself."""
        return self.handle.status()

    def wait_until(self, what: str) -> None:
        """Wait until a flag of its status is set, such as `is_seeding`."""
        until = time.monotonic() + SECONDS
        while not getattr(self.status, what):
            assert time.monotonic() < until, f"not {what}: {self.status.progress:.0%} {self.problems()}"
            # Its alerts cannot be waited for without a dispatcher of our own.
            time.sleep(0.02)

    def problems(self) -> list[str]:
        """What it complains of."""
        return [f"{alert.what()}: {alert.message()}" for alert in self.session.pop_alerts()]

    def close(self) -> None:
        """Leave the swarm."""
        self.session.remove_torrent(self.handle)
        del self.handle, self.session
