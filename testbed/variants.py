"""Variants of a scenario: settings under which the same question is asked again.

    [[variants]]
    name = "us x 10"
    "links.origin_uplink" = "80 MiB/s"

    [variants.against_first]
    server_makespan_seconds = { at_least = 0.097, at_most = 0.103 }

The whole sweep is run for each of them, and their reports are set side by side. `against_first` holds
the ratio of a figure to the first variant's at the same N against a condition; with `difference = true`
in it, the difference. `[variants.against."us x 2"]` does so with the variant of that name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from testbed.errors import ScenarioError
from testbed.table import Table
from testbed.thresholds import Threshold, read_thresholds

VARIANTS = "variants"
"""[[variants]]: settings under which the same question is asked again."""

#: Each is a sweep of its own; a slip of the finger should not take a week.
VARIANTS_LIMIT = 100

#: Keys of a variant that are not settings.
_OF_VARIANT = ("name", "against_first", "against")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One of [[variants]]: its name and the keys it sets."""

    name: str
    settings: Mapping[str, object]
    """By dotted name: `{"links.latency": "20 ms"}`."""
    against_first: tuple[Threshold, ...]
    """What must hold between it and the first, or the one that a condition names."""


def read_variants(values: object, source: str) -> tuple[Variant, ...]:
    """Read [[variants]]; none if there are no such tables.

    Raises:
      ScenarioError: one line naming file, key and what was expected.
    """
    if values is None:
        return ()
    if not isinstance(values, list) or not values or not all(isinstance(one, dict) for one in values):
        raise ScenarioError(f"{source}: {VARIANTS}: expected tables [[{VARIANTS}]]")
    if len(values) > VARIANTS_LIMIT:
        raise ScenarioError(
            f"{source}: {VARIANTS}: expected at most {VARIANTS_LIMIT} of them, not {len(values)}"
        )
    variants: list[Variant] = []
    for one in values:
        table = Table(one, VARIANTS, source)
        name = table.text("name")
        against = table.take("against_first", {})
        if not isinstance(against, dict):
            raise table.fail("against_first", "expected a table [variants.against_first]")
        conditions = read_thresholds(against, f"{VARIANTS}.against_first", source, compares=True)
        others = table.take("against", {})
        if not isinstance(others, dict) or not all(isinstance(one, dict) for one in others.values()):
            raise table.fail("against", 'expected tables [variants.against."name of a variant"]')
        for other, wanted in others.items():
            if other not in [variant.name for variant in variants]:
                raise table.fail("against", f"expected the name of a variant before it, not {other!r}")
            title = f'{VARIANTS}.against."{other}"'
            conditions += read_thresholds(wanted, title, source, compares=True, against=other)
        variants.append(
            Variant(
                name=name,
                settings={key: value for key, value in one.items() if key not in _OF_VARIANT},
                against_first=conditions,
            )
        )
    folders = [folder_name(one.name) for one in variants]
    for one, folder in zip(variants, folders, strict=True):
        if not folder or folders.count(folder) > 1:
            raise ScenarioError(
                f"{source}: [{VARIANTS}] name: expected names that differ in their letters and digits, "
                f"not {one.name!r}"
            )
    if variants[0].against_first:
        raise ScenarioError(
            f"{source}: [{VARIANTS}] against_first: the first has none to be held against"
        )
    return tuple(variants)


def folder_name(variant: str) -> str:
    """Make a folder's name of a variant's: `us * 10` becomes `us-10`."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", variant).strip("-.")
