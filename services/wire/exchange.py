"""One answer, from its first byte to its last: stamped, parsed, judged.

What is wrong with an answer becomes an error class and a sentence; nothing is raised, because a
failed request is a result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.halves import joined
from services.redact import redact
from services.wire.chunk import Chunk, Usage, read_chunk
from services.wire.encoding import Undecodable
from services.wire.likeness import Likeness
from services.wire.message import message_of
from services.wire.ndjson import LineStream
from services.wire.response import ParserError, Response
from services.wire.sse import Event, EventStream, TooLong

BODY_LIMIT = 64 * 2**20  # bytes of a body that is not a stream of events
ERROR_BYTES = 64 * 1024  # of an error's body that are read


class Exchange:
    """The state of one request. Times are `perf_counter_ns`; None: not seen."""

    def __init__(self, on_end: Callable[[], None], secrets: tuple[str, ...] = ()) -> None:
        self.sent: int | None = None
        self.first: int | None = None
        self.answered: int | None = None
        self.last: int | None = None
        self.ended: int | None = None
        self.token_times: list[int] = []
        self.coalesced = 0
        self.connect_s: float | None = None
        self.text: list[str] = []
        self.usage = Usage()
        self.has_usage = False
        self.finish_reason: str | None = None
        self.http_status: int | None = None
        self.error_class: str | None = None
        self.error: str | None = None
        self.cancelled = False
        self.over = False
        self._on_end = on_end
        self._secrets = secrets
        self._response = Response()
        self._stream: EventStream | LineStream | None = None
        self._likeness = Likeness()
        self._plain = bytearray()  # a body that is not a stream
        self._said_done = False

    # --- what the connection tells -----------------------------------------------------------

    def read(self, stamp: int, data: bytes) -> None:
        """Take bytes that arrived at `stamp`."""
        response = self._response
        before = len(self.token_times)
        try:
            for body in response.feed(data):
                if self.over:
                    break
                self._body(stamp, body)
        except ParserError as error:
            self._unreadable(f"The server does not answer in HTTP/1.1 ({error}).", stamp)
        except Undecodable as error:
            self._unreadable(f"The answer is {error}.", stamp)
        except TooLong as error:
            self.fail("stream_error", f"The stream holds {error}.", stamp)
        if len(self.token_times) - before > 1:
            self.coalesced += 1
        self.http_status = response.status
        if response.complete and not self.over:
            self._end(stamp)

    def _unreadable(self, sentence: str, stamp: int) -> None:
        """Fail for a body that can't be read; a refusal stays one, whatever its body is."""
        self.http_status = self._response.status
        if self.http_status in (None, 200):
            self.fail("stream_error", sentence, stamp)
        else:
            self._end(stamp)

    def forget(self) -> None:
        """Let go of what was only needed to read: without a garbage collector the parser, which
        knows its response, would stay until the repeat ends."""
        self._response.forget()

    def eof(self, stamp: int) -> None:
        """Take the end of the connection."""
        if self.over:
            return
        if self.http_status is None:
            self.fail("connect", "The server closed the connection before it answered.", stamp)
        else:
            self._end(stamp)  # a body that ends with its connection, or is cut by it

    def fail(self, error_class: str, sentence: str, stamp: int) -> None:
        """End as failed, keeping what was seen so far."""
        if not self.over:
            self.error_class, self.error = error_class, redact(joined(sentence), self._secrets)
            self._finish(stamp)

    def cancel(self, stamp: int) -> None:
        """End because the run was cancelled."""
        if not self.over:
            self.cancelled = True
            self._finish(stamp)

    @property
    def unheard(self) -> bool:
        """Whether the connection broke before one byte of an answer came."""
        return self.error_class == "connect" and not self._response.heard

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request."""
        return self.over and self._response.complete and self._response.keep_alive

    @property
    def done_but_open(self) -> bool:
        """The stream has said [DONE], and its body has not ended."""
        return self._said_done and not self.over

    # --- what it means -----------------------------------------------------------------------

    def _body(self, stamp: int, body: bytes) -> None:
        if self._stream is None and self._response.status == 200:
            streams = STREAMS.get(self._response.type)
            self._stream = streams() if streams else None
        if self._stream is not None:
            self._piece(stamp, self._stream, body)
            return
        ok = self._response.status == 200
        self._plain += body
        if len(self._plain) > (BODY_LIMIT if ok else ERROR_BYTES):
            if ok:
                self.fail("stream_error", "The answer is no stream and does not end.", stamp)
            else:
                self._end(stamp)  # enough of an error to say what it is

    def _piece(self, stamp: int, stream: EventStream | LineStream, body: bytes) -> None:
        whole = stream.between()  # so far; a server mostly sends one event in one piece
        if whole and (text := self._likeness.text(body)):
            self._token(stamp)
            if self.answered is None:
                self.answered = stamp
            self.text.append(text)
            return
        events = stream.feed(body)
        chunks = [self._event(stamp, event) for event in events]
        alone = whole and len(chunks) == 1 and stream.between()
        if alone and (chunk := chunks[0]) and chunk.only_text:
            self._likeness.learn(body, chunk.text)

    def _event(self, stamp: int, event: Event) -> Chunk | None:
        """Take one event; return the chunk that it held, if it held one that counts."""
        if self.over:
            return None
        if event.data.strip() == b"[DONE]":
            self._said_done = True
            return None
        named = event.kind == b"error"
        said = event.data[:200].decode("utf-8", "replace") if named else None
        try:
            chunk = read_chunk(event.data)
        except ValueError:
            if not named:
                self.fail("stream_error", "The stream holds a chunk that is not JSON.", stamp)
                return None
            chunk = Chunk(error=said)
        if why := chunk.error or said:
            self.fail("stream_error", f"The stream ended in an error: {why}", stamp)
            return None
        self.take(stamp, chunk)
        return chunk

    def take(self, stamp: int, chunk: Chunk) -> None:
        """Take one chunk of a stream, already read, that arrived at `stamp`."""
        if chunk.has_token:
            self._token(stamp)
        if chunk.has_answer:
            self.answered = self.answered if self.answered is not None else stamp
        if chunk.text:
            self.text.append(chunk.text)
        if chunk.finish_reason:
            self.finish_reason = joined(chunk.finish_reason)
        if chunk.usage is not None:
            self.usage, self.has_usage = chunk.usage, True

    def _token(self, stamp: int) -> None:
        if self.first is None:
            self.first = stamp
        self.last = stamp
        self.token_times.append(stamp)

    def _end(self, stamp: int) -> None:
        status = self._response.status or 0
        if status != 200:
            self.fail(_class_of(status), self._refusal(status), stamp)
        elif self._stream is not None:
            self._last_line(stamp)
            self.judge(stamp)
        elif self._plain or self._response.type not in STREAMS:
            self._in_one_piece(stamp)
        else:
            self.judge(stamp)

    def _last_line(self, stamp: int) -> None:
        if isinstance(self._stream, LineStream):
            for event in self._stream.rest():
                self._event(stamp, event)

    @property
    def answer(self) -> str:
        """The text of the answer."""
        return joined("".join(self.text))

    def judge(self, stamp: int) -> None:
        """End a stream whose last chunk has been taken, as what it turned out to be."""
        if not self._said_done and self.finish_reason is None:
            self.fail("truncated", "The stream ended without a finish_reason or [DONE].", stamp)
        elif not self.token_times:
            self.fail("empty", "The answer holds no token.", stamp)
        elif not self.over:
            self._finish(stamp)

    def _in_one_piece(self, stamp: int) -> None:
        """An answer in one piece, from a server that does not stream: no TTFT to be had."""
        try:
            chunk = read_chunk(bytes(self._plain))
        except ValueError:
            kind = self._response.type.decode("latin-1") or "no type"
            self.fail("stream_error", f"The answer is not a chat completion ({kind}).", stamp)
            return
        if chunk.error is not None or not chunk.has_token:
            why = chunk.error or "it holds no token"
            self.fail("stream_error" if chunk.error else "empty", f"The answer: {why}.", stamp)
            return
        self.text, self.last = [chunk.text], stamp
        self.finish_reason = chunk.finish_reason and joined(chunk.finish_reason)
        self.usage, self.has_usage = chunk.usage or Usage(), chunk.usage is not None
        self._finish(stamp)

    def _refusal(self, status: int) -> str:
        if 300 <= status < 400:
            return f"The server redirects (HTTP {status}): use the address it points to."
        wait = self._response.retry_after
        return f"HTTP {status}: {self._reason()}" + (f" (Retry-After: {wait})" if wait else "")

    def _reason(self) -> str:
        """What the body of an error says: its message, its text, or at least its type."""
        if words := message_of(bytes(self._plain)):
            return words
        if self._response.type == b"text/html":
            return "text/html"
        return self._plain[:200].decode("utf-8", "replace").strip() or "no reason given"

    def _finish(self, stamp: int) -> None:
        self.ended, self.over = stamp, True
        self._on_end()


def settling(over: asyncio.Future[None]) -> Callable[[], None]:
    """Return what settles `over`, once, to be called at an exchange's end."""

    def settle() -> None:
        if not over.done():
            over.set_result(None)

    return settle


def _class_of(status: int) -> str:
    if status < 300:  # 204 and its like: no refusal, and no answer either
        return "stream_error"
    return "http_429" if status == 429 else f"http_{status // 100}xx"


# Content types that are streams, and what cuts them.
STREAMS: dict[bytes, type[EventStream] | type[LineStream]] = {
    b"text/event-stream": EventStream,
    b"application/x-ndjson": LineStream,
}
