"""One answer, from its first byte to its last: stamped, parsed, judged.

What is wrong with an answer becomes an error class and a sentence; nothing is raised, because a
failed request is a result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.ask import oddities
from services.ask.measurement import class_of_status
from services.base import untrusted
from services.base.halves import joined
from services.base.redact import Secret
from services.wire.chunk import Chunk, Usage, is_ping, read_chunk
from services.wire.chunk_template import ChunkTemplate
from services.wire.encoding import Undecodable
from services.wire.message import message_of
from services.wire.ndjson import LineStream
from services.wire.opening import STREAMS, Opening
from services.wire.response import ParserError, Response
from services.wire.sse import BOM, Event, EventStream, TooLong

BODY_LIMIT = 64 * 2**20  # bytes of a body that is not a stream of events
ANSWER_BYTES = 256 * 2**20  # of a stream, unpacked
CHUNKS_MOST = 2**19  # with tokens: no model writes so many
ERROR_BYTES = 64 * 1024  # of an error's body that are read
WORDS_BYTES = 200  # of a body without a message that are told
REASONS = frozenset({"stop", "length", "tool_calls", "content_filter"})  # OpenAI's; they are safe
REDIRECTS = "The server redirects (HTTP {}): use the address it points to."
REASON_CHARACTERS = 60  # of a finish_reason


class Exchange:
    """The state of one request. Times are `perf_counter_ns`; None: not seen."""

    def __init__(self, on_end: Callable[[], None], secrets: tuple[Secret, ...] = ()) -> None:
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
        # There is more to read of what has come: a little at a time, since a few bytes may stand
        # for gigabytes.
        self.unpacking = False
        self._on_end = on_end
        self.secrets = secrets
        self._response = Response()
        self._stream: EventStream | LineStream | None = None
        self._template = ChunkTemplate()
        self._opening: Opening | None = None  # of a 200's body
        self._refused = bytearray()  # the body of any other answer
        self._said_done = False
        self._whole = False  # the answer came in one piece
        self._unknown = ""  # the first words of a chunk that is no part of an answer
        self.oddities: set[str] = set()  # see `oddities`

    # --- what the connection tells -----------------------------------------------------------

    def read(self, stamp: int, data: bytes) -> None:
        """Take bytes that arrived at `stamp`; none: what is left of them while `unpacking`."""
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
        if response.compressed:
            self.unpacking = not self.over and response.unpacking
        if response.complete and not self.over and not self.unpacking:
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
            self.error_class, self.error = error_class, untrusted.text(sentence, self.secrets)
            self._finish(stamp)

    @property
    def endless(self) -> bool:
        """Whether it is longer than any answer, and would fill the memory."""
        return len(self.token_times) > CHUNKS_MOST or self._response.size > ANSWER_BYTES

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
        if self._stream is not None:
            self._piece(stamp, self._stream, body)
        elif self._response.status == 200:
            self._open(stamp, body)
        else:
            self._refused += body
            if len(self._refused) > ERROR_BYTES:
                self._end(stamp)  # enough of an error to say what it is

    def _open(self, stamp: int, body: bytes) -> None:
        opening = self._opening = self._opening or Opening(self._response.type)
        self._stream = opening.stream(body)
        if self._stream is not None:
            self._piece(stamp, self._stream, bytes(opening.seen))
        elif len(opening.seen) > BODY_LIMIT:
            self.fail("stream_error", "The answer is no stream and does not end.", stamp)

    def _piece(self, stamp: int, stream: EventStream | LineStream, body: bytes) -> None:
        whole = stream.between()  # so far; a server mostly sends one event in one piece
        if whole and (text := self._template.text(body)):
            self._token(stamp)
            if self.answered is None:
                self.answered = stamp
            self.text.append(text)
            return
        events = stream.feed(body)
        chunks = [self._event(stamp, event) for event in events]
        alone = whole and len(chunks) == 1 and stream.between()
        if alone and (chunk := chunks[0]) and chunk.only_text:
            self._template.learn(body, chunk.text)

    def _event(self, stamp: int, event: Event) -> Chunk | None:
        """Take one event; return the chunk that it held, if it held one that counts."""
        if self.over:
            return None
        kind, data = event
        if data == b"[DONE]":
            self._said_done = True
            return None
        if kind == b"error":
            self._fail_with(message_of(data) or _beginning(data) or "no reason given", stamp)
            return None
        try:
            chunk = read_chunk(data)
        except ValueError:
            self._no_json(stamp, data)
            return None
        if chunk.oddity:
            self._no_chunk(chunk, data)
        self.take(stamp, chunk)
        return chunk

    def _no_json(self, stamp: int, data: bytes) -> None:
        """Take the end of a stream, a sign of life, or what cannot be read."""
        data = data.removeprefix(BOM).strip()
        if data == b"[DONE]":  # with spaces, or after a byte order mark
            self._said_done = True
        elif not data or is_ping(data):
            self.oddities.add(oddities.PING if data else oddities.EMPTY_EVENT)
        else:
            said = _beginning(data)
            self.fail("stream_error", f"The stream holds a chunk that is not JSON: {said}", stamp)

    def _no_chunk(self, chunk: Chunk, data: bytes) -> None:
        self.oddities.add(chunk.oddity)
        if chunk.oddity == oddities.UNKNOWN_CHUNK and not self._unknown:
            self._unknown = message_of(data) or _beginning(data)

    def _fail_with(self, words: str, stamp: int) -> None:
        self.fail("stream_error", f"The stream ended in an error: {words}", stamp)

    def take(self, stamp: int, chunk: Chunk) -> None:
        """Take one chunk of a stream, already read, that arrived at `stamp`."""
        if chunk.finish_reason:
            self.finish_reason = self._reason_of(chunk.finish_reason)
        if chunk.usage is not None:
            self.usage = chunk.usage.after(self.usage) if self.has_usage else chunk.usage
            self.has_usage = True
        if chunk.error is not None:
            self._fail_with(chunk.error, stamp)
            return
        if chunk.whole:
            self._take_whole(stamp, chunk)
            return
        if chunk.has_token:
            self._token(stamp)
        if chunk.has_answer and self.answered is None:
            self.answered = stamp
        if chunk.text:
            self.text.append(chunk.text)

    def _reason_of(self, said: str) -> str | None:
        if said in REASONS:
            return said
        return untrusted.text(said, self.secrets, REASON_CHARACTERS) or None

    def _take_whole(self, stamp: int, chunk: Chunk) -> None:
        """Take a whole answer: all of it, or what has been streamed once more."""
        if chunk.has_token and not self.token_times:
            self.text, self.last, self._whole = [chunk.text], stamp, True
            self.oddities.add(oddities.NOT_STREAMED)

    def _token(self, stamp: int) -> None:
        if self.first is None:
            self.first = stamp
        self.last = stamp
        self.token_times.append(stamp)

    def _end(self, stamp: int) -> None:
        status = self._response.status or 0
        if status != 200:
            self.fail(class_of_status(status), self._refusal(status), stamp)
        elif self._stream is not None:
            for event in self._stream.rest():
                self._event(stamp, event)
            self.judge(stamp)
        elif self._opening is not None or self._response.type not in STREAMS:
            self._in_one_piece(stamp, bytes(self._opening.seen) if self._opening else b"")
        else:
            self.judge(stamp)

    @property
    def answer(self) -> str:
        """The text of the answer."""
        return joined("".join(self.text))

    def judge(self, stamp: int) -> None:
        """End a stream whose last chunk has been taken, as what it turned out to be."""
        if self.over:
            return
        none = not self.token_times and not self._whole
        stray = self._stream.stray if self._stream is not None else b""
        if self.finish_reason is None and self._unknown:
            why = f"The stream holds JSON that is not part of a chat completion: {self._unknown}"
            self.fail("stream_error", why, stamp)
        elif none and not self._said_done and stray.strip():
            self.fail("stream_error", f"The answer is no stream: {_beginning(stray)}", stamp)
        elif not self._said_done and self.finish_reason is None:
            self.fail("truncated", "The stream ended without a finish_reason or [DONE].", stamp)
        elif none:
            self.fail("empty", "The answer holds no token.", stamp)
        else:
            self._finish(stamp)

    def _in_one_piece(self, stamp: int, body: bytes) -> None:
        """An answer in one piece, from a server that does not stream: no TTFT to be had."""
        body = body.removeprefix(BOM).strip()
        body = body.removesuffix(b"[DONE]").rstrip().removesuffix(b"data:")
        try:
            chunk = read_chunk(body)
        except ValueError:
            chunk = Chunk(oddity=oddities.UNKNOWN_CHUNK)
        if chunk.error is not None:
            self.fail("stream_error", f"The answer: {chunk.error}.", stamp)
        elif chunk.oddity:
            kind = self._response.type.decode("latin-1") or "no type"
            words = message_of(body)
            said = f"({kind}){words and f': {words}'}"
            self.fail("stream_error", f"The answer is not a chat completion {said}.", stamp)
        elif not chunk.has_token:
            self.fail("empty", "The answer holds no token.", stamp)
        else:
            self.take(stamp, chunk._replace(whole=True))
            self._finish(stamp)

    def _refusal(self, status: int) -> str:
        if 300 <= status < 400:
            return REDIRECTS.format(status)
        wait = self._response.retry_after
        return f"HTTP {status}: {self._reason()}" + (f" (Retry-After: {wait})" if wait else "")

    def _reason(self) -> str:
        """What the body of an error says: its message, its text, or at least its type."""
        body = bytes(self._refused)
        if words := message_of(body):
            return words
        if self._response.type == b"text/html":
            return "text/html"
        return _beginning(body) or "no reason given"

    def _finish(self, stamp: int) -> None:
        self.ended, self.over, self.unpacking = stamp, True, False
        if self._stream is not None:
            self.oddities |= self._stream.oddities
        if self._response.compressed and self.http_status == 200:
            self.oddities.add(oddities.COMPRESSED)
        self._on_end()


def settling(over: asyncio.Future[None]) -> Callable[[], None]:
    """Return what settles `over`, once, to be called at an exchange's end."""

    def settle() -> None:
        if not over.done():
            over.set_result(None)

    return settle


def _beginning(body: bytes) -> str:
    return body[:WORDS_BYTES].decode("utf-8", "replace").strip()
