"""The client-server architecture under Locust: `locust -f loadtests/server_arm.py -u 8`."""

from __future__ import annotations

import sys
from pathlib import Path

# The `locust` command does not look for packages where the project is.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from loadtests.arm_user import ArmUser


class ServerClient(ArmUser):
    """A client that gets the whole file from one server."""

    architecture = "server"
