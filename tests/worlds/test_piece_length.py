"""What pieces cost a swarm depends on how many there are a doubling, as docs/policies.md says."""

import pytest

from benchmarks.piece_length import Point, scenario_of, simulate
from peers.torrent import default_piece_bytes

KIB, MIB = 1024, 1 << 20


def point(file_bytes: int, clients: int, piece_bytes: int) -> Point:
    return simulate(scenario_of(file_bytes, clients, piece_bytes, 1, 0.0), piece_bytes)


def test_with_as_many_pieces_a_doubling_files_of_any_size_lose_as_much():
    small, large = point(MIB, 8, 32 * KIB), point(4 * MIB, 8, 128 * KIB)
    assert small.generations == large.generations
    assert small.efficiency == pytest.approx(large.efficiency, abs=0.02)
    assert small.efficiency == pytest.approx(0.93, abs=0.02)


def test_the_rule_is_worth_more_than_pieces_of_four_times_its_length():
    ruled = default_piece_bytes(4 * MIB, 8)
    assert point(4 * MIB, 8, ruled).efficiency > point(4 * MIB, 8, 4 * ruled).efficiency + 0.03
