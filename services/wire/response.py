"""Parse one HTTP response with llhttp, from reads that may end anywhere."""

from __future__ import annotations

from collections.abc import Sequence

import httptools

from services.wire.encoding import Decoder

ParserError = (httptools.HttpParserError, httptools.HttpParserUpgrade)


class Response:
    """The response as far as it has been read. `status` is None until the headers are complete."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.content_type = b""  # without its parameters
        self.retry_after = ""  # as the server sent it: seconds or a date
        self.keep_alive = False
        self.complete = False
        self.data_received = False
        self.size = 0  # bytes received, plus bytes decompressed
        self._encoding = b""
        self._decoder: Decoder | None = None
        self._bodies: list[bytes] = []  # pieces of the body in this read
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> Sequence[bytes]:
        """Return the pieces of the body in `data`. A compressed body yields at most PIECE_BYTES;
        while `decompressing`, feed it b"" for the next piece.

        Raises:
            ParserError: the bytes are not HTTP/1.1.
            Undecodable: the compression is not supported, or the body is damaged.
        """
        self.data_received = True
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except ParserError:
            if not self.complete:
                raise
            self.keep_alive = False  # there are stray bytes after the answer, which is whole
        self.size += len(data)
        bodies = self._bodies
        if bodies:
            self._bodies = []
        return self._decompress(bodies) if self._encoding else bodies

    @property
    def compressed(self) -> bool:
        return bool(self._encoding)

    @property
    def decompressing(self) -> bool:
        """Whether the data fed so far holds more of the body."""
        return self._decoder is not None and self._decoder.waiting

    def _decompress(self, bodies: Sequence[bytes]) -> Sequence[bytes]:
        if not bodies and not self.decompressing:
            return ()
        decoder = self._decoder = self._decoder or Decoder(self._encoding)
        decoder.put(b"".join(bodies))
        piece = decoder.take()
        self.size += len(piece)
        return (piece,) if piece else ()

    def release(self) -> None:
        """Break the reference cycle with the parser, and free the decoder's window."""
        self._parser = self._decoder = None

    # --- callbacks of llhttp ------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.status is not None:  # a trailer, or data after a complete answer
            return
        name = name.lower()
        if name == b"content-type":
            self.content_type = value.split(b";")[0].strip().lower()
        elif name == b"content-encoding":
            encoding = value.strip().lower()
            self._encoding = b"" if encoding == b"identity" else encoding
        elif name == b"retry-after":
            self.retry_after = value[:40].decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        if not self.complete and self._parser is not None:
            self.status = self._parser.get_status_code()
            self.keep_alive = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self._bodies.append(body)

    def on_message_complete(self) -> None:
        if self.status is not None and self.status < 200:
            self.status = None  # informational, e.g. "103 Early Hints": the real answer follows
            self.content_type, self.retry_after, self._encoding = b"", "", b""
        else:
            self.complete = True
