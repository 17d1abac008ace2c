"""How a file host that runs by itself is set up."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from servers.limits import Limits
from servers.settings import Sharing
from servers.uploads_routes import SIZE_LIMIT_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """What `python -m servers serve` can be told."""

    directory: Path
    """What is served."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""

    shares_port: bool = False
    """Whether other processes, that say so too, listen at the same port: `servers.workers`."""

    uplink_bytes_per_second: float = math.inf
    """Shared by all connections."""

    sharing: Sharing = "fair"

    limits: Limits = field(default_factory=Limits)

    service_delay_seconds: float = 0.0
    """Added to every request: experiment E1."""

    metrics: bool = False
    """Whether `/-/metrics` tells everybody who asks."""

    log: bool = True
    """Whether every transaction is a line of the access log."""

    writable: bool = False
    """Whether PUT, PATCH and DELETE change what is in the directory."""

    upload_limit_bytes: int = SIZE_LIMIT_BYTES
    """The largest file that is taken."""

    drain_seconds: float = 10.0
    """What is under way when the host is told to stop may go on for so long."""

    tls_certificate: Path | None = None
    """PEM, with the chain; with it the host speaks TLS and nothing else."""

    tls_key: Path | None = None
    """PEM; None if it is in the file of the certificate."""
