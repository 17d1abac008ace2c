"""Peer messages as bytes, and back."""

from peers.wire.decode import PeerDecoder
from peers.wire.encode import encode

__all__ = ["PeerDecoder", "PeerWire", "encode"]


class PeerWire:
    """The peer protocol on live links. It keeps nothing itself: each link has its own decoder."""

    def __init__(self, piece_count: int | None = None) -> None:
        """`piece_count` bounds bitfields exactly; without it they may have up to 1 MiB."""
        self._piece_count = piece_count

    def decoder(self, *, dialled: bool) -> PeerDecoder:
        """Give a new link its decoder. `dialled` is unused: both sides of a link say the same."""
        return PeerDecoder(piece_count=self._piece_count)

    encode = staticmethod(encode)
