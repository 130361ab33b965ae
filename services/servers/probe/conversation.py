"""One short conversation with a backend: does it stream, and does it count its tokens?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from services.ask.backends import BackendProblem, Target
from services.ask.backends.wire_formats import body, chat_url
from services.ask.config import RunConfig
from services.ask.remedy import Remedy, remedy
from services.servers.probe.http import (
    BODY_BYTES,
    Answer,
    NoAnswer,
    answering,
    message,
    read,
    refusal,
    words,
)
from services.wire.chunk import Chunk, is_ping, read_chunk
from services.wire.message import message_of
from services.wire.sse import Event
from services.wire.stream_detector import StreamDetector

TOKENS = 4  # of the answer
NAMES_SHOWN = 5
_UNKNOWN = re.compile(
    r"model_not_found|decommissioned|(unknown|invalid|no such) model|"
    r"\bmodel\b.{0,320}\b(not found|not exist|not available|no longer)",
    re.IGNORECASE | re.DOTALL,
)


class Refused(BackendProblem):
    """The server refuses the question; `remedy` may help."""

    def __init__(self, sentence: str, remedy: Remedy | None) -> None:
        super().__init__(sentence)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was heard. `reports_usage` is None where the answer did not end in time."""

    streams: bool
    reports_usage: bool | None


async def converse(
    client: httpx.AsyncClient,
    target: Target,
    models: tuple[str, ...],
    timeout_s: float,
    config: RunConfig,
) -> Conversation:
    """Have `target` say a few tokens, asked as `config` asks. `models` are those it lists, for the
    sentence.

    Raises:
        BackendProblem: it does not answer, does not know the model, or answers with an error.
    """
    heard = _Heard()
    ended = True
    config = config.model_copy(update={"max_tokens": TOKENS})
    asked = body(config, target, "Say hello.")
    try:
        async with answering(client, target, chat_url(target), timeout_s, asked) as response:
            if response.status_code != 200:
                answer = await read(response)
                raise Refused(_refused(answer, target, models), _remedy(answer, target, config))
            await heard.listen(response)
    except NoAnswer:
        if not heard.makes_sense:
            raise
        ended = False
    if heard.error:
        said = words(heard.error, target)
        raise BackendProblem(f"{target.netloc} answers the test question with an error: {said}.")
    if not heard.makes_sense:
        raise BackendProblem(
            f"{target.netloc} is not OpenAI-compatible: it answers the test question with "
            "something that is not a chat completion."
        )
    usage = True if heard.usage else (False if ended else None)
    return Conversation(heard.streams, usage)


class _Heard:
    """An answer, piece by piece."""

    def __init__(self) -> None:
        self.streams = False
        self.usage = False
        self.makes_sense = False
        self.error: str | None = None

    async def listen(self, response: httpx.Response) -> None:
        """Read to the end, to [DONE], or to BODY_BYTES, as a run would."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        detector, stream, size = StreamDetector(kind.encode()), None, 0
        try:
            async for part in response.aiter_raw():
                if stream is None and (stream := detector.detect(part)):
                    part = bytes(detector.buffer)
                if stream is not None and self._ended(stream.feed(part)):
                    return
                size += len(part)
                if size > BODY_BYTES:
                    return
            if stream is not None:
                self._ended(stream.flush())
            else:
                self._take(read_chunk(detector.buffer))
        except BackendProblem:
            raise
        except ValueError:  # what was understood before it counts
            return

    def _ended(self, events: Sequence[Event]) -> bool:
        """Take events; return whether the last of the stream is among them."""
        for kind, data in events:
            if data.strip() == b"[DONE]":
                return True
            if kind == b"error":
                self.error = self.error or message_of(data) or data[:200].decode("utf-8", "replace")
            elif data.strip() and not is_ping(data.strip()):
                chunk = read_chunk(data)
                self._take(chunk)
                self.streams = self.streams or not (chunk.whole or chunk.error or chunk.oddity)
        return False

    def _take(self, chunk: Chunk) -> None:
        self.error = self.error or chunk.error
        self.usage = self.usage or chunk.usage is not None
        said = chunk.has_token or chunk.finish_reason is not None
        self.makes_sense = self.makes_sense or said


def _remedy(answer: Answer, target: Target, config: RunConfig) -> Remedy | None:
    base_url = None if target.endpoint else target.base_url
    return remedy(message_of(answer.content), answer.status, config, base_url)


def _refused(answer: Answer, target: Target, models: tuple[str, ...]) -> str:
    about_model = answer.status in (400, 404, 422) and _UNKNOWN.search(
        answer.content[:10_000].decode("utf-8", "replace")
    )
    if not about_model:
        return refusal(answer, target, chat_url(target))
    if not models or target.model in models:
        return f"{target.netloc} does not serve {target.model!r}{message(answer, target)}."
    more = f" and {len(models) - NAMES_SHOWN:,} more" if len(models) > NAMES_SHOWN else ""
    names = ", ".join(models[:NAMES_SHOWN])
    return f"{target.netloc} does not serve {target.model!r}. It lists {names}{more}."
