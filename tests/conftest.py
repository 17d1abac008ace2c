"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A slow machine fails no test. What fails says how to repeat it.
settings.register_profile(
    "here", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("here")
