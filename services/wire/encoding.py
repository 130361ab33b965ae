"""Bodies that a server compresses although it was asked not to.

They are read, but a compressor holds tokens back until a block is full: the run's coalesced reads
show it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PIECE_BYTES = 8 * 2**20  # taken out at a time: a few bytes may stand for gigabytes
_GZIP_OR_ZLIB, _BARE = 47, -15  # zlib's window bits


class Undecodable(ValueError):
    """A body that is not what its Content-Encoding says, or in one that is not read."""


class Decoder:
    """Takes the compression off a body, piece by piece."""

    def __init__(self, name: bytes) -> None:
        if name not in (b"gzip", b"x-gzip", b"deflate"):
            raise Undecodable(f"compressed ({name.decode('latin-1')}), unasked")
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._may_be_bare = name == b"deflate"  # what RFC 9110 forbids and some servers send

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` holds, in pieces of PIECE_BYTES at most, each made when it is taken:
        who has had enough takes no more.

        Raises:
            Undecodable: it is damaged.
        """
        while data:
            if piece := self._some(data):
                yield piece
            data = self._inflate.unconsumed_tail

    def _some(self, data: bytes) -> bytes:
        try:
            piece = self._inflate.decompress(data, PIECE_BYTES)
        except zlib.error as error:
            if not self._may_be_bare:
                raise Undecodable(f"compressed, and damaged ({error})") from None
            self._inflate = zlib.decompressobj(_BARE)
            self._may_be_bare = False
            return self._some(data)
        self._may_be_bare = False
        return piece
