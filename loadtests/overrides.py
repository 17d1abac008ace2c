"""`--set links.client_uplink="2 MiB/s"`: single keys of a scenario, replaced on the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence

from testbed.errors import ScenarioError


def parse_overrides(settings: Sequence[str]) -> dict[str, object]:
    """Read `table.key=value` settings.

    A value is TOML where it reads as TOML (numbers, lists, quoted texts) and a text otherwise, so
    that the shell's quotes are enough.

    Raises:
      ScenarioError: a setting has no key or no value.
    """
    overrides: dict[str, object] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key, text = key.strip(), text.strip()
        if not equals or "." not in key or not text:
            raise ScenarioError(
                f'--set {setting}: expected table.key=value, such as links.client_uplink="2 MiB/s"'
            )
        try:
            overrides[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            overrides[key] = text
    return overrides
