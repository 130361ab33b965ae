"""One short chat request to a backend: does it stream, and does it report usage?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from services.ask.backends import BackendProblem, Target
from services.ask.backends.dialects import DIALECTS
from services.ask.backends.wire_formats import body, chat_url
from services.ask.config import RunConfig
from services.ask.remedy import Remedy, remedy
from services.servers.probe.http import (
    BODY_BYTES,
    Answer,
    NoAnswer,
    answering,
    message,
    quote,
    read,
    refusal,
)
from services.wire.chunk import is_ping, read_chunk
from services.wire.content import Chunk
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
    """The server refuses the request; `remedy` may help."""

    def __init__(self, sentence: str, remedy: Remedy | None) -> None:
        super().__init__(sentence)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Conversation:
    """The result. `reports_usage` is None if the answer did not end in time."""

    streams: bool
    reports_usage: bool | None


async def converse(
    client: httpx.AsyncClient,
    target: Target,
    models: tuple[str, ...],
    timeout_s: float,
    config: RunConfig,
) -> Conversation:
    """Have `target` generate a few tokens with the request options of `config`. `models` are those
    it lists, for error messages.

    Raises:
        BackendProblem: it does not answer, does not serve the model, or answers with an error.
    """
    reply = _Reply()
    ended = True
    config = config.model_copy(update={"max_tokens": TOKENS})
    question = body(config, target, "Say hello.")
    try:
        async with answering(client, target, chat_url(target), timeout_s, question) as response:
            if response.status_code != 200:
                answer = await read(response)
                raise Refused(_refusal(answer, target, models), _remedy(answer, target, config))
            await reply.read(response)
    except NoAnswer:
        if not reply.is_completion:
            raise
        ended = False
    if reply.error:
        reason = quote(reply.error, target)
        raise BackendProblem(f"{target.netloc} answers the test request with an error: {reason}.")
    if not reply.is_completion:
        raise BackendProblem(_incompatible(target))
    usage = True if reply.usage else (False if ended else None)
    return Conversation(reply.streams, usage)


class _Reply:
    """An answer, read chunk by chunk."""

    def __init__(self) -> None:
        self.streams = False
        self.usage = False
        self.is_completion = False
        self.error: str | None = None

    async def read(self, response: httpx.Response) -> None:
        """Read to the end, to [DONE], or to BODY_BYTES, as a run would."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        detector, stream, size = StreamDetector(kind.encode()), None, 0
        try:
            async for part in response.aiter_raw():
                if stream is None and (stream := detector.detect(part)):
                    part = bytes(detector.buffer)
                if stream is not None and self._is_done(stream.feed(part)):
                    return
                size += len(part)
                if size > BODY_BYTES:
                    return
            if stream is not None:
                self._is_done(stream.flush())
            else:
                self._add(read_chunk(detector.buffer))
        except BackendProblem:
            raise
        except ValueError:  # keep what was read before it
            return

    def _is_done(self, events: Sequence[Event]) -> bool:
        """Read events; return whether the stream is done."""
        for kind, data in events:
            if data.strip() == b"[DONE]":
                return True
            if kind == b"error":
                self.error = self.error or message_of(data) or data[:200].decode("utf-8", "replace")
            elif data.strip() and not is_ping(data.strip()):
                chunk = read_chunk(data)
                self._add(chunk)
                self.streams = self.streams or not (
                    chunk.whole or chunk.error or chunk.irregularity
                )
        return False

    def _add(self, chunk: Chunk) -> None:
        self.error = self.error or chunk.error
        self.usage = self.usage or chunk.usage is not None
        has_content = chunk.has_token or chunk.finish_reason is not None
        self.is_completion = self.is_completion or has_content


def _incompatible(target: Target) -> str:
    if target.dialect == "chat":
        compatible, answer = "OpenAI-compatible", "a chat completion"
    else:
        label = DIALECTS[target.dialect].label
        compatible, answer = f"compatible with {label}", "an answer of this API format"
    return (
        f"{target.netloc} is not {compatible}: it answers the test request with something that is "
        f"not {answer}."
    )


def _remedy(answer: Answer, target: Target, config: RunConfig) -> Remedy | None:
    base_url = None if target.endpoint else target.base_url
    return remedy(message_of(answer.content), answer.status, config, base_url)


def _refusal(answer: Answer, target: Target, models: tuple[str, ...]) -> str:
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
