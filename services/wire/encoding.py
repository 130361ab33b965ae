"""Bodies that a server compresses although it was asked not to.

They are read, but a compressor holds tokens back until a block is full: the run's coalesced reads
show it.
"""

from __future__ import annotations

import zlib

PIECE_BYTES = 256 * 1024  # taken at a time, as a read: a few bytes may stand for gigabytes
GZIP = b"\x1f\x8b"  # how another member of a body begins: some servers write one each time
_GZIP_OR_ZLIB, _BARE = 47, -15  # zlib's window bits


class Undecodable(ValueError):
    """A body that is not what its Content-Encoding says, or in one that is not read."""


class Decoder:
    """Takes the compression off a body, piece by piece."""

    def __init__(self, name: bytes) -> None:
        if name not in (b"gzip", b"x-gzip", b"deflate"):
            raise Undecodable(f"compressed ({name.decode('latin-1')}), unasked")
        self._packed = b""
        self._over = False  # what follows is no part of the body
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._may_be_bare = name == b"deflate"  # what RFC 9110 forbids and some servers send

    def put(self, data: bytes) -> None:
        """Take what came, to be unpacked by `take`."""
        if not self._over:
            self._packed += data

    @property
    def waiting(self) -> bool:
        """Whether there is more to take."""
        return bool(self._packed)

    def take(self) -> bytes:
        """Return the next PIECE_BYTES at most: no more is unpacked than is taken.

        Raises:
            Undecodable: it is damaged.
        """
        piece = b""
        while self._packed and not piece:
            piece = self._some(self._packed)
            self._packed = self._inflate.unconsumed_tail
            if self._inflate.eof:
                self._packed = self._next_member(self._inflate.unused_data)
                break  # thousands of empty ones fit into a read
        return piece

    def _next_member(self, rest: bytes) -> bytes:
        """Return what follows a member if that is another, else nothing: it is no part of it."""
        if not rest.startswith(GZIP):
            self._over = len(rest) >= len(GZIP)
            return b""
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        return rest

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
