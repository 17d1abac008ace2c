"""Canonical peer priority (BEP 40): a number for a pair of peers that both compute alike.

Who has more addresses than it may dial takes those of the highest priority. As both ends agree, links
come to lie where both want them, and nobody fills a peer's places from one network.
"""

from __future__ import annotations

from ipaddress import ip_address

from testbed.node import Address

_POLYNOMIAL = 0x82F63B78
"""CRC-32C (Castagnoli), bits reversed."""


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """Give the CRC-32C of some bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def canonical_priority(one: Address, other: Address) -> int:
    """Give the priority of a link between two peers; higher comes first. Hosts are IP addresses.

    Peers of two families, or by a name that is no address, have the lowest.
    """
    try:
        first, second = ip_address(one[0]).packed, ip_address(other[0]).packed
    except ValueError:
        return 0
    if len(first) != len(second):
        return 0
    if first == second:
        return crc32c(b"".join(port.to_bytes(2, "big") for port in sorted((one[1], other[1]))))
    common = next(place for place in range(len(first)) if first[place] != second[place])
    # A byte more than they have in common counts in full, and not less than their network.
    kept = max(2 if len(first) == 4 else 6, common + 1)
    return crc32c(b"".join(sorted((_masked(first, kept), _masked(second, kept)))))


def _masked(packed: bytes, kept: int) -> bytes:
    return packed[:kept] + bytes(byte & 0x55 for byte in packed[kept:])
