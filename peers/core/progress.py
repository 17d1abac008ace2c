"""Pieces on their way in: which blocks have come, and who was asked for the rest."""

from __future__ import annotations

from peers.core.session import Session
from testbed.node import LinkId, Payload


class PieceProgress:
    """One piece that is not whole yet. At most one session is asked for it at a time."""

    __slots__ = ("asked_at", "first_byte_at", "owner", "parts", "remaining", "sources")

    def __init__(self, blocks: int) -> None:
        self.parts: list[Payload | None] = [None] * blocks
        self.remaining = blocks
        self.owner: Session | None = None
        self.asked_at = 0.0
        self.first_byte_at: float | None = None
        self.sources: tuple[LinkId, ...] = ()
        """Whom its blocks came from, each once."""
