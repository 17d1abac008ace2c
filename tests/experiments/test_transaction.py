"""Experiment E1 at a small size, on virtual time: an added delay is in the service and nowhere else."""

from __future__ import annotations

import pytest

from tests.experiments.running import ROOT, point, run_command


def small(folder, *names: str):
    """The scenario with some of its variants only."""
    head, *variants = (ROOT / "scenarios" / "transaction.toml").read_text("utf-8").split("[[variants]]")
    kept = [one for one in variants if one.split('"')[1] in names]
    assert len(kept) == len(names)
    path = folder / "transaction.toml"
    path.write_text("[[variants]]".join([head, *kept]), encoding="utf-8")
    options = ("--world", "simulated", "--clients", "5", "--repeats", "1", "--output", folder / "out")
    return path, *options


def test_an_added_delay_moves_service_and_first_byte_by_that_much_and_nothing_else(tmp_path):
    ended = run_command(*small(tmp_path, "1 MiB", "1 MiB, 20 ms"))
    assert ended.exit_code == 0, ended.said
    without, delayed = (point(one, "server", 5)["step"] for one in ended.variants.values())
    for step, seconds in delayed.items():
        by = 0.02 if step in ("service_seconds", "first_byte_seconds", "total_seconds") else 0.0
        assert seconds["p50"] - without[step]["p50"] == pytest.approx(by, abs=1e-6)
    conditions = ended.variants["1 MiB, 20 ms"]["against_first"]
    assert [one["met"] for one in conditions] == [True] * 5


def test_a_delay_that_is_not_what_the_conditions_say_is_exit_1(tmp_path):
    longer = ("--set", "servers.service_delay=50 ms")
    ended = run_command(*small(tmp_path, "1 KiB", "1 KiB, 20 ms"), *longer)
    assert ended.exit_code == 1
    assert not any(one["met"] for one in ended.variants["1 KiB, 20 ms"]["against_first"][:2])
