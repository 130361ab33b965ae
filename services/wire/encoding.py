"""Decompress bodies that a server compresses although the request asked it not to.

A compressor holds tokens back until a block is full, which shows as coalesced reads in the run.
"""

from __future__ import annotations

import zlib

PIECE_BYTES = 256 * 1024  # decompressed at a time, since a few bytes may expand to gigabytes
GZIP = b"\x1f\x8b"  # how a gzip member begins: some servers send one for each write
_GZIP_OR_ZLIB, _RAW = 47, -15  # zlib's window bits


class Undecodable(ValueError):
    """A body that does not match its Content-Encoding, or whose encoding is not supported."""


class Decoder:
    """Decompresses a body piece by piece."""

    def __init__(self, name: bytes) -> None:
        if name not in (b"gzip", b"x-gzip", b"deflate"):
            raise Undecodable(f"compressed ({name.decode('latin-1')}) although not requested")
        self._compressed = b""
        self._body_ended = False  # what follows is ignored
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._may_be_raw = name == b"deflate"  # what RFC 9110 forbids and some servers send

    def put(self, data: bytes) -> None:
        """Add received bytes, to be decompressed by `take`."""
        if not self._body_ended:
            self._compressed += data

    @property
    def waiting(self) -> bool:
        """Whether `take` has more to return."""
        return bool(self._compressed)

    def take(self) -> bytes:
        """Return the next piece, at most PIECE_BYTES; nothing is decompressed ahead.

        Raises:
            Undecodable: the body is damaged.
        """
        piece = b""
        while self._compressed and not piece:
            piece = self._inflate_piece(self._compressed)
            self._compressed = self._inflate.unconsumed_tail
            if self._inflate.eof:
                self._compressed = self._next_member(self._inflate.unused_data)
                break  # one read may hold thousands of empty members
        return piece

    def _next_member(self, rest: bytes) -> bytes:
        """Return what follows a gzip member if it is another member; else nothing."""
        if not rest.startswith(GZIP):
            self._body_ended = len(rest) >= len(GZIP)
            return b""
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        return rest

    def _inflate_piece(self, data: bytes) -> bytes:
        try:
            piece = self._inflate.decompress(data, PIECE_BYTES)
        except zlib.error as error:
            if not self._may_be_raw:
                raise Undecodable(f"compressed and damaged ({error})") from None
            self._inflate = zlib.decompressobj(_RAW)
            self._may_be_raw = False
            return self._inflate_piece(data)
        self._may_be_raw = False
        return piece
