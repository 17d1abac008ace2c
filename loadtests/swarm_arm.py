"""The swarm under Locust: `locust -f loadtests/swarm_arm.py -u 8`."""

from __future__ import annotations

import sys
from pathlib import Path

# The `locust` command does not look for packages where the project is.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from loadtests.arm_user import ArmUser


class SwarmClient(ArmUser):
    """A peer: it passes on what it has verified while it still downloads."""

    architecture = "swarm"
