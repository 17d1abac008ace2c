"""Peer messages as bytes, and back."""

from peers.wire.decode import PeerDecoder
from peers.wire.encode import encode
from peers.wire.runs import RunDecoder

__all__ = ["PeerDecoder", "PeerWire", "RunDecoder", "encode"]


class PeerWire:
    """The peer protocol on live links. It keeps nothing itself: each link has its own decoder."""

    def __init__(self, piece_count: int | None = None, *, run_piece_bytes: int | None = None) -> None:
        """Make it for one torrent.

        Args:
          piece_count: Bounds bitfields exactly; without it they may have up to 1 MiB.
          run_piece_bytes: The size of its pieces, if what follows each other is to come as one message.
        """
        self._piece_count = piece_count
        self._run_piece_bytes = run_piece_bytes

    def decoder(self, *, dialled: bool) -> PeerDecoder:
        """Give a new link its decoder. `dialled` is unused: both sides of a link say the same."""
        if self._run_piece_bytes is not None:
            return RunDecoder(self._piece_count, self._run_piece_bytes)
        return PeerDecoder(piece_count=self._piece_count)

    encode = staticmethod(encode)
