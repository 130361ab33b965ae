"""One HTTP response, parsed by llhttp from bytes that come in pieces."""

from __future__ import annotations

from collections.abc import Sequence

import httptools

from services.wire.encoding import Decoder

ParserError = (httptools.HttpParserError, httptools.HttpParserUpgrade)


class Response:
    """What was told so far. `status` is None until the headers are complete."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.type = b""  # of the content, without its parameters
        self.retry_after = ""  # as the server wrote it: seconds or a date
        self.keep_alive = False
        self.complete = False
        self.heard = False  # whether a single byte came
        self.size = 0  # bytes that came, and that were unpacked
        self._encoding = b""
        self._decoder: Decoder | None = None
        self._bodies: list[bytes] = []  # of this read
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> Sequence[bytes]:
        """Return the pieces of the body that `data` holds. Of a body that came compressed it is
        PIECE_BYTES at most; while it is `unpacking`, an empty `data` gives the next.

        Raises:
            ParserError: the bytes are no HTTP/1.1.
            Undecodable: the body is compressed in a way that is not read, or damaged.
        """
        self.heard = True
        assert self._parser is not None
        self._parser.feed_data(data)
        self.size += len(data)
        bodies = self._bodies
        if bodies:
            self._bodies = []
        return self._unpacked(bodies) if self._encoding else bodies

    @property
    def compressed(self) -> bool:
        return bool(self._encoding)

    @property
    def unpacking(self) -> bool:
        """Whether there is more of what was fed already."""
        return self._decoder is not None and self._decoder.waiting

    def _unpacked(self, bodies: Sequence[bytes]) -> Sequence[bytes]:
        if not bodies and not self.unpacking:
            return ()
        decoder = self._decoder = self._decoder or Decoder(self._encoding)
        decoder.put(b"".join(bodies))
        piece = decoder.take()
        self.size += len(piece)
        return (piece,) if piece else ()

    def forget(self) -> None:
        """Break the circle of response and parser, and drop a decoder's window."""
        self._parser = self._decoder = None

    # --- what llhttp calls --------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.status is not None:  # of a trailer, or of what follows a whole answer
            return
        name = name.lower()
        if name == b"content-type":
            self.type = value.split(b";")[0].strip().lower()
        elif name == b"content-encoding":
            said = value.strip().lower()
            self._encoding = b"" if said == b"identity" else said
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
            self.status = None  # "103 Early Hints" and its like announce the real answer
            self.type, self.retry_after, self._encoding = b"", "", b""
        else:
            self.complete = True
